"""A step's gradients: of all its texts at once, or in chunks of them that memory holds.

In chunks (GradCache; Gao et al., 2021, section 3): all texts are encoded without a graph, the loss of all vectors gives
its gradient with regard to each, and then each chunk is encoded again, with a graph, and handed its own. The gradients
are the same, for a second forward pass; activations are held of one chunk, not of the batch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.batches import ListBatch, Side, TrainingBatch
from lfm2_colbert.training.precision import in_bfloat16

LOSS = "loss"
"""Name of the sum that is minimised."""

Parts = dict[str, Tensor]
"""A step's losses by name, each a field of `LossConfig`; where they are summed, `LOSS` too."""

LossesOf = Callable[[Tensor, Tensor], Parts]
"""Vectors of queries ``(B, Q, dim)`` and documents ``(C, D, dim)`` → losses, `LOSS` among them."""


def encoded(model: ColBERTModel, side: Side, *, autocast: bool) -> Tensor:
    """Encode a side, ``(B, T, dim)`` float32."""
    with in_bfloat16(side.ids.device, wanted=autocast):
        vectors: Tensor = model(side.ids, side.masks)
    return vectors


def add_gradients(
    model: ColBERTModel, batch: TrainingBatch | ListBatch, losses_of: LossesOf, *, chunk: int, autocast: bool
) -> Parts:
    """Add the gradients of `LOSS` to those of the model, and give the losses without a graph.

    Args:
        model: which has no dropout: a text that is encoded again has the same vectors.
        batch: of a step.
        losses_of: called once, with the vectors of the whole batch.
        chunk: texts of a side that are encoded at once; 0: all.
        autocast: whether products are computed in bfloat16.
    """
    sides = (batch.queries, batch.documents)
    if not chunk:
        return _backward(losses_of(*(encoded(model, side, autocast=autocast) for side in sides)))
    parts = [_chunks(side, chunk) for side in sides]
    with torch.no_grad():
        vectors = [torch.cat([encoded(model, part, autocast=autocast) for part in own]) for own in parts]
    losses = _backward(losses_of(*(own.requires_grad_() for own in vectors)))
    for own, found in zip(parts, vectors, strict=True):
        _hand_on(model, own, found.grad, autocast=autocast)
    return losses


def _backward(losses: Parts) -> Parts:
    losses[LOSS].backward()  # type: ignore[no-untyped-call]
    return {name: value.detach() for name, value in losses.items()}


def _hand_on(model: ColBERTModel, chunks: Sequence[Side], gradient: Tensor | None, *, autocast: bool) -> None:
    """Encode chunks again, each with a graph, and hand on the gradient ``(B, T, dim)`` of their vectors."""
    assert gradient is not None, "every loss is of both sides"
    start = 0
    for chunk in chunks:
        end = start + len(chunk.ids)
        encoded(model, chunk, autocast=autocast).backward(gradient[start:end])  # type: ignore[no-untyped-call]
        start = end


def _chunks(side: Side, size: int) -> list[Side]:
    fields = (side.ids, side.present, side.taught, side.states, side.targets, side.dense)
    return [Side(*(field[start : start + size] for field in fields)) for start in range(0, len(side.ids), size)]
