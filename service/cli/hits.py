"""Hits on a terminal: one line of facts, then the passage with the words that matched."""

from collections.abc import Sequence

import regex
from rich.console import Console
from rich.text import Text

from index.types import Highlight, Hit, SearchResult
from service.cli.output import safe
from service.places import place_shown

SNIPPET_CODE_POINTS = 320
MATCHED = "bold green"
NEAR_CODE_POINTS = 16


def print_hits(console: Console, result: SearchResult, *, whole: bool = False) -> None:
    """Print the hits of a query.

    Args:
        console: colours mark the matched words on a terminal, brackets elsewhere.
        result: what `Collection.search` gave.
        whole: show passages whole, and for each token of the query where it was found.
    """
    names = [" ".join([safe(hit.document_id), safe(place_shown(hit.anchor))]).strip() for hit in result.hits]
    width = max(map(len, names), default=0)
    for hit, name in zip(result.hits, names, strict=True):
        start, end = (hit.span.start, hit.span.end) if whole else snippet(hit)
        head = f"{hit.rank:>2}  {hit.score:.2f}  {name:{width}}  {hit.language:3} "
        console.print(
            Text(head, style="bold"), marked(hit, start, end, brackets=not console.is_terminal), soft_wrap=True
        )
        if hit.around is not None:
            console.print(Text(safe(hit.around.text), style="dim"), soft_wrap=True)
        if whole:
            console.print(Text(_matches(hit, result), style="dim"), soft_wrap=True)


def marked(hit: Hit, start: int, end: int, *, brackets: bool) -> Text:
    """Give the code points ``start:end`` of the document, on one line, with matched words marked."""
    text = Text("… " if start > hit.span.start else "")
    position = start
    for word in hit.highlights:
        if word.end <= start or word.start >= end:
            continue
        text.append(_piece(hit, position, word.start))
        shown = _piece(hit, word.start, min(word.end, end))
        text.append(f"[{shown}]" if brackets else shown, style=MATCHED)
        position = min(word.end, end)
    text.append(_piece(hit, position, end))
    return text.append(" …" if end < hit.span.end else "")


def snippet(hit: Hit) -> tuple[int, int]:
    """Choose the stretch of the passage with the most matched words; whole words at its ends."""
    first, last = hit.span.start, hit.span.end
    if last - first <= SNIPPET_CODE_POINTS:
        return first, last
    starts = [max(first, word.start - SNIPPET_CODE_POINTS // 8) for word in hit.highlights] or [first]
    best = max(starts, key=lambda start: _weight(hit.highlights, start, start + SNIPPET_CODE_POINTS))
    best = min(best, last - SNIPPET_CODE_POINTS)
    return _at_space(hit, best), _at_space(hit, best + SNIPPET_CODE_POINTS)


def _weight(words: Sequence[Highlight], start: int, end: int) -> float:
    return sum(word.score for word in words if start <= word.start and word.end <= end)


def _at_space(hit: Hit, position: int) -> int:
    """Move a little forward to behind white space, where there is some near, else to the end of a grapheme."""
    if position <= hit.span.start or position >= hit.span.end:
        return position
    offset = position - hit.span.start
    line_start = hit.text.rfind("\n", 0, offset) + 1  # a boundary, so that clusters can be counted from it
    nearest = len(hit.text)
    for cluster in regex.finditer(r"\X", hit.text, pos=line_start):
        if cluster.end() < offset:
            continue
        nearest = min(nearest, cluster.end())
        if cluster.group().isspace():
            return hit.span.start + int(cluster.end())
        if cluster.end() > offset + NEAR_CODE_POINTS:
            break
    return hit.span.start + nearest


def _piece(hit: Hit, start: int, end: int) -> str:
    return " ".join(safe(hit.text[start - hit.span.start : end - hit.span.start]).replace("\t", " ").split("\n"))


def _matches(hit: Hit, result: SearchResult) -> str:
    query, measure = result.query, "BM25" if result.mode == "lexical" else "MaxSim"
    found = (
        f"{query[m.query.start : m.query.end]} → {_piece(hit, m.passage.start, m.passage.end)} {m.score:.2f}"
        for m in hit.matches
    )
    return f"      {measure} {hit.raw_score:.2f} · " + " · ".join(safe(each) for each in found)
