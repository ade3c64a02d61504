"""Every live passage: what small collections use, and what the recall of the others is measured against."""

import numpy as np
from numpy.typing import NDArray

from index.effort import Budget
from index.pool import Pool
from index.snapshot import View


class Exhaustive:
    """Passes over nothing, so it takes no notice of the budget."""

    name = "exhaustive"

    def candidates(self, query: NDArray[np.float32], view: View, budget: Budget) -> Pool:
        """Give all live rows."""
        return Pool.of([np.flatnonzero(part.live) for part in view.snapshot.parts])
