"""Many texts of many lengths through one forward function, without one text touching another."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
class Passes:
    """How texts are spread over forward passes.

    Attributes:
        positions: of a pass at most, padding included; a text that is longer by itself has a pass of its own.
        padding: of these that may be padding: as many as what a pass costs by itself is worth.
        at_once: passes that run side by side, each in a thread of its own.
    """

    positions: int = POSITIONS_PER_BATCH
    padding: int = POSITIONS_PER_BATCH
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded texts, each array ``(B, T)``: ids int64, masks float32 of 1 and 0 (see `backbone.Masks`)."""

    ids: NDArray[np.int64]
    present: NDArray[np.float32]
    attended: NDArray[np.float32]


Forward = Callable[[Batch], NDArray[np.float32]]
"""From a batch to ``(B, T, dim)`` unit-norm vectors."""


def encode_in_batches(
    tokenized: Sequence[TokenizedText],
    texts: Sequence[str],
    forward: Forward,
    config: EncoderConfig,
    passes: Passes,
) -> MultiVectors:
    """Encode texts of similar length together and give them back in their own order.

    Raises:
        NonFiniteVectorError: a text's vectors hold NaN or infinity.
    """
    vectors: list[NDArray[np.float32]] = [np.empty((0, config.dim), np.float32)] * len(tokenized)
    cut = list(groups([len(t.ids) for t in tokenized], passes))
    batches = (pad([tokenized[i] for i in group], config.tokens.pad_id) for group in cut)
    for group, output in zip(cut, _outputs(forward, batches, min(passes.at_once, len(cut))), strict=True):
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


def groups(lengths: Sequence[int], passes: Passes) -> Iterator[list[int]]:
    """Give indices by rising length, cut where a pass would have more positions, or more padding, than it may."""
    group: list[int] = []
    padded = 0
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        padded += len(group) * (lengths[i] - lengths[group[-1]]) if group else 0
        if group and (padded > passes.padding or (len(group) + 1) * lengths[i] > passes.positions):
            yield group
            group, padded = [], 0
        group.append(i)
    if group:
        yield group


def _outputs(forward: Forward, batches: Iterable[Batch], at_once: int) -> Iterator[NDArray[np.float32]]:
    if at_once <= 1:
        yield from map(forward, batches)
        return
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(forward, batches)
