"""What a search asks of a candidate generator."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from index.effort import Budget
from index.shortlist import Shortlist
from index.snapshot import View


@runtime_checkable
class CandidateGenerator(Protocol):
    """Names the passages of a snapshot that deserve MaxSim."""

    @property
    def name(self) -> str:
        """Name in `CANDIDATES`."""

    def candidates(self, query: NDArray[np.float32], view: View, budget: Budget) -> Shortlist:
        """Pick live passages, each with what it promises, or with `index.shortlist.UNKNOWN`.

        Args:
            query: ``(n_q, dim)``.
            view: where to look.
            budget: how many are wanted; a generator may give more.
        """
