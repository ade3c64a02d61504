"""One query against one snapshot: candidates → coarse MaxSim of the promising → all bits of the best, fused with words.

A document counts as its best passage. Everything is deterministic: equal scores are ordered by document id.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.candidates import CANDIDATES
from index.candidates.base import CandidateGenerator
from index.codecs.base import Precision
from index.effort import BUDGETS, FEW_TOKENS, Budget, Effort, pays_to_choose
from index.fusion import WORD_POOL, Evidence, Fusion, fused
from index.lexical.bm25 import WordScores
from index.native.base import Rows
from index.promise import least_promise
from index.shortlist import Shortlist, joined, united, without
from index.snapshot import Snapshot, View
from lfm2_colbert.registry import lookup

Names = Callable[[Iterable[int]], Mapping[int, str]]
"""From document keys to document ids."""
FIRST_ROUND = 3
"""Times the passages wanted from the coarse stage: so many are scored before what the others promise is judged."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A document by its best passage, or a passage: where that lies, the score that orders hits, and the raw one.

    The raw score is MaxSim, or BM25 where words alone were asked for. With words, the other one is a share of what is
    attainable; without, both are the same. `window` is the part of a long query that it was found by.
    """

    document: int
    document_id: str
    ordinal: int
    part: int
    row: int
    score: float
    raw_score: float
    window: int = 0


class Unit(StrEnum):
    """What is ranked: documents by their best passage, or passages."""

    DOCUMENT = "document"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the words of the query are worth in each passage, and how to weigh that."""

    scores: WordScores
    fusion: Fusion


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

    def add(self, other: "Trace") -> None:
        """Add up what another search of the same question did."""
        for stage, count in other.counts.items():
            self.counts[stage] = self.counts.get(stage, 0) + count
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + other.timings_ms[stage]


def search_snapshot(
    query: NDArray[np.float32],
    view: View,
    effort: Effort,
    k: int,
    names: Names,
    candidates: str | None = None,
    words: Words | None = None,
    unit: Unit = Unit.DOCUMENT,
) -> tuple[list[Scored], Trace]:
    """Give the `k` best documents, best first; equal scores in the order of their ids.

    Args:
        query: ``(n_q, dim)`` float32.
        view: what to search.
        effort: how hard to look.
        k: documents wanted.
        names: looks ids up, for the documents that can be among the best alone.
        candidates: name in `CANDIDATES`; None: what costs least. `exact` always looks at every passage.
        words: of the query, to be weighed with its vectors; None: vectors alone.
        unit: whether passages are wanted instead of documents.
    """
    trace, snapshot = Trace(), view.snapshot
    asked = _Asked(view.codec.question(query), len(query), view, words)
    wanted = _Wanted(k, names, unit)
    budget = BUDGETS.get(effort, BUDGETS[Effort.BALANCED]).grown(k, snapshot.n_passages)
    if snapshot.kept:
        budget = budget.behind_filter(snapshot.kept.share)
    shortlist = _generator(snapshot, effort, candidates).candidates(query, view, budget)
    trace.lap("candidates", len(shortlist))
    if effort is Effort.EXACT:
        scored = _score(asked.question, view, shortlist, Precision.FULL)
        trace.lap("fine", len(scored))
        return _best(scored, asked.ranking(scored), snapshot, wanted), trace
    search = _Search(asked, wanted, trace)
    found = search.run(shortlist, budget)
    left_out = len(found) < k and len(shortlist) < snapshot.n_live_passages()
    # A document of very many passages may have taken all candidates.
    if left_out and (unit is Unit.PASSAGE or len(found) < snapshot.n_documents()):
        everything = _generator(snapshot, effort, "exhaustive").candidates(query, view, budget)
        trace.lap("candidates", len(everything))
        found = search.run(everything, budget)
    return found, trace


def search_words(
    scores: WordScores, snapshot: Snapshot, k: int, names: Names, unit: Unit = Unit.DOCUMENT
) -> tuple[list[Scored], Trace]:
    """Give the `k` documents with the best passage by BM25 alone; the score is its share of what is attainable."""
    trace, n_wanted = Trace(), 4 * k
    while True:
        found = scores.best([part.live for part in snapshot.parts], n_wanted)
        share = found.score / np.float32(scores.attainable or 1)
        documents = _best(found, share, snapshot, _Wanted(k, names, unit))
        if len(documents) >= k or len(found) < n_wanted:
            trace.lap("words", len(found))
            return documents, trace
        n_wanted *= 4


def max_pooled(found: Sequence[Sequence[Scored]], k: int, unit: Unit) -> list[Scored]:
    """Give the `k` best by the best of their scores for the windows of a query.

    The `k` best of each window are enough for that: what is among the `k` best by its best window has fewer than `k`
    before it there.

    Args:
        found: the `k` best for each window.
        k: wanted.
        unit: what was ranked.
    """
    if len(found) == 1:
        return list(found[0])
    windows = [[replace(each, window=place) for each in own] for place, own in enumerate(found)]
    best: dict[tuple[int, int], Scored] = {}
    for each in sorted(chain.from_iterable(windows), key=lambda hit: -hit.score):
        best.setdefault((each.document, each.ordinal if unit is Unit.PASSAGE else 0), each)
    return sorted(best.values(), key=_place)[:k]


