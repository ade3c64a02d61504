"""One query's vectors against one snapshot: candidates → coarse MaxSim → MaxSim over all bits of the best.

A document counts as its best passage. Everything is deterministic: equal scores are ordered by document id.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.candidates import CANDIDATES
from index.candidates.base import CandidateGenerator
from index.codecs.base import Codec, Precision
from index.effort import BUDGETS, Budget, Effort, pays_to_choose
from index.native.base import Rows
from index.snapshot import Snapshot
from lfm2_colbert.registry import lookup

Names = Callable[[Iterable[int]], Mapping[int, str]]
"""From document keys to document ids."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A state of a collection, how its vectors are coded, and how many threads may share a search of it."""

    snapshot: Snapshot
    codec: Codec
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Scored:
    """A document by its best passage: where that lies, and its MaxSim."""

    document: int
    document_id: str
    ordinal: int
    part: int
    row: int
    score: float


@dataclass(slots=True)
class Trace:
    """What a search did: passages scored by each stage, and its wall time in milliseconds."""

    counts: dict[str, int] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    last: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str, count: int) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.counts[stage], self.timings_ms[stage] = count, (now - self.last) * 1000
        self.last = now


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Passages under consideration: place of their part, their row in it, their score. None is without vectors."""

    part: NDArray[np.int64]
    row: NDArray[np.int64]
    score: NDArray[np.float32]

    def best(self, n: int) -> "_Pool":
        """Keep the `n` best, and all that tie with the last of them."""
        if len(self.score) <= n:
            return self
        least = np.partition(self.score, len(self.score) - n)[len(self.score) - n]
        kept = self.score >= least
        return _Pool(self.part[kept], self.row[kept], self.score[kept])


def search_snapshot(
    query: NDArray[np.float32], view: View, effort: Effort, k: int, names: Names
) -> tuple[list[Scored], Trace]:
    """Give the `k` best documents, best first; equal scores in the order of their ids.

    Args:
        query: ``(n_q, dim)`` float32.
        view: what to search.
        effort: how hard to look.
        k: documents wanted.
        names: looks ids up, for the documents that can be among the best alone.
    """
    trace, snapshot = Trace(), view.snapshot
    question = view.codec.question(query)
    budget = _budget(effort, k)
    rows = _generator(snapshot, effort).candidates(query, snapshot, budget, view.threads)
    trace.lap("candidates", sum(map(len, rows)))
    if effort is Effort.EXACT:
        pool = _score(question, view, rows, Precision.FULL)
        trace.lap("fine", len(pool.row))
        return _documents(pool, snapshot, k, names), trace
    pool = _score(question, view, rows, Precision.COARSE)
    trace.lap("coarse", len(pool.row))
    found: list[Scored] = []
    n_fine = budget.n_fine
    while True:  # again with more, where one document owns many of the best passages
        chosen = pool.best(n_fine)
        refined = _score(question, view, _by_part(chosen, len(snapshot.parts)), Precision.FULL)
        found = _documents(refined, snapshot, k, names)
        if len(found) >= k or len(chosen.row) == len(pool.row):
            break
        n_fine *= 4
    trace.lap("fine", len(chosen.row))
    return found, trace


def _budget(effort: Effort, k: int) -> Budget:
    base = BUDGETS.get(effort, BUDGETS[Effort.BALANCED])
    return replace(base, n_coarse=max(base.n_coarse, 4 * k), n_fine=max(base.n_fine, k + k // 2))


def _generator(snapshot: Snapshot, effort: Effort) -> CandidateGenerator:
    choosing = effort is not Effort.EXACT and snapshot.codebook is not None and pays_to_choose(snapshot.n_tokens)
    name = "centroids" if choosing else "exhaustive"
    made: CandidateGenerator = lookup(CANDIDATES, name, "candidate generator")()
    return made


def _score(question: Any, view: View, rows: list[NDArray[np.int64]], precision: Precision) -> _Pool:
    scores = [
        view.codec.scores(question, part.segment.arrays, Rows(part.segment.offsets, own, view.threads), precision)
        for part, own in zip(view.snapshot.parts, rows, strict=True)
    ]
    place = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    score = _joined(scores, np.float32)
    comparable = score > -np.inf  # a passage without vectors matches nothing
    return _Pool(place[comparable], _joined(rows, np.int64)[comparable], score[comparable])


def _by_part(pool: _Pool, n_parts: int) -> list[NDArray[np.int64]]:
    return [np.sort(pool.row[pool.part == place]) for place in range(n_parts)]


def _joined(arrays: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)


def _documents(pool: _Pool, snapshot: Snapshot, k: int, names: Names) -> list[Scored]:
    """Take the best passage of each document, and the `k` best documents."""
    documents, ordinals = np.empty(len(pool.row), np.int64), np.empty(len(pool.row), np.int64)
    for place, part in enumerate(snapshot.parts):
        own = pool.part == place
        documents[own], ordinals[own] = part.documents[pool.row[own]], part.ordinals[pool.row[own]]
    best = _best_passages(documents, ordinals, pool.score, k)
    ids = names(documents[best].tolist())
    found = [
        Scored(key, ids[key], int(ordinals[i]), int(pool.part[i]), int(pool.row[i]), float(pool.score[i]))
        for i, key in zip(best, documents[best].tolist(), strict=True)
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.document_id))[:k]


def _best_passages(
    documents: NDArray[np.int64], ordinals: NDArray[np.int64], scores: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """Index of the best passage of each of the `k` best documents, and of all that tie with the last of them."""
    order = np.lexsort((ordinals, -scores))  # of equal passages of a document, the first in reading order
    _, first = np.unique(documents[order], return_index=True)
    best: NDArray[np.int64] = order[np.sort(first)]
    if len(best) <= k:
        return best
    n_tied = np.searchsorted(-scores[best], -scores[best[k - 1]], side="right")
    return best[:n_tied]
