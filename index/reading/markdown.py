"""Markdown: the text stays as written, so that spans point into the file; only the title is understood."""

from collections.abc import Iterator

import regex

from index.reading.base import ReadOptions, SourceFile
from index.reading.decoding import decode
from index.types import Document

FRONT_MATTER = regex.compile(r"\A---[ \t]*\n.*?^(?:---|\.\.\.)[ \t]*$", regex.DOTALL | regex.MULTILINE)
FENCE = regex.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = regex.compile(r" {0,3}#{1,6}[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = regex.compile(r" {0,3}(?:=+|-+)[ \t]*$")


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the file's text, with the first heading as ``metadata["title"]``."""
    text = decode(source.data(), source.id)
    title = first_heading(text)
    yield Document(source.id, text, {"title": title} if title else {})


def first_heading(text: str) -> str:
    r"""Find the first heading outside of front matter and code, "#" or underlined; empty if there is none.

    Example:
        >>> first_heading("Some words.\n\n## Urlaub ##\n")
        'Urlaub'
    """
    front_matter = FRONT_MATTER.match(text)
    fence = previous = ""
    for line in text[front_matter.end() if front_matter else 0 :].split("\n"):
        mark = FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif heading := HEADING.match(line):
            return str(heading[1])
        elif previous.strip() and UNDERLINE.match(line):
            return previous.strip()
        previous = "" if fence or mark else line
    return ""
