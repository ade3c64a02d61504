"""How much of what exact search would find do real queries get? A few are asked again, exactly, in the background.

At most one is being asked again at any moment, and so seldom that it costs a small share of the time searches take; the
estimate has an interval, because a few queries say little.
"""

import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.effort import Effort
from index.recall_file import Estimate
from index.search import Scored, Words, search_snapshot
from index.snapshot import View

EVERY = 100
"""Of so many searches one may be asked again."""
BUDGET = 0.02
"""Share of the wall time since the first search that may be spent on asking again."""
DEPTH = 10
Z = 1.96
"""Of a normal distribution, for an interval of 95 %."""


class LiveRecall:
    """Asks one of many searches again; searches go on meanwhile."""

    def __init__(self, every: int = EVERY, budget: float = BUDGET) -> None:
        """Ask one of `every` searches again, as long as that takes no more than the share `budget` of the time."""
        self._every, self._budget = every, budget
        self._started = time.monotonic()
        self._n_seen, self._spent = 0, 0.0
        self._shares: list[float] = []
        self._running: threading.Thread | None = None

    def saw(
        self, query: NDArray[np.float32], view: View, effort: Effort, words: Words | None, found: Sequence[Scored]
    ) -> None:
        """Take note of a search that let centroids choose, and perhaps ask it again; a command's only one never is."""
        if effort is Effort.EXACT or view.snapshot.codebook is None or not found:
            return
        self._n_seen += 1
        if self._n_seen % self._every or self._is_busy():
            return
        keys = {hit.document for hit in found[:DEPTH]}
        self._running = threading.Thread(target=self._ask_again, args=(query, view, words, keys), daemon=True)
        self._running.start()

    def wait(self) -> None:
        """Let what is being asked again come to its end."""
        if self._running:
            self._running.join()

    def estimate(self) -> Estimate | None:
        """Give what is known so far; None before the first."""
        return _estimate(self._shares) if self._shares else None

    def _is_busy(self) -> bool:
        spent = self._spent > self._budget * max(time.monotonic() - self._started, 1.0)
        return spent or (self._running is not None and self._running.is_alive())

    def _ask_again(self, query: NDArray[np.float32], view: View, words: Words | None, keys: set[int]) -> None:
        started = time.monotonic()
        exact, _ = search_snapshot(query, view, Effort.EXACT, len(keys), _numbers, words=words)
        self._shares.append(len(keys & {hit.document for hit in exact}) / max(len(exact), 1))
        self._spent += time.monotonic() - started


def _numbers(keys: Iterable[int]) -> Mapping[int, str]:
    """Documents by their numbers: this thread must not use the store."""
    return {key: f"{key:020}" for key in keys}


def mean_recall(estimates: Iterable[Estimate]) -> float | None:
    """Give the mean over all queries that were asked again, whoever asked them; None of none."""
    known = list(estimates)
    n_queries = sum(each.queries for each in known)
    return sum(each.recall_at_10 * each.queries for each in known) / n_queries if n_queries else None


def _estimate(shares: Sequence[float]) -> Estimate:
    """Give mean and interval (Wilson's, which stays within 0 and 1 and is honest where all shares are 1)."""
    n, mean = len(shares), sum(shares) / len(shares)
    centre = (mean + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Estimate(round(mean, 4), round(max(centre - half, 0), 4), round(min(centre + half, 1), 4), n)
