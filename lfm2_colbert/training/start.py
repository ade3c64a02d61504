"""What training begins with: an encoder's shape, contract, vocabulary and weights, read or drawn."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lfm2_colbert.config import EncoderConfig
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.recipe import ShapeConfig

SPREAD = 0.02
"""Standard deviation of weights that are drawn."""
EMBEDDINGS, PROJECTION_WEIGHT = "backbone.embed_tokens.weight", "projection.weight"

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """An encoder as training sees it.

    Attributes:
        config: shape and token contract.
        tokenizer: file of its vocabulary.
        tensors: weights under the names of `model.ColBERTModel`.
        fingerprint: of what it was read from.
    """

    config: EncoderConfig
    tokenizer: Path
    tensors: Tensors
    fingerprint: str

    def model(self) -> ColBERTModel:
        """Build its model, in evaluation mode."""
        tensors = {name: torch.tensor(value) for name, value in self.tensors.items()}
        return ColBERTModel.from_tensors(self.config.backbone, self.config.dim, tensors)


def drawn(config: EncoderConfig, tokenizer: Path, shape: ShapeConfig, rng: np.random.Generator) -> Start:
    """Draw weights of a shape, for an encoder's vocabulary and contract."""
    backbone = replace(
        config.backbone,
        hidden_size=shape.hidden_size,
        feed_forward_size=shape.feed_forward_size,
        layer_types=shape.layer_types,
        n_heads=shape.n_heads,
        n_kv_heads=shape.n_kv_heads,
        head_dim=shape.head_dim,
    )
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in ColBERTModel(backbone, shape.dim).state_dict().items()}
    tensors = {name: _initial(name, size, rng) for name, size in shapes.items()}
    return Start(replace(config, backbone=backbone, dim=shape.dim), tokenizer, tensors, "drawn")


def with_table(start: Start, words: NDArray[np.float32], counts: NDArray[np.int64]) -> Start:
    """Take the main directions of a teacher's word rows as the embedding table, of unit mean square in each row.

    Args:
        start: whose table is replaced.
        words: ``(vocab_size, size)``, the teacher's row of each piece.
        counts: ``(vocab_size,)``, how often each occurs in what is learned from.
    """
    weights = (counts + 1) / (counts + 1).sum()
    centred = words - weights @ words
    variances, directions = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    width = start.config.backbone.hidden_size
    main = directions[:, np.argsort(-variances)[:width]]
    table = np.zeros((len(words), width), np.float32)
    table[:, : main.shape[1]] = centred @ main
    table /= np.maximum(np.sqrt(np.square(table).mean(axis=1, keepdims=True)), 1e-6)
    return replace(start, tensors=start.tensors | {EMBEDDINGS: table})


def _initial(name: str, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Norms begin at 1, blocks at 0, so that a layer begins as nothing; all else is drawn."""
    if "norm" in name:
        return np.ones(size, np.float32)
    if name.endswith(("out_proj.weight", "w2.weight")):
        return np.zeros(size, np.float32)
    return (SPREAD * rng.standard_normal(size)).astype(np.float32)
