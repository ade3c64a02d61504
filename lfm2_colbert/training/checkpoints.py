"""Encoders on disk, as training reads and writes them: model folders and exports in, model folders out."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from lfm2_colbert.checkpoint import files_fingerprint, open_checkpoint
from lfm2_colbert.config import BackboneConfig, EncoderConfig
from lfm2_colbert.encoders.loading import resolve
from lfm2_colbert.encoders.onnx import MODEL_FILE, TOKENIZER_FILE, read_encoder_config
from lfm2_colbert.export.onnx import read_weights
from lfm2_colbert.tokenization import TextTokenizer, piece_ids, read_tokenizer, tokenizer_specification
from lfm2_colbert.training.development import Tokenize
from lfm2_colbert.training.recipe import ShapeConfig
from lfm2_colbert.training.start import Start, Tensors, drawn

POSITIONS = 1024
IDENTITY = "torch.nn.modules.linear.Identity"
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
]


def read_start(name: str, shape: ShapeConfig | None, rng: np.random.Generator) -> Start:
    """Read an encoder by name (`load_encoder`); with a shape, keep its vocabulary and contract, and draw other weights.

    Raises:
        UnknownEncoderError: there is none of this name.
        UnsafeModelError: its folder holds what this program never loads.
    """
    source = resolve(name)
    start = _exported(Path(source.location)) if source.kind == "onnx" else _checkpoint(Path(source.location))
    return start if shape is None else drawn(start.config, start.tokenizer, shape, rng)


def tokenizers_of(start: Start) -> tuple[Tokenize, Tokenize]:
    """Give what makes ids of queries and of documents."""
    tokenizer = TextTokenizer(read_tokenizer(start.tokenizer, markers=start.config.markers), start.config.tokens)
    return (
        lambda texts: [each.ids for each in tokenizer.queries(texts)],
        lambda texts: [each.ids for each in tokenizer.documents(texts)],
    )


def write_folder(start: Start, tensors: Tensors, folder: Path) -> None:
    """Write weights with the shape, contract and vocabulary of a start, in sentence-transformers' layout; float16."""
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "1_Dense").mkdir(parents=True)
    half = {name: tensor.astype(np.float16) for name, tensor in tensors.items()}
    trunk = {name.removeprefix("backbone."): half[name] for name in half if name.startswith("backbone.")}
    save_file(trunk, unfinished / "model.safetensors")
    save_file({"linear.weight": half["projection.weight"]}, unfinished / "1_Dense" / "model.safetensors")
    for name, content in _settings(start.config, _skipped(start)).items():
        (unfinished / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(start.tokenizer, unfinished / start.tokenizer.name)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def _exported(folder: Path) -> Start:
    config = read_encoder_config(folder)
    tensors = {name: np.asarray(value, np.float32) for name, value in read_weights(folder / MODEL_FILE).items()}
    return Start(config, folder / TOKENIZER_FILE, tensors, files_fingerprint(folder))


def _checkpoint(folder: Path) -> Start:
    found = open_checkpoint(folder)
    config = EncoderConfig(folder.name, found.dim, found.backbone, found.tokens, found.markers)
    return Start(config, found.tokenizer_path, found.tensors(), found.fingerprint)


def _skipped(start: Start) -> list[str]:
    """Give the pieces of documents whose vectors are dropped."""
    ids = start.config.tokens.skip_ids
    return [piece for piece, number in piece_ids(tokenizer_specification(start.tokenizer)).items() if number in ids]


def _settings(config: EncoderConfig, skipped: list[str]) -> dict[str, Any]:
    """Write the settings by which `open_checkpoint`, PyLate and sentence-transformers find shape and contract."""
    tokens = config.tokens
    return {
        "config.json": _trunk_settings(config.backbone, tokens.bos_id, tokens.pad_id, tokens.expansion_id),
        "config_sentence_transformers.json": {
            "model_type": "ColBERT",
            "query_prefix": config.markers[0],
            "document_prefix": config.markers[1],
            "query_prefix_id": tokens.query_marker_id,
            "document_prefix_id": tokens.document_marker_id,
            "query_length": tokens.query_length,
            "document_length": tokens.document_length,
            "do_query_expansion": tokens.expansion_id is not None,
            "attend_to_expansion_tokens": tokens.attend_to_expansion,
            "skiplist_words": skipped,
            "similarity_fn_name": "MaxSim",
        },
        "modules.json": MODULES,
        "1_Dense/config.json": {
            "in_features": config.backbone.hidden_size,
            "out_features": config.dim,
            "bias": False,
            "activation_function": IDENTITY,
        },
    }


def _trunk_settings(backbone: BackboneConfig, bos_id: int, pad_id: int, expansion_id: int | None) -> dict[str, Any]:
    return {
        "architectures": ["Lfm2BidirectionalModel" if backbone.bidirectional else "Lfm2Model"],
        "model_type": "lfm2",
        "bidirectional": backbone.bidirectional,
        "vocab_size": backbone.vocab_size,
        "hidden_size": backbone.hidden_size,
        "num_hidden_layers": len(backbone.layer_types),
        "num_attention_heads": backbone.n_heads,
        "num_key_value_heads": backbone.n_kv_heads,
        "head_dim": backbone.head_dim,
        "intermediate_size": backbone.feed_forward_size,
        "block_auto_adjust_ff_dim": False,
        "layer_types": list(backbone.layer_types),
        "full_attn_idxs": [i for i, kind in enumerate(backbone.layer_types) if kind != "conv"],
        "conv_L_cache": backbone.conv_kernel,
        "conv_bias": False,
        "norm_eps": backbone.norm_eps,
        "rope_theta": backbone.rope_theta,
        "max_position_embeddings": POSITIONS,
        "bos_token_id": bos_id,
        "pad_token_id": pad_id,
        "eos_token_id": bos_id if expansion_id is None else expansion_id,
        "dtype": "float16",
        "tie_word_embeddings": True,
    }
