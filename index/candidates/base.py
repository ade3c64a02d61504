"""What a search asks of a candidate generator."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from index.effort import Budget
from index.snapshot import Snapshot


@runtime_checkable
class CandidateGenerator(Protocol):
    """Names the rows of each part of a snapshot that deserve MaxSim."""

    @property
    def name(self) -> str:
        """Name in `CANDIDATES`."""

    def candidates(
        self, query: NDArray[np.float32], snapshot: Snapshot, budget: Budget, threads: int = 1
    ) -> list[NDArray[np.int64]]:
        """Pick rows, ascending and only live ones, for each part.

        Args:
            query: ``(n_q, dim)``.
            snapshot: where to look.
            budget: how many are wanted; a generator that is exact may give more.
            threads: that may share the work.
        """
