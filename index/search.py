"""One query's vectors against one snapshot: candidates → coarse MaxSim of the promising → all bits of the best.

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
from index.codecs.base import Precision
from index.effort import BUDGETS, FEW_TOKENS, Budget, Effort, pays_to_choose
from index.native.base import Rows
from index.promise import least_promise
from index.shortlist import Shortlist, joined
from index.snapshot import Snapshot, View
from lfm2_colbert.registry import lookup

Names = Callable[[Iterable[int]], Mapping[int, str]]
"""From document keys to document ids."""
FIRST_ROUND = 3
"""Times the passages wanted from the coarse stage: so many are scored before what the others promise is judged."""


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
        """End a stage, or its last turn."""
        now = time.perf_counter()
        self.counts[stage] = count
        self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + (now - self.last) * 1000
        self.last = now


def search_snapshot(
    query: NDArray[np.float32], view: View, effort: Effort, k: int, names: Names, candidates: str | None = None
) -> tuple[list[Scored], Trace]:
    """Give the `k` best documents, best first; equal scores in the order of their ids.

    Args:
        query: ``(n_q, dim)`` float32.
        view: what to search.
        effort: how hard to look.
        k: documents wanted.
        names: looks ids up, for the documents that can be among the best alone.
        candidates: name in `CANDIDATES`; None: what costs least. `exact` always looks at every passage.
    """
    trace, snapshot = Trace(), view.snapshot
    question = view.codec.question(query)
    budget = BUDGETS.get(effort, BUDGETS[Effort.BALANCED]).grown(k, snapshot.n_passages)
    if snapshot.kept:
        budget = budget.behind_filter(snapshot.kept.share)
    shortlist = _generator(snapshot, effort, candidates).candidates(query, view, budget)
    trace.lap("candidates", len(shortlist))
    if effort is Effort.EXACT:
        scored = _score(question, view, shortlist, Precision.FULL)
        trace.lap("fine", len(scored))
        return _documents(scored, snapshot, k, names), trace
    search = _Search(question, view, k, names, trace)
    found = search.run(shortlist, budget)
    left_out = len(found) < k and len(shortlist) < snapshot.n_live_passages()
    if left_out and len(found) < snapshot.n_documents():  # a document of very many passages took all candidates
        everything = _generator(snapshot, effort, "exhaustive").candidates(query, view, budget)
        trace.lap("candidates", len(everything))
        found = search.run(everything, budget)
    return found, trace


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What stays the same while candidates are scored."""

    question: Any
    view: View
    k: int
    names: Names
    trace: Trace

    def run(self, shortlist: Shortlist, budget: Budget) -> list[Scored]:
        """Score candidates coarsely, the best by all bits; again with more, where one document owns many of these."""
        coarse = shortlist.where(np.zeros(len(shortlist), np.bool_))
        while True:
            if len(coarse) < len(shortlist):
                coarse = _score_promising(self.question, self.view, shortlist, budget)
            self.trace.lap("coarse", len(coarse))
            chosen = coarse.best(budget.n_fine)
            scored = _score(self.question, self.view, chosen, Precision.FULL)
            found = _documents(scored, self.view.snapshot, self.k, self.names)
            self.trace.lap("fine", len(chosen))
            if len(found) >= self.k or len(chosen) == len(shortlist):
                return found
            budget = replace(budget, n_fine=4 * budget.n_fine)


def _generator(snapshot: Snapshot, effort: Effort, wanted: str | None) -> CandidateGenerator:
    few = snapshot.kept is not None and snapshot.kept.n_tokens <= FEW_TOKENS
    choosing = snapshot.codebook is not None and pays_to_choose(snapshot.n_tokens) and not few
    name = "exhaustive" if effort is Effort.EXACT else wanted or ("centroids" if choosing else "exhaustive")
    made: CandidateGenerator = lookup(CANDIDATES, name, "candidate generator")()
    return made


def _score_promising(question: Any, view: View, shortlist: Shortlist, budget: Budget) -> Shortlist:
    """Score the most promising passages coarsely, then those of the others that can come among the best yet."""
    ranked = shortlist.where(np.isfinite(shortlist.score))
    least = ranked.least_of_best(FIRST_ROUND * budget.n_fine)
    first = shortlist.where(shortlist.score >= least)
    scored = _score(question, view, first, Precision.COARSE)
    if len(first) == len(shortlist):
        return scored
    enough = least_promise(first.score, scored.score, budget.n_fine, budget.margin)
    rest = shortlist.where((shortlist.score < least) & (shortlist.score >= enough))
    return joined([scored, _score(question, view, rest, Precision.COARSE)])


def _score(question: Any, view: View, shortlist: Shortlist, precision: Precision) -> Shortlist:
    """Give the same passages with their MaxSim; −inf without vectors."""
    scores = []
    for place, part in enumerate(view.snapshot.parts):
        rows = Rows(part.segment.offsets, shortlist.rows_of(place), view.threads)
        scores.append(view.codec.scores(question, part.segment.arrays, rows, precision))
    return replace(shortlist, score=np.concatenate(scores) if scores else shortlist.score)


def _documents(shortlist: Shortlist, snapshot: Snapshot, k: int, names: Names) -> list[Scored]:
    """Take the best passage of each document, and the `k` best documents; what has no vectors matches nothing."""
    shortlist = shortlist.where(shortlist.score > -np.inf)
    documents, ordinals = np.empty(len(shortlist), np.int64), np.empty(len(shortlist), np.int64)
    for place, part in enumerate(snapshot.parts):
        own = shortlist.part == place
        documents[own], ordinals[own] = part.documents[shortlist.row[own]], part.ordinals[shortlist.row[own]]
    best = _best_passages(documents, ordinals, shortlist.score, k)
    ids, chosen = names(documents[best].tolist()), shortlist.where(best)
    found = [
        Scored(key, ids[key], ordinal, part, row, score)
        for key, ordinal, part, row, score in zip(
            documents[best].tolist(), ordinals[best].tolist(), chosen.part.tolist(), chosen.row.tolist(),
            chosen.score.tolist(), strict=True,
        )
    ]  # fmt: skip
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
