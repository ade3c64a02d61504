"""A passage cut into stretches, each with the words of the query that were found there."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from index.characters import PATTERNS, Kind
from index.types import Hit, Match, Span

LEVELS = 5
"""Of how well a word was found: a class of the style sheet for each."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the query, as it stands there; `number` counts from 0 over all hits of a page."""

    number: int
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a passage.

    Attributes:
        text: of the stretch.
        words: numbers of the words of the query whose best token lies in it.
        level: 1 to `LEVELS`, of the best cosine; 0 where no word was found.
        strong: whether a reader should see it without pointing at anything.
    """

    text: str
    words: tuple[int, ...] = ()
    level: int = 0
    strong: bool = False


def words_of(query: str, hits: Sequence[Hit]) -> list[Word]:
    """Name the words of a query that any hit aligns, in their order; pieces of one word are joined to it.

    Where a script sets no spaces, a piece is a word.
    """
    spans: list[Span] = []
    for span in sorted({match.query for hit in hits for match in hit.matches}, key=lambda each: (each.start, each.end)):
        if spans and _go_together(query, spans[-1], span):
            spans[-1] = Span(spans[-1].start, max(span.end, spans[-1].end))
        else:
            spans.append(span)
    return [Word(number, query[span.start : span.end], span) for number, span in enumerate(spans)]


def _go_together(query: str, before: Span, span: Span) -> bool:
    if span.start < before.end:
        return True
    letters = query[before.end - 1 : before.end], query[span.start : span.start + 1]
    return span.start == before.end and all(PATTERNS[Kind.SPACED].match(letter) for letter in letters)


def segments_of(hit: Hit, words: Sequence[Word]) -> list[Segment]:
    """Cut the passage of a hit wherever a match or highlight begins or ends; joined, the segments are its text."""
    start = hit.span.start
    marks = [(each.start - start, each.end - start) for each in hit.highlights]
    found = [(m.passage.start - start, m.passage.end - start, _word(m, words), m.score) for m in hit.matches]
    edges = {0, len(hit.text), *(edge for mark in marks for edge in mark), *(edge for f in found for edge in f[:2])}
    cuts = sorted(edge for edge in edges if 0 <= edge <= len(hit.text))
    return [_segment(hit.text, a, b, marks, found) for a, b in pairwise(cuts)]


def _word(match: Match, words: Sequence[Word]) -> int:
    return next(
        each.number for each in words if each.span.start <= match.query.start < max(each.span.end, each.span.start + 1)
    )


def level_of(score: float) -> int:
    """Give the class of a cosine."""
    return min(max(int(score * LEVELS) + 1, 1), LEVELS)


def text_of(match: Match, hit: Hit) -> str:
    """Give the token of the passage that a word found."""
    return hit.text[match.passage.start - hit.span.start : match.passage.end - hit.span.start]


def _segment(
    text: str, a: int, b: int, marks: Sequence[tuple[int, int]], found: Sequence[tuple[int, int, int, float]]
) -> Segment:
    here = [(number, score) for start, end, number, score in found if start <= a and b <= end]
    words = tuple(sorted({number for number, _ in here}))
    level = level_of(max((score for _, score in here), default=0.0)) if here else 0
    return Segment(text[a:b], words, level, any(start <= a and b <= end for start, end in marks))
