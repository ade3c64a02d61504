"""Why a passage matched: query token → best passage token → stretches of text a person can look at.

The same dot products that make up MaxSim are read the other way round, so the explanation is the score, not a guess
about it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray

from index.types import Highlight, Match, Span
from lfm2_colbert.encoders.base import Spans

VISIBLE = regex.compile(r"[\p{L}\p{N}\p{So}]")
GRAPHEME = regex.compile(r"\X")
# Letters of scripts that set spaces between words; in the others a token is shown as it is.
SPACED = regex.compile(
    r"[\p{L}\p{M}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hangul}]]", regex.V1
)
PLAIN = regex.compile(
    r"[\x20-\x7e\u00a1-\u00ac\u00b0-\u02ff\u0391-\u03ff\u0410-\u044f\u05d0-\u05ea\u0620-\u064a\u0671-\u06d3"
    r"\u0e01-\u0e30\u0e32\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]{2}"
)
"""Two characters of which neither begins, joins nor ends a cluster of several."""
LEAST_FINITE = float(np.finfo(np.float32).min)
LEAST_SHARE = 0.75
"""A query token is shown as matched from this share of the passage's best match on. Below it MaxSim still adds up the
nearest token there is, which tells a reader nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class AskedTokens:
    """The tokens of a query that a person can look at: those that hold a letter, digit or symbol.

    Attributes:
        vectors: ``(n, dim)`` float32.
        spans: of each, code points on grapheme boundaries.
    """

    vectors: NDArray[np.float32]
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, vectors: NDArray[np.float32], spans: Spans, text: str, start: int = 0) -> "AskedTokens":
        """Choose them.

        Args:
            vectors: ``(n_q, dim)`` float32.
            spans: ``(n_q, 2)``, code points into `text`; (-1, -1) for vectors without text, which are left out.
            text: of the query, or a stretch of it.
            start: of the stretch, added to all spans.
        """
        places = spans.tolist()
        asked = [i for i, span in enumerate(places) if _is_visible(text, span)]
        return cls(vectors[asked], tuple(_whole_graphemes(text, *places[i]).moved(start) for i in asked))


def match_tokens(
    asked: AskedTokens, cosines: NDArray[np.float32], spans: Spans, text: str, least_share: float = 0.0
) -> tuple[Match, ...]:
    """Align each token of a query with its best token of the passage.

    Args:
        asked: of the query.
        cosines: ``(n_asked, n_d)``, of each asked token with each of the passage; those without text become -inf.
        spans: ``(n_d, 2)``, code points into `text`.
        text: the passage.
        least_share: of the best match's cosine, if that is positive: weaker ones are left out.

    Returns:
        In the order of the query; spans are code points on grapheme boundaries, scores cosines.
    """
    if not cosines.size:
        return ()
    places = spans.tolist()
    best = _best_visible(cosines, places, text).tolist()
    scores = cosines[np.arange(len(best)), best].tolist()
    least = least_share * max(*scores, 0.0) if least_share else LEAST_FINITE
    kept = [n for n, score in enumerate(scores) if score >= least]  # -inf: there is no token with text
    shown = {j: _whole_graphemes(text, *places[j]) for j in {best[n] for n in kept}}
    return tuple(Match(asked.spans[n], shown[best[n]], scores[n]) for n in kept)


def highlight(matches: Iterable[Match], text: str) -> tuple[Highlight, ...]:
    """Join the strong matches to whole words, in reading order and without overlap."""
    found = list(matches)
    least = LEAST_SHARE * max((match.score for match in found), default=0.0)
    words = [(*_whole_word(text, match.passage), match.score) for match in found if match.score >= least]
    merged: list[Highlight] = []
    for start, end, score in sorted(words):
        if merged and (start <= merged[-1].end or text[merged[-1].end : start].isspace()):
            last = merged.pop()
            merged.append(Highlight(last.start, max(last.end, end), max(last.score, score)))
        else:
            merged.append(Highlight(start, end, score))
    return tuple(merged)


def _best_visible(cosines: NDArray[np.float32], spans: Sequence[Sequence[int]], text: str) -> NDArray[np.intp]:
    """Give the best token with visible text for each row ``(n_asked, n_d)``; of what is found invisible, take -inf.

    Most tokens are visible, so only those that would win are looked at.
    """
    visible: set[int] = set()
    while True:
        best: NDArray[np.intp] = cosines.argmax(axis=1)
        new = set(best.tolist()) - visible
        hidden = [j for j in new if not _is_visible(text, spans[j])]
        visible |= new
        if not hidden:
            return best
        cosines[:, hidden] = -np.inf


def _is_visible(text: str, span: Sequence[int]) -> bool:
    start, end = span
    return start >= 0 and VISIBLE.search(text, start, end) is not None


def _whole_graphemes(text: str, start: int, end: int) -> Span:
    """Widen a token to grapheme boundaries and take white space off its ends."""
    first, last = start, end
    if not (_is_boundary(text, start) and _is_boundary(text, end)):
        for cluster in GRAPHEME.finditer(text, _boundary_before(text, start)):
            if cluster.start() >= end:
                break
            if cluster.end() > start:
                first, last = min(first, cluster.start()), max(last, cluster.end())
    stretch = text[first:last]
    return Span(first + len(stretch) - len(stretch.lstrip()), last - len(stretch) + len(stretch.rstrip()))


def _is_boundary(text: str, place: int) -> bool:
    """Whether clusters surely part here; most do where both neighbours are plain, and looking further costs more."""
    return place in (0, len(text)) or PLAIN.match(text, place - 1, place + 1) is not None


def _boundary_before(text: str, place: int) -> int:
    """Give the nearest place, or one before it, from which clusters can be counted."""
    while not _is_boundary(text, place) and text[place - 1] != "\n":
        place -= 1
    return place


def _whole_word(text: str, span: Span) -> tuple[int, int]:
    start, end = span.start, span.end
    while start > 0 and SPACED.match(text, start) and SPACED.match(text, start - 1):
        start -= 1
    while end < len(text) and SPACED.match(text, end - 1) and SPACED.match(text, end):
        end += 1
    return start, end
