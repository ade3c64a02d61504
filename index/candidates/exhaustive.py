"""Every live passage: what small collections use, and what the recall of the others is measured against."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from index.segment import Segment


class Exhaustive:
    """Passes over nothing, so it takes no notice of `limit`."""

    name = "exhaustive"

    def candidates(
        self, query: NDArray[np.float32], segments: Sequence[Segment], live: Sequence[NDArray[np.bool_]], limit: int
    ) -> list[NDArray[np.int64]]:
        """Give all live rows."""
        return [np.flatnonzero(rows).astype(np.int64, copy=False) for rows in live]
