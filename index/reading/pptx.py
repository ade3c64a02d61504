"""PowerPoint: slides in their order, each with its title, its shapes and its notes."""

from collections.abc import Iterator
from typing import Any

import pptx

from index.reading.base import ReadOptions, SourceFile
from index.reading.composing import Composition, table_row
from index.reading.packages import checked, malformed, stated
from index.types import Document

KIND = "PowerPoint presentation"


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the presentation as one document.

    Raises:
        EncryptedDocumentError: it asks for a password.
        MalformedDocumentError: it cannot be opened.
        EmptyDocumentError: it holds no text.
    """
    composition = Composition()
    with malformed(source, KIND):
        presentation = pptx.Presentation(checked(source, KIND))
        for number, slide in enumerate(presentation.slides, start=1):
            _add_slide(slide, number, composition)
        metadata = stated(presentation.core_properties) | {"slides": len(presentation.slides)}
    yield composition.document(source.id, metadata)


def _add_slide(slide: Any, number: int, composition: Composition) -> None:
    title = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    place = {"slide": number} | ({"heading": [heading]} if heading else {})
    for text in _texts(slide.shapes):
        composition.add(text, place)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        composition.add(slide.notes_slide.notes_text_frame.text, place | {"part": "notes"})


def _texts(shapes: Any) -> Iterator[str]:
    """Give the text of each shape, also of those in groups and tables."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _texts(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            rows = ([cell.text for cell in row.cells] for row in shape.table.rows)
            yield "\n".join(table_row(cells) for cells in rows if any(map(str.strip, cells)))
