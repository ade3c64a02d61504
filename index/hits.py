"""From a scored passage to what a person or program is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.explain import highlight, match_tokens
from index.fusion import Mode
from index.pooling import pooled_count
from index.records import StoredPassage
from index.search import Scored
from index.types import Highlight, Hit, Match, Notice, Span
from lfm2_colbert.encoders.base import Encoder

UNCALIBRATED = "score_uncalibrated"
MEANING_OF_SCORE = {
    Mode.SEMANTIC: "score is MaxSim per query vector",
    Mode.HYBRID: "score is MaxSim per query vector and the share of BM25 that the words attain, weighed together",
    Mode.LEXICAL: "score is the share of BM25 that the words attain, raw_score is BM25",
}


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A query and its vectors, ``(n_q, dim)`` float32."""

    text: str
    vectors: NDArray[np.float32]


def uncalibrated(mode: Mode) -> Notice:
    """Say what a score is, as long as it is no calibrated probability."""
    return Notice(UNCALIBRATED, f"{MEANING_OF_SCORE[mode]}, not yet a calibrated probability")


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


def explain_hit(question: Question, encoder: Encoder, text: str, passage: PassageVectors) -> tuple[Match, ...]:
    """Align the query with a passage's text; a pooled vector is shown as the one token it stands for.

    Vectors that somebody else computed need not stand for this encoder's tokens; then there is nothing to show.
    """
    spans = encoder.document_spans(text)
    query_spans = encoder.query_spans(question.text)
    n_vectors = len(passage.vectors)
    foreign = n_vectors != pooled_count(len(spans), passage.pool) or passage.places.max(initial=-1) >= len(spans)
    if foreign or len(query_spans) != len(question.vectors):
        return ()
    shown = spans[passage.places]
    return match_tokens(question.vectors, query_spans, question.text, passage.vectors, shown, text)


def query_notices(query: str, encoder: Encoder) -> list[Notice]:
    """Say what of a query the encoder could not read."""
    spans = encoder.token_spans([query])[0]
    kept = encoder.max_query_tokens
    if len(spans) <= kept:
        return []
    dropped = query[spans[kept, 0] :].strip()
    return [
        Notice("query_truncated", f"the encoder reads {kept} of the query's {len(spans)} tokens; left out: {dropped!r}")
    ]