def _place(hit: Scored) -> tuple[float, str, int]:
    return -hit.score, hit.document_id, hit.ordinal


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """What is wanted of a search: how many of what, and who knows their ids."""

    k: int
    names: Names
    unit: Unit


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A query, and where it is asked."""

    question: Any
    n_vectors: int
    view: View
    words: Words | None

    def pool(self, k: int) -> Shortlist | None:
        """Give the passages that are scored for their words, whatever their centroids promise."""
        if self.words is None:
            return None
        live = [part.live for part in self.view.snapshot.parts]
        return self.words.scores.best(live, max(WORD_POOL, k + k // 4))

    def ranking(self, scored: Shortlist) -> NDArray[np.float32]:
        """Give what orders passages that have their MaxSim."""
        if self.words is None:
            return scored.score
        scores = self.words.scores
        worth = np.zeros(len(scored), np.float32)
        for place, by_row in enumerate(scores.by_part):
            own = scored.part == place
            if by_row is not None:
                worth[own] = by_row[scored.row[own]]
        return fused(Evidence(scored.score, worth, self.n_vectors, scores.attainable, scores.known), self.words.fusion)


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What stays the same while candidates are scored."""

    asked: _Asked
    wanted: _Wanted
    trace: Trace

    def run(self, shortlist: Shortlist, budget: Budget) -> list[Scored]:
        """Score candidates coarsely, the best by all bits; again with more, where one document owns many of these."""
        asked, view = self.asked, self.asked.view
        coarse, pool = shortlist.where(np.zeros(len(shortlist), np.bool_)), asked.pool(self.wanted.k)
        if pool is not None:
            self.trace.lap("words", len(pool))
        while True:
            if len(coarse) < len(shortlist):
                coarse = _score_promising(asked.question, view, shortlist, budget)
            self.trace.lap("coarse", len(coarse))
            chosen = self._chosen(coarse, pool, budget.n_fine)
            scored = _score(asked.question, view, chosen, Precision.FULL)
            found = _best(scored, asked.ranking(scored), view.snapshot, self.wanted)
            self.trace.lap("fine", len(scored))
            if len(found) >= self.wanted.k or len(chosen) >= len(shortlist):
                return found
            budget = replace(budget, n_fine=4 * budget.n_fine)

    def _chosen(self, coarse: Shortlist, pool: Shortlist | None, n: int) -> Shortlist:
        """Choose what gets MaxSim over all bits: the `n` best by what orders hits, with MaxSim as the coarse codes say.

        Of ranks the coarse ones say too little: fused by these, all that words bring is chosen.
        """
        if pool is None or self.asked.words is None:
            return coarse.best(n)
        if self.asked.words.fusion is Fusion.RRF:
            return united(coarse.best(n), pool)
        brought = _score(self.asked.question, self.asked.view, without(pool, coarse), Precision.COARSE)
        known = joined([coarse, brought])
        self.trace.lap("coarse", len(known))
        return replace(known, score=self.asked.ranking(known)).best(n)


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


def _best(shortlist: Shortlist, ranking: NDArray[np.float32], snapshot: Snapshot, wanted: _Wanted) -> list[Scored]:
    """Take the best passage of each document, or all passages, and the best of these; no vectors match nothing.

    Args:
        shortlist: passages with their raw scores.
        ranking: ``(n,)``, what orders them; −inf for what must not be found.
        snapshot: where they lie.
        wanted: how many of what.
    """
    is_found = ranking > -np.inf
    shortlist, ranking = shortlist.where(is_found), ranking[is_found]
    documents, ordinals = np.empty(len(shortlist), np.int64), np.empty(len(shortlist), np.int64)
    for place, part in enumerate(snapshot.parts):
        own = shortlist.part == place
        documents[own], ordinals[own] = part.documents[shortlist.row[own]], part.ordinals[shortlist.row[own]]
    order = np.lexsort((ordinals, -ranking))  # of equal passages of a document, the first in reading order
    if wanted.unit is Unit.DOCUMENT:
        order = _first_of_each(documents, order)
    best = _tied(order, ranking, wanted.k)
    ids, chosen = wanted.names(documents[best].tolist()), shortlist.where(best)
    found = [
        Scored(key, ids[key], ordinal, part, row, score, raw_score)
        for key, ordinal, part, row, score, raw_score in zip(
            documents[best].tolist(), ordinals[best].tolist(), chosen.part.tolist(), chosen.row.tolist(),
            ranking[best].tolist(), chosen.score.tolist(), strict=True,
        )
    ]  # fmt: skip
    return sorted(found, key=_place)[: wanted.k]


def _first_of_each(documents: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep of an order the first passage of each document."""
    _, first = np.unique(documents[order], return_index=True)
    kept: NDArray[np.int64] = order[np.sort(first)]
    return kept


def _tied(order: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Keep the `k` first of a falling order, and all that tie with the last of them."""
    if len(order) <= k:
        return order
    n_tied = np.searchsorted(-scores[order], -scores[order[k - 1]], side="right")
    return order[:n_tied]
