"""What the centroids of a passage promise about its MaxSim, so that scoring ends where nothing good can follow.

Centroid interaction is no bound: what a token has beyond its centroid may add to a product or take from it. But over
the passages that were scored, MaxSim follows the interaction along a line, with a spread that can be measured: a
passage whose line, some spreads added, stays below the best ones is left out.
"""

import numpy as np
from numpy.typing import NDArray


def least_promise(promises: NDArray[np.float32], scores: NDArray[np.float32], n_best: int, margin: float) -> float:
    """Give the promise from which on a passage may come among the `n_best`.

    Args:
        promises: ``(n,)``, of passages that were scored; infinite ones say nothing.
        scores: ``(n,)``, their MaxSim.
        n_best: wanted.
        margin: standard deviations that a passage may lie above the line.

    Returns:
        −inf where too few were scored to tell, or promises say nothing.
    """
    if len(scores) < n_best:
        return -np.inf
    threshold = np.partition(scores, len(scores) - n_best)[len(scores) - n_best]
    known = np.isfinite(promises)
    x, y = promises[known].astype(np.float64), scores[known].astype(np.float64)
    if len(x) < n_best:
        return -np.inf
    centre, level = x.mean(), y.mean()
    x, y = x - centre, y - level
    slope = (x @ y) / max(x @ x, 1e-9)
    if slope <= 0:
        return -np.inf
    spread = np.sqrt(np.mean((y - slope * x) ** 2))
    return float(centre + (threshold - level - margin * spread) / slope)
