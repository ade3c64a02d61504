"""What one search sees: the segments of one committed state, and which passage each of their rows is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.segment import Segment
from index.store import Store

DEAD = -1


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One segment of a snapshot.

    Attributes:
        segment: the mapped file.
        documents: ``(n_rows,)`` int64, the key of the document each row belongs to; `DEAD` where it belongs to none.
        ordinals: ``(n_rows,)`` int64, the place of the passage in its document.
    """

    segment: Segment
    documents: NDArray[np.int64]
    ordinals: NDArray[np.int64]

    @property
    def live(self) -> NDArray[np.bool_]:
        """Rows that are passages of a document, ``(n_rows,)``."""
        return np.not_equal(self.documents, DEAD)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A committed state, immutable; `txid` tells states apart."""

    txid: int
    parts: tuple[Part, ...]


def load_snapshot(store: Store, folder: Path, opened: Mapping[int, Segment]) -> Snapshot:
    """Read the present state, within a `store.snapshot()`; segments in `opened` (by number) are not mapped again.

    Raises:
        CorruptionError: a segment is missing or damaged.
    """
    rows = np.fromiter(
        store.passage_rows(), np.dtype([(name, np.int64) for name in ("document", "ordinal", "segment", "row")])
    )
    parts = []
    for info in store.segments():
        segment = opened.get(info.number) or Segment.open(folder, info)
        documents = np.full(info.n_passages, DEAD, np.int64)
        ordinals = np.zeros(info.n_passages, np.int64)
        first, last = np.searchsorted(rows["segment"], (info.number, info.number + 1))
        own = rows[first:last]
        documents[own["row"]] = own["document"]
        ordinals[own["row"]] = own["ordinal"]
        parts.append(Part(segment, documents, ordinals))
    return Snapshot(store.changes(), tuple(parts))
