"""Every live passage: what small collections use, and what the recall of the others is measured against."""

import numpy as np
from numpy.typing import NDArray

from index.effort import Budget
from index.snapshot import Snapshot


class Exhaustive:
    """Passes over nothing, so it takes no notice of the budget."""

    name = "exhaustive"

    def candidates(
        self, query: NDArray[np.float32], snapshot: Snapshot, budget: Budget, threads: int = 1
    ) -> list[NDArray[np.int64]]:
        """Give all live rows."""
        return [np.flatnonzero(part.live) for part in snapshot.parts]
