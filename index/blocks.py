"""Stretches of a text that are read as a whole: code between fences, tables of rows between bars."""

from bisect import bisect_right
from collections.abc import Iterator

import regex

from index.types import Span

FENCE = regex.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", regex.MULTILINE)
TABLE = regex.compile(r"^\|.*(?:\n\|.*)+$", regex.MULTILINE)


class Blocks:
    """The blocks of a text, none within another."""

    def __init__(self, text: str) -> None:
        """Find them; time grows with the length of the text."""
        code = list(_code(text)) if "```" in text or "~~~" in text else []
        tables = [Span(*found.span()) for found in TABLE.finditer(text)] if "|" in text else []
        own = _Spans(code)
        self._blocks = _Spans([*code, *(table for table in tables if own.around(table.start + 1) is None)])

    def cut_by(self, position: int) -> Span | None:
        """Give the block that a cut at a position would part; None where there is none."""
        block = self._blocks.around(position)
        return block if block and position < block.end else None

    def at(self, position: int) -> Span | None:
        """Give the block that begins at a position."""
        block = self._blocks.around(position + 1)
        return block if block and block.start == position else None


class _Spans:
    def __init__(self, spans: list[Span]) -> None:
        self._spans = sorted(spans, key=_start)
        self._starts = [span.start for span in self._spans]

    def around(self, position: int) -> Span | None:
        """Give the span that begins before a position and does not end before it."""
        place = bisect_right(self._starts, position - 1) - 1
        return self._spans[place] if place >= 0 and position <= self._spans[place].end else None


def _code(text: str) -> Iterator[Span]:
    opened = None
    for line in FENCE.finditer(text):
        if opened is None:
            opened = line
        elif line[1].startswith(opened[1]) and not line[2].strip():
            yield Span(opened.start(), line.end())
            opened = None


def _start(span: Span) -> int:
    return span.start
