"""Word: paragraphs under their headings, tables as rows, footnotes at the end."""

from collections.abc import Iterator
from typing import Any

import docx
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph

from index.reading.base import ReadOptions, SourceFile
from index.reading.composing import Composition, Headings, table_row
from index.reading.packages import checked, malformed, parsed_xml, stated
from index.types import Document

KIND = "Word document"
NOTES = ("footnotes", "endnotes", "comments")
TEXT, TAB, BREAK, RETURN = qn("w:t"), qn("w:tab"), qn("w:br"), qn("w:cr")
WRITTEN = {TAB: "\t", BREAK: "\n", RETURN: "\n", qn("w:noBreakHyphen"): "\u2011"}
LEFT_OUT = {qn("w:del"), qn("w:moveFrom"), "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}
"""What was deleted, and the second form of what is there already."""


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the document.

    Raises:
        EncryptedDocumentError: it asks for a password.
        MalformedDocumentError: it cannot be opened.
        EmptyDocumentError: it holds no text.
    """
    composition, headings = Composition(), Headings()
    with malformed(source, KIND):
        document = docx.Document(checked(source, KIND))
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                _add_table(block, composition, headings)
            else:
                _add_paragraph(block, composition, headings)
        for name in NOTES:
            _add_notes(document, name, composition)
        metadata = stated(document.core_properties)
    yield composition.document(source.id, metadata)


def _add_paragraph(paragraph: Paragraph, composition: Composition, headings: Headings) -> None:
    text = _text(paragraph._p)
    if level := _level(paragraph):
        headings.enter(level, text)
    composition.add(text, headings.place())


def _level(paragraph: Paragraph) -> int:
    """Give the level of a heading, 1 being the highest; 0 for words."""
    name = (paragraph.style.name or "") if paragraph.style else ""
    if name == "Title":
        return 1
    number = name.removeprefix("Heading ")
    return int(number) if name.startswith("Heading ") and number.isdecimal() else 0


def _add_table(table: Table, composition: Composition, headings: Headings) -> None:
    rows = []
    for row in table.rows:
        cells = {id(cell._tc): _text(cell._tc) for cell in row.cells}  # a cell that spans columns comes once for each
        rows.append(table_row(cells.values()))
    composition.add("\n".join(row for row in rows if row.strip(" |")), headings.place())


def _add_notes(document: Any, name: str, composition: Composition) -> None:
    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(f"/{name}"):
            for note in parsed_xml(relation.target_part.blob):
                composition.add(_text(note), {"part": name})


def _text(element: Any) -> str:
    """Give the words below an element, paragraphs as lines: those of links, fields and boxes, too."""
    pieces: list[str] = []
    waiting = [element]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            pieces.append(each)
            continue
        if each.tag == TEXT:
            pieces.append(each.text or "")
        pieces.append(WRITTEN.get(each.tag, ""))
        if each.tag == qn("w:p") and each is not element:
            waiting.append("\n")
        waiting.extend(child for child in reversed(each) if isinstance(child.tag, str) and child.tag not in LEFT_OUT)
    return "".join(pieces)
