"""A teacher's contextual token vectors for a student's tokens, where both read pieces of one vocabulary.

Either a BERT over XLM-R's pieces (multilingual-e5; Wang et al., 2024), of which the student's vocabulary is a part, or
another encoder of this project with the student's own vocabulary: a student's token is a teacher's token.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lfm2_colbert.backbone import Masks
from lfm2_colbert.checkpoint import check_files, read_json
from lfm2_colbert.errors import InvalidConfigError
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.registry import missing_extra
from lfm2_colbert.tokenization import piece_ids, tokenizer_specification
from lfm2_colbert.training.start import Start, read_start

MARKERS = 2
"""Ids at the beginning of a student's text that the teacher does not know: begin token and marker."""


class Teacher(Protocol):
    """Reads texts given as a student's ids."""

    @property
    def size(self) -> int:
        """Width of a state."""

    @property
    def is_space(self) -> bool:
        """Whether states are compared as they are, so that they are targets themselves."""

    def states(self, texts: Sequence[NDArray[np.uint16]], role: int) -> list[NDArray[np.float32]]:
        """Give the states of the tokens of texts of one length, ``(n, size)`` each, without the markers."""


def load_teacher(name: str, start: Start, prefixes: Sequence[str]) -> Teacher:
    """Load a teacher: a folder of BERT, else an encoder by name.

    Raises:
        UnknownEncoderError: there is neither.
        UnsafeModelError: the folder holds code or pickles.
        InvalidConfigError: its vocabulary does not hold the student's pieces.
        MissingExtraError: transformers is not installed.
    """
    config = Path(name) / "config.json"
    if config.is_file() and read_json(config).get("model_type") == "bert":
        return BertTeacher(Path(name), start.tokenizer, prefixes)
    return EncoderTeacher(read_start(name, None, np.random.default_rng(0)), start)


class EncoderTeacher:
    """An encoder of this project; texts go in as the student's ids, markers and all."""

    is_space = True

    def __init__(self, teacher: Start, student: Start) -> None:
        """Build its model.

        Raises:
            InvalidConfigError: it has another vocabulary than the student.
        """
        own, theirs = (piece_ids(tokenizer_specification(each.tokenizer)) for each in (teacher, student))
        if own != theirs or teacher.config.tokens != student.config.tokens:
            raise InvalidConfigError(
                f"{teacher.config.name} reads texts otherwise than the student",
                help="take an encoder of its vocabulary",
            )
        tensors = {key: torch.tensor(value) for key, value in teacher.tensors.items()}
        self._model = ColBERTModel.from_tensors(teacher.config.backbone, teacher.config.dim, tensors)
        self.size = teacher.config.dim

    def states(self, texts: Sequence[NDArray[np.uint16]], role: int) -> list[NDArray[np.float32]]:
        """Give its vectors."""
        ids = torch.from_numpy(np.stack(texts).astype(np.int64))
        everywhere = torch.ones_like(ids, dtype=torch.bool)
        with torch.inference_mode():
            return list(self._model(ids, Masks(everywhere, everywhere)).numpy()[:, MARKERS:])


class BertTeacher:
    """A BERT over XLM-R's pieces."""

    is_space = False

    def __init__(self, folder: Path, student_tokenizer: Path, prefixes: Sequence[str]) -> None:
        """Load it.

        Args:
            folder: of the model, in Hugging Face's layout.
            student_tokenizer: whose pieces are looked up in the teacher's vocabulary.
            prefixes: put before texts, by role.

        Raises:
            UnsafeModelError: the folder holds code or pickles.
            InvalidConfigError: the student has a piece that the teacher lacks.
            MissingExtraError: transformers is not installed.
        """
        try:
            from tokenizers import Tokenizer
            from transformers import BertModel
        except ModuleNotFoundError as error:
            raise missing_extra("the teacher", error.name or "transformers", "train") from error
        check_files(folder)
        self._model: Any = BertModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False).eval()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._begin, self._end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
        self._prefixes = [tokenizer.encode(prefix, add_special_tokens=False).ids for prefix in prefixes]
        self._pieces = _translated(student_tokenizer, tokenizer)
        self.size = int(self._model.config.hidden_size)

    def states(self, texts: Sequence[NDArray[np.uint16]], role: int) -> list[NDArray[np.float32]]:
        """Give the last hidden states of the tokens of texts of one length, ``(n, size)`` each, without the markers."""
        prefix = [self._begin, *self._prefixes[role]]
        rows = [[*prefix, *self._pieces[text[MARKERS:].astype(np.int64)].tolist(), self._end] for text in texts]
        ids = torch.tensor(rows)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.float().numpy()
        return list(found[:, len(prefix) : -1])


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
