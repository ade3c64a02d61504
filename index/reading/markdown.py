"""Markdown: the text stays as written, so that spans point into the file; headings and front matter are understood."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import regex

from index.reading.base import Read, ReadOptions, SourceFile
from index.reading.composing import Headings
from index.reading.decoding import decode
from index.reading.front_matter import fields_of
from index.types import Anchor, Document, Notice
from lfm2_colbert.errors import MalformedDocumentError

FRONT_MATTER = regex.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$", regex.DOTALL | regex.MULTILINE)
FRONT_MATTER_UNREAD = "front_matter_unread"
FENCE = regex.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = regex.compile(r" {0,3}(#{1,6})[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = regex.compile(r" {0,3}(=+|-+)[ \t]*$")


class Heading(NamedTuple):
    """A heading, where its line begins, and the number of that line from 1."""

    level: int
    title: str
    start: int
    line: int


def read(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Give the file's text; the first heading is its ``title``, unless its front matter has another.

    Front matter that cannot be read is left as text, and a notice says so.
    """
    text = decode(source.data(), source.id)
    front_matter = FRONT_MATTER.match(text)
    metadata: dict[str, Any] = {}
    try:
        metadata = fields_of(front_matter[1], source.id) if front_matter else {}
    except MalformedDocumentError as error:
        yield Notice(FRONT_MATTER_UNREAD, error.message)
    found = list(headings(text))
    if found:
        metadata = {"title": found[0].title} | metadata
    yield Document(source.id, text, metadata, _anchors(found))


def headings(text: str) -> Iterator[Heading]:
    r"""Find headings outside of front matter and code, "#" or underlined.

    Example:
        >>> [(each.level, each.title, each.line) for each in headings("Some words.\n\n## Urlaub ##\n")]
        [(2, 'Urlaub', 3)]
    """
    front_matter = FRONT_MATTER.match(text)
    start = front_matter.end() if front_matter else 0
    number = text.count("\n", 0, start) + 1
    fence, before = "", Heading(0, "", start, number)
    for line in text[start:].split("\n"):
        mark = FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif heading := HEADING.match(line):
            yield Heading(len(heading[1]), str(heading[2]), start, number)
        elif before.title and (underline := UNDERLINE.match(line)):
            yield before._replace(level=1 if underline[1][0] == "=" else 2)
        is_words = not (fence or mark or HEADING.match(line) or UNDERLINE.match(line))
        before = Heading(0, line.strip() if is_words else "", start, number)
        start, number = start + len(line) + 1, number + 1


def _anchors(found: list[Heading]) -> tuple[Anchor, ...]:
    path = Headings()
    anchors = [] if found and found[0].start == 0 else [Anchor(0, {"line": 1})]
    for heading in found:
        path.enter(heading.level, heading.title)
        anchors.append(Anchor(heading.start, path.place() | {"line": heading.line}))
    return tuple(anchors)
