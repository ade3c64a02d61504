"""What a search asks of a candidate generator."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from index.segment import Segment


@runtime_checkable
class CandidateGenerator(Protocol):
    """Names the rows of each segment that deserve exact scores."""

    @property
    def name(self) -> str:
        """Name in `CANDIDATES`."""

    def candidates(
        self, query: NDArray[np.float32], segments: Sequence[Segment], live: Sequence[NDArray[np.bool_]], limit: int
    ) -> list[NDArray[np.int64]]:
        """Pick rows, ascending and only live ones, for each segment.

        Args:
            query: ``(n_q, dim)``.
            segments: where to look.
            live: ``(n_passages,)`` for each segment: rows that a passage points to and that pass the filter.
            limit: how many rows are wanted over all segments; a generator that is exact may give more.
        """
