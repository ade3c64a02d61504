"""From a scored passage to what a person or program is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.explain import AskedTokens, highlight, match_tokens
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


def make_hit(
    rank: int, scored: Scored, score: float, stored: StoredPassage, matches: tuple[Match, ...], *, explain: bool
) -> Hit:
    """Put a hit together, its score within 0..1; `matches` count from the passage's start, hits from the document's.

    The hit has matches where it is to be explained, and always the words that they add up to.
    """
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
        matches=tuple(Match(m.query, m.passage.moved(start), m.score) for m in matches) if explain else (),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PassageCosines:
    """How near a stored passage's vectors are to the tokens of a query.

    Attributes:
        cosines: ``(n_asked, n)`` float32.
        places: ``(n,)``, the place in the passage of the encoder's token that each vector stands for.
        pool: factor of the collection.
    """

    cosines: NDArray[np.float32]
    places: NDArray[np.intp]
    pool: int


def asked_tokens(window: Window, spans: Spans) -> AskedTokens:
    """Give the tokens of a query's window by the encoder's `spans` of its text.

    Vectors that somebody else computed need not stand for this encoder's tokens; then there is nothing to show.
    """
    if len(spans) != len(window.vectors):
        return AskedTokens(window.vectors[:0], ())
    return AskedTokens.of(window.vectors, spans, window.text, window.start)


def explain_hit(
    asked: AskedTokens, spans: Spans, text: str, passage: PassageCosines, least_share: float = 0.0
) -> tuple[Match, ...]:
    """Align a query with a passage's text; a pooled vector is shown as the one token it stands for.

    Vectors of a passage that somebody else computed need not stand for this encoder's tokens, either.

    Args:
        asked: of the query.
        spans: the encoder's, of `text`.
        text: of the passage.
        passage: as it is stored, held against the query.
        least_share: as in `match_tokens`.
    """
    foreign = len(passage.places) != pooled_count(len(spans), passage.pool)
    if foreign or passage.places.max(initial=-1) >= len(spans):
        return ()
    return match_tokens(asked, passage.cosines, spans[passage.places], text, least_share)
