"""From a scored passage to what a person or program is shown."""

from index.explain import AskedTokens, Explained
from index.fusion import Mode
from index.queries import Window
from index.records import StoredPassage
from index.search import Scored
from index.types import Hit, Notice, Span
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


def make_hit(rank: int, scored: Scored, score: float, stored: StoredPassage, why: Explained) -> Hit:
    """Put a hit together, its score within 0..1."""
    return Hit(
        rank=rank,
        document_id=stored.document_id,
        passage=scored.ordinal,
        score=min(max(score, 0.0), 1.0),
        raw_score=scored.raw_score,
        text=stored.text,
        span=Span(stored.passage.start, stored.passage.end),
        language=stored.passage.language,
        metadata=stored.metadata,
        highlights=why.highlights,
        anchor=stored.anchor,
        matches=why.matches,
    )


def asked_tokens(window: Window, spans: Spans) -> AskedTokens:
    """Give the tokens of a query's window by the encoder's `spans` of its text.

    Vectors that somebody else computed need not stand for this encoder's tokens; then there is nothing to show.
    """
    if len(spans) != len(window.vectors):
        return AskedTokens(window.vectors[:0], spans[:0], window.text, window.start)
    return AskedTokens.of(window.vectors, spans, window.text, window.start)
