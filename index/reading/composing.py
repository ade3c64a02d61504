"""A document out of pieces: what a format holds as paragraphs, cells and pages becomes one text with anchors."""

from collections.abc import Iterable, Mapping
from typing import Any

import regex

from index.reading.decoding import VISIBLE, require_text
from index.types import Anchor, Document

CONTROLS = regex.compile(r"[\p{Cc}--[\n\t]]", regex.VERSION1)
LINE_ENDS = regex.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
BETWEEN_PIECES = "\n\n"


class Composition:
    """Grows by pieces, with a blank line between two; a piece is where an anchor begins."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._pieces: list[str] = []
        self._anchors: list[Anchor] = []
        self._length = 0

    def add(self, text: str, place: Mapping[str, Any], between: str = BETWEEN_PIECES) -> None:
        """Add a piece that stands at a place of the file; one without anything visible is left out.

        Args:
            text: of the piece; characters that no text has become spaces.
            place: as in `Anchor.place`.
            between: what separates it from the piece before.
        """
        piece = cleaned(text)
        if not VISIBLE.search(piece):
            return
        if self._pieces:
            self._pieces.append(between)
            self._length += len(between)
        if (self._anchors[-1].place if self._anchors else {}) != place:
            self._anchors.append(Anchor(self._length, dict(place)))
        self._pieces.append(piece)
        self._length += len(piece)

    def document(self, document_id: str, metadata: Mapping[str, Any]) -> Document:
        """Put the document together; fields that say nothing are left out.

        Raises:
            EmptyDocumentError: nothing visible was added.
        """
        text = "".join(self._pieces)
        require_text(text, document_id)
        return Document(document_id, text, {k: v for k, v in metadata.items() if v}, tuple(self._anchors))


class Headings:
    """The path of headings at a place, as they come; a heading ends those of its level and below."""

    def __init__(self) -> None:
        """Begin under none."""
        self._path: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """Go under a heading of a level, 1 being the highest."""
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        if one_line := " ".join(title.split()):
            self._path.append((level, one_line))

    def place(self) -> dict[str, Any]:
        """Give the path as a place; empty under none."""
        return {"heading": [title for _, title in self._path]} if self._path else {}


def cleaned(text: str) -> str:
    """Give text as it can be stored: line feeds end lines, controls are spaces, halves of characters are marked."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return str(CONTROLS.sub(" ", LINE_ENDS.sub("\n", whole))).strip()


def table_row(cells: Iterable[str]) -> str:
    r"""Write a row of a table as a line.

    Example:
        >>> table_row(["Name", " Tage \n im Jahr", ""])
        '| Name | Tage im Jahr |  |'
    """
    return "| " + " | ".join(" ".join(cleaned(cell).split()) for cell in cells) + " |"
