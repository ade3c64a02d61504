"""Texts that somebody else found, put in the order in which they answer a query; nothing is stored.

The same passages, windows and MaxSim as in a collection, but from vectors as the encoder gives them: no codes, no
candidates, no words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.chunking import chunk
from index.explain import PassageTokens, explain
from index.hits import asked_tokens
from index.maxsim import maxsim
from index.pooling import spans_of_vectors
from index.queries import Question, Window, encode_questions, require_query
from index.scoring import products
from index.types import Highlight, Passage
from index.types import Ranked as Ranked
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import InvalidArgumentError

PASSAGES_PER_ENCODING = 256
"""Encoded at once, so that vectors of no more passages than these, and of the best of each text, are in memory."""
NOT_POOLED = 1


def rerank(query: str, texts: Sequence[str], encoder: Encoder, *, top_n: int | None = None) -> list[Ranked]:
    """Order texts by how well they answer a query.

    A text is cut into passages as in an index, and counts by its best one; a query longer than the encoder reads is cut
    into windows, and a passage counts by the one it answers best.

    Args:
        query: a question or some words, in any language.
        texts: of any length; one with nothing but white space comes last.
        encoder: reads both.
        top_n: how many to give at most; None: all.

    Returns:
        The best first; of equals, the earlier text.

    Raises:
        InvalidArgumentError: the query is empty, or `top_n` below 1.
        QueryTooLongError: the query has more than 8,192 characters.

    Example:
        >>> from lfm2_colbert import load_encoder
        >>> found = rerank("red fox", ["A hare.", "The red fox sleeps."], load_encoder("hashing"), top_n=1)
        >>> [(each.index, each.highlights[0].start, each.highlights[0].end) for each in found]
        [(1, 4, 11)]
    """
    require_query(query)
    if top_n is not None and top_n < 1:
        raise InvalidArgumentError(f"top_n must be at least 1, not {top_n}", help="leave it out for all texts")
    (question,) = encode_questions([query], encoder)
    best: list[_Found | None] = [None] * len(texts)
    for place, found in _each_passage(question, texts, encoder):
        if found.score > _worth(best[place]):
            best[place] = found
    order = sorted(range(len(texts)), key=lambda place: -_worth(best[place]))
    return [_ranked(place, texts[place], best[place], encoder) for place in order[:top_n]]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A passage and the window of the query that it answers best.

    Attributes:
        passage: its place in the text.
        vectors: ``(n_d, dim)`` float32.
        window: of the query.
        raw_score: MaxSim of both.
    """

    passage: Passage
    vectors: NDArray[np.float32]
    window: Window
    raw_score: float

    @property
    def score(self) -> float:
        """MaxSim per vector of the query, so that a longer window is worth no more than a shorter one."""
        return self.raw_score / len(self.window.vectors)


def _each_passage(question: Question, texts: Sequence[str], encoder: Encoder) -> Iterator[tuple[int, _Found]]:
    """Score all passages of all texts, each with the place of its text; −inf where an encoder gives no vectors."""
    passages = [(place, passage) for place, text in enumerate(texts) for passage in chunk(text, encoder)]
    for start in range(0, len(passages), PASSAGES_PER_ENCODING):
        part = passages[start : start + PASSAGES_PER_ENCODING]
        encoded = encoder.encode_documents([texts[place][own.start : own.end] for place, own in part])
        for (place, passage), vectors in zip(part, encoded, strict=True):
            yield place, _found(question, passage, vectors.astype(np.float32))


def _found(question: Question, passage: Passage, vectors: NDArray[np.float32]) -> _Found:
    asked = (_Found(passage, vectors, each, maxsim(each.vectors, vectors)) for each in question.windows)
    return max(asked, key=lambda found: found.score)


def _worth(found: _Found | None) -> float:
    """Give what texts are ordered by: below everything for one without a passage, though it is shown as 0."""
    return float("-inf") if found is None else found.score


def _ranked(place: int, text: str, found: _Found | None, encoder: Encoder) -> Ranked:
    if found is None:
        return Ranked(place, 0.0, 0.0, ())
    return Ranked(place, min(max(found.score, 0.0), 1.0), found.raw_score, _highlights(text, found, encoder))


def _highlights(text: str, found: _Found, encoder: Encoder) -> tuple[Highlight, ...]:
    start, end = found.passage.start, found.passage.end
    passage = text[start:end]
    asked = asked_tokens(found.window, encoder.query_spans(found.window.text))
    spans = spans_of_vectors(encoder.document_spans(passage), np.arange(len(found.vectors)), NOT_POOLED)
    if spans is None:
        return ()
    tokens = PassageTokens(passage, start, products(asked.vectors, found.vectors), spans)
    (why,) = explain(asked, [tokens], with_matches=False)
    return why.highlights
