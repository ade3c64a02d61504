"""Plain text and source code: a file is a document, as it stands."""

from collections.abc import Iterator

from index.reading.base import Read, ReadOptions, SourceFile
from index.reading.decoding import decode_guessing
from index.types import Anchor, Document

LINES_PER_ANCHOR = 200
"""A hit counts its lines from the anchor before it."""


def read(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Give the file's text, and a notice where its encoding was guessed."""
    text, notice = decode_guessing(source.data(), source.id)
    yield Document(source.id, text, {}, line_anchors(text))
    if notice:
        yield notice


def line_anchors(text: str) -> tuple[Anchor, ...]:
    """Anchor every so many lines."""
    anchors, start = [], 0
    for number, line in enumerate(text.split("\n"), start=1):
        if number % LINES_PER_ANCHOR == 1 and start < len(text):
            anchors.append(Anchor(start, {"line": number}))
        start += len(line) + 1
    return tuple(anchors)
