"""From a scored passage to what a person or program is shown."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.explain import highlight, match_tokens
from index.fusion import Mode
from index.pooling import pooled_count
from index.queries import Window
from index.records import StoredPassage
from index.search import Scored
from index.types import Highlight, Hit, Match, Notice, Span
from lfm2_colbert.encoders.base import Spans

UNCALIBRATED = "score_uncalibrated"
MEANING_OF_SCORE = {
    Mode.SEMANTIC: "score is MaxSim per query vector",
    Mode.HYBRID: "score is MaxSim per query vector and the share of BM25 that the words attain, weighed together",
    Mode.LEXICAL: "score is the share of BM25 that the words attain, raw_score is BM25",
}


def uncalibrated(mode: Mode) -> Notice:
    """Say what a score is, as long as it is no calibrated probability."""
    return Notice(UNCALIBRATED, f"{MEANING_OF_SCORE[mode]}, no calibrated probability")


def make_hit(rank: int, scored: Scored, score: float, stored: StoredPassage, matches: tuple[Match, ...]) -> Hit:
    """Put a hit together, its score within 0..1; `matches` count from the passage's start, hits from the document's."""
    start = stored.passage.start
    words = highlight(matches, stored.text)
    return Hit(
        rank=rank,
        document_id=stored.document_id,
        passage=scored.ordinal,
        score=min(max(score, 0.0), 1.0),
        raw_score=scored.raw_score,
        text=stored.text,
        span=Span(start, stored.passage.end),
        language=stored.passage.language,
        metadata=stored.metadata,
        highlights=tuple(Highlight(start + h.start, start + h.end, h.score) for h in words),
        anchor=stored.anchor,
        matches=tuple(Match(m.query, Span(start + m.passage.start, start + m.passage.end), m.score) for m in matches),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PassageVectors:
    """A passage as it is stored.

    Attributes:
        vectors: ``(n, dim)`` float32.
        places: ``(n,)``, the place in the passage of the encoder's token that each vector stands for.
        pool: factor of the collection.
    """

    vectors: NDArray[np.float32]
    places: NDArray[np.intp]
    pool: int


def explain_hit(
    window: Window, query_spans: Spans, spans: Spans, text: str, passage: PassageVectors, least_share: float = 0.0
) -> tuple[Match, ...]:
    """Align a window of a query with a passage's text; a pooled vector is shown as the one token it stands for.

    Vectors that somebody else computed need not stand for this encoder's tokens; then there is nothing to show.

    Args:
        window: of the query.
        query_spans: the encoder's, of the window's text.
        spans: the encoder's, of `text`.
        text: of the passage.
        passage: as it is stored.
        least_share: as in `match_tokens`.
    """
    n_vectors = len(passage.vectors)
    foreign = n_vectors != pooled_count(len(spans), passage.pool) or passage.places.max(initial=-1) >= len(spans)
    if foreign or len(query_spans) != len(window.vectors):
        return ()
    shown = spans[passage.places]
    matches = match_tokens(window.vectors, query_spans, window.text, passage.vectors, shown, text, least_share)
    return tuple(replace(match, query=_moved(match.query, window.start)) for match in matches)


def _moved(span: Span, start: int) -> Span:
    return Span(start + span.start, start + span.end)
