"""Why a passage matched: query token → best passage token → stretches of text a person can look at.

The same dot products that make up MaxSim are read the other way round, so the explanation is the score, not a guess
about it.
"""

import numpy as np
import regex
from numpy.typing import NDArray

from index.types import Highlight
from lfm2_colbert.encoders.base import Spans

WORD = regex.compile(r"[\p{L}\p{N}\p{So}]")
GRAPHEME = regex.compile(r"\X")
LEAST_SHARE = 0.6
"""A query token counts as matched from this share of the passage's best match on: below it, MaxSim still adds up the
nearest token there is, which says nothing to a reader."""


def highlights(
    query: NDArray[np.float32],
    query_spans: Spans,
    query_text: str,
    passage: NDArray[np.float32],
    spans: Spans,
    text: str,
) -> tuple[Highlight, ...]:
    """Find the stretches of a passage that the query's words matched, in reading order.

    Args:
        query: ``(n_q, dim)`` float32.
        query_spans: ``(n_q, 2)``, code points into `query_text`; (-1, -1) for vectors without text, which are left out.
        query_text: the query.
        passage: ``(n_d, dim)`` float32.
        spans: ``(n_d, 2)``, code points into `text`.
        text: the passage.

    Returns:
        Stretches in code points of `text`, on grapheme boundaries, without overlap; scores are cosines.
    """
    asked = [i for i, (start, end) in enumerate(query_spans) if WORD.search(query_text, max(start, 0), max(end, 0))]
    shown = [j for j, (start, end) in enumerate(spans) if WORD.search(text, max(start, 0), max(end, 0))]
    if not asked or not shown:
        return ()
    similarities = query[asked] @ passage[shown].T  # (n_asked, n_shown)
    best, scores = similarities.argmax(axis=1), similarities.max(axis=1)
    least = LEAST_SHARE * float(scores.max())
    matched: dict[int, float] = {}
    for j, score in zip(best, scores, strict=True):
        if score >= least:
            matched[shown[j]] = max(float(score), matched.get(shown[j], -1.0))
    stretches = [Highlight(*_whole_graphemes(text, *spans[j]), score) for j, score in matched.items()]
    return _merged(sorted(stretches, key=lambda h: (h.start, h.end)), text)


def _whole_graphemes(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a token to grapheme boundaries and take white space off its ends."""
    line_start = text.rfind("\n", 0, start) + 1  # a line feed is a boundary: clusters are counted from the line's start
    first, last = start, end
    for cluster in GRAPHEME.finditer(text, line_start):
        if cluster.end() <= start:
            continue
        if cluster.start() >= end:
            break
        first, last = min(first, cluster.start()), max(last, cluster.end())
    stretch = text[first:last]
    return first + len(stretch) - len(stretch.lstrip()), last - len(stretch) + len(stretch.rstrip())


def _merged(stretches: list[Highlight], text: str) -> tuple[Highlight, ...]:
    merged: list[Highlight] = []
    for stretch in stretches:
        if merged and (stretch.start <= merged[-1].end or text[merged[-1].end : stretch.start].isspace()):
            last = merged.pop()
            merged.append(Highlight(last.start, max(last.end, stretch.end), max(last.score, stretch.score)))
        else:
            merged.append(stretch)
    return tuple(merged)
