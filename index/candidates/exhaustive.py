"""Every live passage: what small collections use, and what the recall of the others is measured against."""

import numpy as np
from numpy.typing import NDArray

from index.effort import Budget
from index.shortlist import Shortlist
from index.snapshot import View


class Exhaustive:
    """Passes over nothing, so it takes no notice of the budget."""

    name = "exhaustive"

    def candidates(self, query: NDArray[np.float32], view: View, budget: Budget) -> Shortlist:
        """Give all live rows."""
        return Shortlist.of([np.flatnonzero(part.live) for part in view.snapshot.parts])
