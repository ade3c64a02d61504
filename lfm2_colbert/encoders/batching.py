"""Many texts of many lengths through one forward function, without one text touching another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.config import EncoderConfig
from lfm2_colbert.errors import NonFiniteVectorError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.tokenization import TokenizedText

POSITIONS_PER_BATCH = 4096
"""Positions of a forward pass at most, padding included: larger batches gain nothing on a CPU."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded texts, each array ``(B, T)``: ids int64, masks float32 of 1 and 0 (see `backbone.Masks`)."""

    ids: NDArray[np.int64]
    present: NDArray[np.float32]
    attended: NDArray[np.float32]


Forward = Callable[[Batch], NDArray[np.float32]]
"""From a batch to ``(B, T, dim)`` unit-norm vectors."""


def encode_in_batches(
    tokenized: Sequence[TokenizedText], texts: Sequence[str], forward: Forward, config: EncoderConfig
) -> MultiVectors:
    """Encode texts of similar length together and give them back in their own order.

    Raises:
        NonFiniteVectorError: a text's vectors hold NaN or infinity.
    """
    vectors: list[NDArray[np.float32]] = [np.empty((0, config.dim), np.float32)] * len(tokenized)
    for group in _groups([len(t.ids) for t in tokenized]):
        output = forward(pad([tokenized[i] for i in group], config.tokens.pad_id))
        for row, i in enumerate(group):
            vectors[i] = output[row, : len(tokenized[i].ids)][tokenized[i].kept]
            if not np.isfinite(vectors[i]).all():
                raise NonFiniteVectorError(f"{config.name} gave NaN or infinity for the text {texts[i][:60]!r}")
    return MultiVectors.of(vectors, dim=config.dim)


def pad(tokenized: Sequence[TokenizedText], pad_id: int) -> Batch:
    """Stack texts, padded on the right to the longest."""
    shape = (len(tokenized), max(len(t.ids) for t in tokenized))
    ids = np.full(shape, pad_id, np.int64)
    present, attended = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, text in enumerate(tokenized):
        n = len(text.ids)
        ids[row, :n], present[row, :n], attended[row, :n] = text.ids, 1, text.attended
    return Batch(ids, present, attended)


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices by rising length, cut where a batch would exceed its positions."""
    group: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if group and (len(group) + 1) * lengths[i] > POSITIONS_PER_BATCH:
            yield group
            group = []
        group.append(i)
    if group:
        yield group
