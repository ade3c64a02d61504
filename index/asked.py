"""One question asked of one state: its ranking, searched as deep as pages reach, and what is shown of that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from index.effort import Effort
from index.fusion import Fusion, Mode
from index.lexical.analysis import query_terms
from index.lexical.bm25 import WordScores, score_terms
from index.paging import Listing, Ranking
from index.queries import Question, Window
from index.request import Request
from index.search import Names, Scored, Trace, Unit, Words, max_pooled, search_snapshot, search_words
from index.snapshot import Snapshot, View

BALANCED_HEAD = 250
"""Depth of the first step where languages take turns in blocks of 200."""
GROUPED_HEAD = 4
"""Times the first page that is looked at first where not every match is shown."""
OnSearched = Callable[[NDArray[np.float32], View, Effort, Words | None, Sequence[Scored]], None]
"""Told of each search by vectors and what it found."""


@dataclass(slots=True, eq=False)
class Asked:
    """A question, and the state that answers it.

    Attributes:
        question: encoded, unless words alone are asked for.
        request: what is wanted.
        snapshot: the state, or what a filter leaves of it.
        view: the same with its codec; None where there are no vectors, or they are not asked for.
        names: looks ids of documents up.
        scores: of the words; None where they are not asked for.
        on_searched: told of each search by vectors.
        trace: what was done for the present page.
    """

    question: Question
    request: Request
    snapshot: Snapshot
    view: View | None
    names: Names
    scores: WordScores | None
    on_searched: OnSearched
    trace: Trace = field(default_factory=Trace)

    def listing(self, head: int) -> Listing:
        """Give the hits, page by page; the first page has `head`."""
        options, unit = self.request.options, self.request.unit
        if options.lang_balance:
            head = max(head, BALANCED_HEAD)
        elif options.collapse is not None or unit is Unit.PASSAGE:
            head *= GROUPED_HEAD
        return Listing(Ranking(self.best, head, unit is Unit.PASSAGE), options)

    def best(self, k: int) -> list[Scored]:
        """Search for the `k` best."""
        if self.request.mode == Mode.LEXICAL and self.scores is not None:
            found, trace = search_words(self.scores, self.snapshot, k, self.names, self.request.unit)
            self.trace.add(trace)
            return found
        return max_pooled([self._of_window(window, k) for window in self.question.windows], k, self.request.unit)

    def _of_window(self, window: Window, k: int) -> list[Scored]:
        if self.view is None:
            return []
        request = self.request
        words = None if self.scores is None else Words(self.scores, Fusion(request.fusion))
        found, trace = search_snapshot(
            window.vectors, self.view, Effort(request.effort), k, self.names, words=words, unit=request.unit
        )
        self.trace.add(trace)
        self.on_searched(window.vectors, self.view, Effort(request.effort), words, found)
        return found if words else [_by_vector(each, len(window.vectors)) for each in found]


def _by_vector(scored: Scored, n_vectors: int) -> Scored:
    """Order by MaxSim per query vector, so that a longer window of a query is worth no more than a shorter one."""
    return replace(scored, score=scored.raw_score / n_vectors)


def word_scores(text: str, snapshot: Snapshot) -> WordScores:
    """Score all passages by the words of a whole question."""
    return score_terms(query_terms(text), [part.words for part in snapshot.parts])
