"""Which teacher a recipe means: a folder of a BERT, else an encoder by name."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer

from lfm2_colbert.checkpoint import check_files, read_json
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import InvalidConfigError
from lfm2_colbert.tokenization import piece_ids, tokenizer_specification
from lfm2_colbert.training.bert import Bert, BertConfig
from lfm2_colbert.training.checkpoints import read_start
from lfm2_colbert.training.start import Start
from lfm2_colbert.training.teacher import BertTeacher, EncoderTeacher, Pieces, Teacher

BERT_FIELDS = ("num_hidden_layers", "num_attention_heads", "layer_norm_eps")


def load_teacher(name: str, start: Start, prefixes: Sequence[str], device: torch.device) -> Teacher:
    """Load a teacher: a folder of BERT, else an encoder by name.

    Raises:
        UnknownEncoderError: there is neither.
        UnsafeModelError: the folder holds code or pickles.
        InvalidConfigError: its vocabulary does not hold the student's pieces.
    """
    if is_bert(name):
        return BertTeacher(read_bert(Path(name), device), read_pieces(Path(name), start.tokenizer, prefixes), device)
    teacher = read_start(name, None, np.random.default_rng(0))
    own, theirs = (piece_ids(tokenizer_specification(each.tokenizer)) for each in (teacher, start))
    if own != theirs or teacher.config.tokens != start.config.tokens:
        raise InvalidConfigError(
            f"{teacher.config.name} reads texts otherwise than the student", help="take an encoder of its vocabulary"
        )
    return EncoderTeacher(teacher.model(), device)


def is_bert(name: str) -> bool:
    """Say whether a name is that of a BERT's folder."""
    config = Path(name) / "config.json"
    return config.is_file() and read_json(config).get("model_type") == "bert"


def bert_config(folder: Path) -> BertConfig:
    """Read the shape of a BERT in Hugging Face's layout."""
    config = read_json(folder / "config.json")
    return from_mapping(BertConfig, {name: config[name] for name in BERT_FIELDS})


def read_bert(folder: Path, device: torch.device) -> Bert:
    """Read a BERT in Hugging Face's layout, as float32.

    Raises:
        UnsafeModelError: the folder holds code or pickles.
    """
    check_files(folder)
    tensors = load_file(folder / "model.safetensors", device=str(device))
    return Bert(bert_config(folder), {name: tensor.float() for name, tensor in tensors.items()})


def read_pieces(folder: Path, student_tokenizer: Path, prefixes: Sequence[str]) -> Pieces:
    """Find a student's pieces, and the prefixes that go before texts by role, in a BERT's vocabulary.

    Raises:
        InvalidConfigError: the student has a piece that the teacher lacks.
    """
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Pieces(
        _translated(student_tokenizer, tokenizer),
        tokenizer.token_to_id("<s>"),
        tokenizer.token_to_id("</s>"),
        tuple(tuple(tokenizer.encode(prefix, add_special_tokens=False).ids) for prefix in prefixes),
    )


def _translated(student_tokenizer: Path, teacher: Any) -> NDArray[np.int64]:
    """Give the teacher's id of each of the student's; control tokens become the teacher's unknown piece."""
    unknown = teacher.token_to_id("<unk>")
    own = piece_ids(tokenizer_specification(student_tokenizer))
    added = {token["content"] for token in json.loads(teacher.to_str())["added_tokens"]}
    translated = np.full(max(own.values()) + 1, unknown, np.int64)
    missing = []
    for piece, number in own.items():
        found = teacher.token_to_id(piece)
        if found is None and not piece.startswith(("<", "[")):
            missing.append(piece)
        translated[number] = unknown if found is None or piece in added else found
    if missing:
        raise InvalidConfigError(
            f"the teacher lacks {len(missing)} of the student's pieces, such as '{missing[0]}'",
            help="take a teacher whose vocabulary holds the student's",
        )
    return translated
