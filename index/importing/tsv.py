"""ColBERT's collections: a line is an id, a tabulator, the passage, and often a tabulator and a title."""

from collections.abc import Iterator
from pathlib import Path

from index.reading.base import SourceFile, too_large
from index.reading.decoding import decode_as, require_text
from index.types import MAX_DOCUMENT_BYTES, Document, Failure
from lfm2_colbert.errors import InvalidArgumentError, Lfm2ColbertError, MalformedDocumentError

HEADERS = (["id", "text"], ["id", "text", "title"], ["pid", "passage"], ["pid", "passage", "title"])
"""First lines that are no passage."""
COLUMNS = "write each line as id <tab> text, or id <tab> text <tab> title"


def documents(path: Path, text_field: str) -> Iterator[Document | Failure]:
    """Read a document a line; a title is metadata. Blank lines are none.

    Raises:
        InvalidArgumentError: a text field is asked for, which columns without names have not.
    """
    if text_field != "text":
        raise InvalidArgumentError(f"the columns of {path.name} have no names", help="leave --text-field out")
    with SourceFile(path, path.name).open() as stream:
        number = 0
        while line := stream.readline(MAX_DOCUMENT_BYTES + 2):
            number += 1
            size = len(line)
            while size > MAX_DOCUMENT_BYTES and not line.endswith(b"\n"):
                line = stream.readline(MAX_DOCUMENT_BYTES)
                size += len(line)
                if not line:
                    break
            yield from _row(line, size, number, path.name)


def _row(line: bytes, size: int, number: int, name: str) -> Iterator[Document | Failure]:
    place = f"{name}:{number}"
    try:
        if size > MAX_DOCUMENT_BYTES:
            raise too_large(place, size)
        columns = decode_as(line, "utf-8-sig" if number == 1 else "utf-8", place).rstrip("\r\n").split("\t")
        if columns != [""] and not (number == 1 and columns in HEADERS):
            yield _document(columns, place)
    except Lfm2ColbertError as error:
        yield Failure(place, error.code, error.message)


def _document(columns: list[str], place: str) -> Document:
    if len(columns) not in (2, 3) or not columns[0].strip():
        raise MalformedDocumentError(f"{place} has {len(columns)} columns, or no id", help=COLUMNS)
    document_id, text, *title = columns
    require_text(text, place)
    return Document(document_id.strip(), text, {"title": title[0]} if title and title[0] else {})
