"""From a query's text to vectors: one longer than the encoder reads is read in windows, and the best one counts.

A document is worth to a query what it is worth to the window that finds it best (max pooling), so a long question
never loses its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.sentences import sentences
from index.types import Notice
from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.errors import InvalidArgumentError, QueryTooLongError

MAX_QUERY_CHARACTERS = 8192
QUERIES_PER_BATCH = 32
"""Encoded at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of a query that one set of vectors stands for.

    Attributes:
        text: the stretch.
        start: its first code point in the query.
        vectors: ``(n_q, dim)`` float32.
        spans: ``(n_q, 2)``, what each vector stands for in the stretch; None: to be asked of the encoder where needed.
    """

    text: str
    start: int
    vectors: NDArray[np.float32]
    spans: Spans | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A query and its windows, in reading order; most have one, and none where words alone are asked for.

    `encoder` is the fingerprint of the encoder that made the vectors; "" without any.
    """

    text: str
    windows: tuple[Window, ...]
    encoder: str = ""

    def notices(self) -> list[Notice]:
        """Say that the query was split, if it was."""
        if len(self.windows) < 2:
            return []
        message = (
            f"the query is longer than the encoder reads: it was asked in {len(self.windows)} parts, "
            "and a document counts by the part it answers best"
        )
        return [Notice("query_split", message)]


def require_query(text: str) -> None:
    """Refuse what is no query.

    Raises:
        InvalidArgumentError: there is nothing in it.
        QueryTooLongError: it has more than 8,192 characters.
    """
    if not text.strip():
        raise InvalidArgumentError("the query is empty", help="ask a question or give a few words")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise QueryTooLongError(
            f"the query has {len(text):,} characters, and one search takes {MAX_QUERY_CHARACTERS:,}",
            help="ask for a part of it, or index the text as a document",
        )


def by_words(text: str) -> Question:
    """Give a query that no encoder reads."""
    return Question(text, ())


def encode_questions(texts: Sequence[str], encoder: Encoder, *, with_spans: bool = False) -> list[Question]:
    """Encode queries at once, in their order; `with_spans` for whoever shows matches where there is no encoder."""
    pieces = [split(text, encoder) for text in texts]
    vectors = encoder.encode_queries([text[a:b] for text, own in zip(texts, pieces, strict=True) for a, b in own])
    encoded = iter(vectors)

    def window(text: str, start: int) -> Window:
        spans = encoder.query_spans(text) if with_spans else None
        return Window(text, start, next(encoded).astype(np.float32, copy=False), spans)

    return [
        Question(text, tuple(window(text[a:b], a) for a, b in own), encoder.fingerprint)
        for text, own in zip(texts, pieces, strict=True)
    ]


def split(text: str, encoder: Encoder) -> list[tuple[int, int]]:
    """Cut a text that is longer than the encoder reads between sentences, and a sentence that is so between tokens.

    What is asked often stands behind sentences that tell of something else; in a window with these it is worth less.
    Short neighbours share one of half the length that the encoder reads, so windows are never many.
    """
    spans = encoder.token_spans([text])[0]
    if len(spans) <= encoder.max_query_tokens:
        return [(0, len(text))]
    pieces = _sentences(text, spans, encoder.max_query_tokens // 2)
    return [(start + a, start + b) for start, end in pieces for a, b in stretches(text[start:end], encoder)]


def _sentences(text: str, spans: Spans, most: int) -> list[tuple[int, int]]:
    """Cut at the beginnings of sentences; neighbours that have no more than `most` tokens together stay so."""
    begins = [0, *(each.start for each in sentences(text)[1:]), len(text)]
    counts = np.searchsorted(spans[:, 0], begins)  # tokens before each
    cuts = [0]
    for place in range(1, len(begins) - 1):
        if counts[place + 1] - counts[cuts[-1]] > most:
            cuts.append(place)
    return [
        (begins[a], begins[b]) for a, b in pairwise([*cuts, len(begins) - 1]) if text[begins[a] : begins[b]].strip()
    ]


def stretches(text: str, encoder: Encoder) -> list[tuple[int, int]]:
    """Cut a text into as few stretches as the encoder can read whole, about equal, between tokens.

    A stretch alone may have more tokens than it has within the text, so all are counted again.
    """
    limit = encoder.max_query_tokens
    spans = encoder.token_spans([text])[0]
    if len(spans) <= limit:
        return [(0, len(text))]
    n_windows = -(-len(spans) // limit)
    while True:
        pieces = _even(text, spans, n_windows)
        longest = max(len(own) for own in encoder.token_spans([text[a:b] for a, b in pieces]))
        if longest <= limit or n_windows >= len(spans):
            return pieces
        n_windows += 1


def _even(text: str, spans: Spans, n_windows: int) -> list[tuple[int, int]]:
    """Cut between tokens, at the nearest white space before, if a quarter of a window back has some."""
    places = np.linspace(0, len(spans), n_windows + 1).astype(int)[1:-1]
    slack = len(spans) // n_windows // 4
    cuts = [_cut(text, spans, int(place), slack) for place in places]
    return [(a, b) for a, b in pairwise(sorted({0, *cuts, len(text)})) if text[a:b].strip()]


def _cut(text: str, spans: Spans, place: int, slack: int) -> int:
    for earlier in range(place, max(place - slack, 0), -1):
        start = int(spans[earlier, 0])
        if text[start - 1 : start + 1].strip() != text[start - 1 : start + 1]:
            return start
    return int(spans[place, 0])
