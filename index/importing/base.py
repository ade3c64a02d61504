"""What a source of texts gives."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from index.reading.decoding import require_text
from index.types import Document, Failure
from lfm2_colbert.errors import MalformedDocumentError

ID_FIELDS = ("id", "_id", "document_id")
"""Under which others keep ids, in the order in which they are looked for."""


class Source(Protocol):
    """Reads the documents of one file, a row at a time."""

    def __call__(self, path: Path, text_field: str) -> Iterator[Document | Failure]:
        """Give each row's document, or why it is none.

        Raises:
            Lfm2ColbertError: the file as a whole cannot be read.
        """


def document_of(row: Mapping[str, Any], text_field: str, place: str, fallback_id: str) -> Document:
    """Make a document of a row of named fields: id, text, and the others that hold something as metadata.

    Raises:
        MalformedDocumentError: it has no text, or an id that is none.
        NotTextError: the text is binary data.
        EmptyDocumentError: nothing in it is visible.
    """
    field = next((name for name in ID_FIELDS if row.get(name) is not None), "")
    value, text = row.get(field, fallback_id), row.get(text_field)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MalformedDocumentError(f"{place}: an id must be text or a whole number", help="give the row an id")
    if not isinstance(text, str):
        raise MalformedDocumentError(
            f"{place}: the field '{text_field}' holds no text", help="name the field of the text with --text-field"
        )
    require_text(text, place)
    others = {name: each for name, each in row.items() if name not in (field, text_field) and each is not None}
    return Document(str(value), text, others)
