"""Why a passage matched: query token → best passage token → stretches of text a person can look at.

The same dot products that make up MaxSim are read the other way round, so the explanation is the score, not a guess
about it. All passages of a page are explained at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.characters import PATTERNS, Bounds, Characters, Kind
from index.types import Highlight, Match, Span
from lfm2_colbert.encoders.base import Spans

LEAST_SHARE = 0.75
"""A query token is shown as matched from this share of the passage's best match on. Below it MaxSim still adds up the
nearest token there is, which tells a reader nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class AskedTokens:
    """The tokens of a query that a person can look at: those that hold a letter, digit or symbol.

    Attributes:
        vectors: ``(n, dim)`` float32.
        bounds: ``(n, 2)``, the encoder's, code points into `text`.
        text: of the query, or a stretch of it.
        start: of the stretch in the query.
    """

    vectors: NDArray[np.float32]
    bounds: Bounds
    text: str
    start: int

    @classmethod
    def of(cls, vectors: NDArray[np.float32], spans: Spans, text: str, start: int = 0) -> "AskedTokens":
        """Choose them.

        Args:
            vectors: ``(n_q, dim)`` float32.
            spans: ``(n_q, 2)``, code points into `text`; (-1, -1) for vectors without text, which are left out.
            text: of the query, or a stretch of it.
            start: of the stretch, added to all spans.
        """
        asked = [place for place, span in enumerate(spans.tolist()) if _is_visible(text, *span)]
        return cls(vectors[asked], spans[asked], text, start)

    def spans(self) -> list[Span]:
        """Give what a person is shown of each: whole clusters, as the query counts."""
        characters = Characters.of([self.text])
        whole = characters.whole(self.bounds + characters.starts) - characters.starts + self.start
        return [Span(*own) for own in whole.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class PassageTokens:
    """A passage held against the tokens of a query.

    Attributes:
        text: the passage.
        start: its first code point in the document.
        cosines: ``(n_asked, n_d)`` float32, of each asked token with each of the passage.
        spans: ``(n_d, 2)``, code points into `text`; (-1, -1) for vectors without text.
    """

    text: str
    start: int
    cosines: NDArray[np.float32]
    spans: Spans


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a passage matched; all spans but those of the query count in the document.

    Attributes:
        matches: in the order of the query, scores are cosines.
        highlights: the words that the strong ones add up to, in reading order and without overlap.
    """

    matches: tuple[Match, ...] = ()
    highlights: tuple[Highlight, ...] = ()


Stretch = tuple[int, int, float]
"""Start and end in a passage's text, and a score."""


def explain(asked: AskedTokens, passages: Sequence[PassageTokens], *, with_matches: bool) -> list[Explained]:
    """Align each token of a query with its best visible token of each passage.

    Args:
        asked: of the query.
        passages: of a page.
        with_matches: whether all matches are wanted; else there are highlights alone.

    Returns:
        For each passage; nothing where it has no visible token, or the query none.
    """
    if not len(asked.bounds) or not sum(len(each.spans) for each in passages):
        return [Explained()] * len(passages)
    aligned = _aligned(passages)
    strong = aligned.scores >= LEAST_SHARE * np.maximum(aligned.scores.max(axis=1, keepdims=True), 0)
    shown = aligned.scores > -np.inf
    highlights = [
        joined((word for _, word in words), each.text, each.start)
        for words, each in zip(aligned.stretches(strong & shown, as_words=True), passages, strict=True)
    ]
    if not with_matches:
        return [Explained((), own) for own in highlights]
    spans = asked.spans()
    matches = [
        tuple(Match(spans[number], Span(start, end).moved(each.start), score) for number, (start, end, score) in tokens)
        for tokens, each in zip(aligned.stretches(shown), passages, strict=True)
    ]
    return [Explained(*both) for both in zip(matches, highlights, strict=True)]


def highlight(matches: Sequence[Match], text: str, start: int) -> tuple[Highlight, ...]:
    """Join matches that are all strong to whole words, in reading order and without overlap.

    Args:
        matches: their passages' spans count in the document.
        text: of the passage.
        start: of the passage in the document.
    """
    characters = Characters.of([text])
    bounds = np.array([(each.passage.start, each.passage.end) for each in matches], np.int64).reshape(-1, 2)
    words = characters.words(bounds - start + characters.starts) - characters.starts
    scores = [each.score for each in matches]
    return joined([(*word, score) for word, score in zip(words.tolist(), scores, strict=True)], text, start)


def joined(words: Iterable[Stretch], text: str, start: int) -> tuple[Highlight, ...]:
    """Join words that overlap, or have nothing but white space between them; `start` is that of the text."""
    merged: list[Stretch] = []
    for first, end, score in sorted(words):
        if merged and (first <= merged[-1][1] or text[merged[-1][1] : first].isspace()):
            before, last, best = merged.pop()
            merged.append((before, max(last, end), max(best, score)))
        else:
            merged.append((first, end, score))
    return tuple(Highlight(start + first, start + end, score) for first, end, score in merged)


@dataclass(frozen=True, slots=True, eq=False)
class _Aligned:
    """The best visible token of each passage for each of the query, ``(n_passages, n_asked)``.

    Attributes:
        best: number of the token among those of all passages.
        scores: float64, its cosine; -inf where a passage has no visible token.
        bounds: ``(n_tokens, 2)``, of all tokens among all characters.
        characters: of all passages.
    """

    best: NDArray[np.intp]
    scores: NDArray[np.float64]
    bounds: Bounds
    characters: Characters

    def stretches(self, chosen: NDArray[np.bool_], *, as_words: bool = False) -> list[list[tuple[int, Stretch]]]:
        """Give what some of the query's tokens found in each passage, beside their numbers."""
        rows, numbers = np.nonzero(chosen)
        tokens, places = np.unique(self.best[rows, numbers], return_inverse=True)
        bounds = self.characters.whole(self.bounds[tokens])
        bounds = (self.characters.words(bounds) if as_words else bounds)[places]
        local = bounds - self.characters.starts[rows][:, None]
        found: list[list[tuple[int, Stretch]]] = [[] for _ in chosen]
        each = (rows.tolist(), numbers.tolist(), local.tolist(), self.scores[rows, numbers].tolist())
        for row, number, (start, end), score in zip(*each, strict=True):
            found[row].append((number, (start, end, score)))
        return found


def _aligned(passages: Sequence[PassageTokens]) -> _Aligned:
    characters = Characters.of([each.text for each in passages])
    spans = np.concatenate([each.spans for each in passages])
    lengths = np.array([len(each.spans) for each in passages])
    bounds = spans + np.repeat(characters.starts, lengths)[:, None]
    visible = (spans[:, 0] >= 0) & characters.have(Kind.VISIBLE, bounds)
    cosines = np.where(visible, np.concatenate([each.cosines for each in passages], axis=1), np.float32(-np.inf))
    best, end = np.zeros((len(passages), len(cosines)), np.intp), 0
    for number in np.flatnonzero(lengths).tolist():
        start, end = end, end + int(lengths[number])
        best[number] = start + cosines[:, start:end].argmax(axis=1)
    scores = np.where(lengths[:, None] > 0, cosines[np.arange(len(cosines)), best], -np.inf)
    return _Aligned(best, scores.astype(np.float64), bounds, characters)


def _is_visible(text: str, start: int, end: int) -> bool:
    return start >= 0 and PATTERNS[Kind.VISIBLE].search(text, start, end) is not None
