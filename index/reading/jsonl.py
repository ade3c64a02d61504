"""JSON Lines: a row is a document; files may be larger than memory, and a bad row costs only itself."""

import codecs
import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from index.reading.base import ReadOptions, SourceFile, failure_of, too_large
from index.reading.decoding import decode_as, require_text
from index.types import MAX_DOCUMENT_BYTES, Document, Failure
from lfm2_colbert.errors import (
    EmptyDocumentError,
    InvalidEncodingError,
    Lfm2ColbertError,
    MalformedDocumentError,
)

ONE_ROW = 'write each row as one line such as {"id": "a", "text": "…"}'


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document | Failure]:
    """Give a document for each row; blank lines are no rows.

    A row's id is its ``id``, else its ``_id``, else the file's id, "#" and the line number. A title that is not empty,
    and every field that is neither id nor text, is metadata.

    Raises:
        InvalidEncodingError: the file is UTF-16.
        EmptyDocumentError: the file has no rows.
    """
    n_rows = 0
    with source.open() as stream:
        for number, line in _lines(stream, source.id):
            n_rows += 1
            place = f"{source.id}:{number}"
            try:
                yield _document(line, place, f"{source.id}#{number}", options.text_field)
            except Lfm2ColbertError as error:
                yield failure_of(place, error)
    if n_rows == 0:
        raise EmptyDocumentError(f"{source.id} has no rows", help=ONE_ROW)


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Number the lines from 1 and leave out blank ones; of a line that is too long only a part is kept."""
    number = 0
    while line := stream.readline(MAX_DOCUMENT_BYTES + 2):
        number += 1
        if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InvalidEncodingError(f"{name} is UTF-16", help="convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW")
        rest = line
        while len(rest) > MAX_DOCUMENT_BYTES and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_DOCUMENT_BYTES + 1)
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if line.strip():
            yield number, line


def _document(line: bytes, place: str, fallback_id: str, text_field: str) -> Document:
    if len(line.rstrip(b"\r\n")) > MAX_DOCUMENT_BYTES:
        raise too_large(place, len(line))
    row = _row(line, place)
    id_field = "id" if row.get("id") is not None else "_id"
    text = row.get(text_field)
    if not isinstance(text, str):
        found = f"holds {type(text).__name__}, not text" if text_field in row else "is missing"
        raise MalformedDocumentError(f"{place}: the field '{text_field}' {found}", help="name the field of the text")
    require_text(text, place)
    metadata = {key: value for key, value in row.items() if key not in (id_field, text_field)}
    if metadata.get("title") == "":
        del metadata["title"]
    return Document(_id(row.get(id_field), place) or fallback_id, text, metadata)


def _row(line: bytes, place: str) -> dict[str, Any]:
    written = decode_as(line, "utf-8", place)
    try:
        row = json.loads(written, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        detail = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise MalformedDocumentError(f"{place} is not JSON: {detail}", help=ONE_ROW) from error
    if not isinstance(row, dict):
        raise MalformedDocumentError(f"{place} is not an object in braces", help=ONE_ROW)
    if "\\u" in written:
        _refuse_lone_surrogates(row, place)
    return row


def _id(value: Any, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise MalformedDocumentError(f"{place}: an id must be text or a whole number", help="give the row an id")
    return str(value)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"the number {number} is too large")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _refuse_lone_surrogates(row: dict[str, Any], place: str) -> None:
    # An escape such as \ud83d without its second half is valid JSON, but no Unicode text.
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidEncodingError(
            f"{place} holds half of a surrogate pair", help="write the character itself, or both halves"
        ) from error
