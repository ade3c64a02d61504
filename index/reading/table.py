"""CSV and TSV: a row is a document where a column holds text, else the table is one."""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import regex

from index.reading.base import Read, ReadOptions, SourceFile, failure_of
from index.reading.composing import Composition, cleaned, table_row
from index.reading.decoding import decode_guessing, require_text
from index.types import Anchor, Document, Notice
from lfm2_colbert.errors import EmptyDocumentError, Lfm2ColbertError, MalformedDocumentError

NO_TEXT_COLUMN = "no_text_column"
MAX_COLUMNS = 1_000
SNIFFED_CHARACTERS = 64 * 1024
SAMPLED_ROWS = 1_000
INTEGER = regex.compile(r"-?(?:0|[1-9][0-9]{0,14})")
NUMBER = regex.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
ID_COLUMNS = ("id", "_id")


class Row(NamedTuple):
    """A row, and the line of the file on which it ends."""

    line: int
    cells: Sequence[str]


def read(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Give a document for each row, or one for all, with a notice, where no column has the text field's name.

    A row's id is its ``id``, else its ``_id``, else the file's id, "#" and the line on which it ends. Other columns are
    metadata; those that hold nothing but numbers in the first thousand rows are numbers.

    Raises:
        EmptyDocumentError: there are no rows.
        MalformedDocumentError: it is no table, or has more than a thousand columns.
    """
    text, notice = decode_guessing(source.data(), source.id)
    if notice:
        yield notice
    rows = _rows(text, source)
    header = next(rows, None)
    if header is None:
        raise EmptyDocumentError(f"{source.id} has no rows", help="write the names of its columns on the first line")
    if options.text_field in header.cells:
        yield from _documents(header.cells, rows, source, options.text_field)
        return
    columns = ", ".join(header.cells[:10])
    yield Notice(
        NO_TEXT_COLUMN, f"{source.id} was read as one table; for a document a row name --text-field: {columns}"
    )
    yield _whole(itertools.chain([header], rows), source)


def _rows(text: str, source: SourceFile) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), _dialect(text, source), strict=True)
    try:
        for cells in lines:
            if len(cells) > MAX_COLUMNS:
                raise MalformedDocumentError(
                    f"{source.id} has {len(cells):,} columns on line {lines.line_num}, not up to {MAX_COLUMNS:,}",
                    help="check what separates them",
                )
            if any(map(str.strip, cells)):
                yield Row(lines.line_num, cells)
    except csv.Error as error:
        raise MalformedDocumentError(
            f"{source.id}, line {lines.line_num}: {error}", help="put quotes around cells that hold quotes or line ends"
        ) from error


def _dialect(text: str, source: SourceFile) -> type[csv.Dialect]:
    if source.format == ".tsv":
        return csv.excel_tab
    try:
        return csv.Sniffer().sniff(text[:SNIFFED_CHARACTERS].partition("\n")[0], delimiters=",;\t|")
    except csv.Error:
        return csv.excel


def _documents(names: Sequence[str], rows: Iterator[Row], source: SourceFile, text_field: str) -> Iterator[Read]:
    sampled = list(itertools.islice(rows, SAMPLED_ROWS))
    numbers = {name: _number_of(n, sampled) for n, name in enumerate(names)}
    for row in itertools.chain(sampled, rows):
        try:
            yield _document(dict(zip(names, row.cells, strict=False)), numbers, row.line, source, text_field)
        except Lfm2ColbertError as error:
            yield failure_of(f"{source.id}:{row.line}", error)


def _number_of(column: int, rows: Sequence[Row]) -> type[int] | type[float] | None:
    cells = [row.cells[column] for row in rows if column < len(row.cells) and row.cells[column]]
    if not cells:
        return None
    if all(map(INTEGER.fullmatch, cells)):
        return int
    return float if all(map(NUMBER.fullmatch, cells)) else None


def _document(
    row: Mapping[str, str], numbers: Mapping[str, type[int] | type[float] | None], line: int, source: SourceFile,
    text_field: str,
) -> Document:  # fmt: skip
    text = cleaned(row[text_field])
    require_text(text, f"{source.id}:{line}")
    id_column = next((name for name in ID_COLUMNS if row.get(name)), None)
    metadata: dict[str, Any] = {}
    for name, cell in row.items():
        if name and cell and name not in (id_column, text_field):
            number = numbers[name] if NUMBER.fullmatch(cell) else None
            metadata[name] = number(cell) if number and not (number is int and "." in cell) else cell
    document_id = row[id_column] if id_column else f"{source.id}#{line}"
    return Document(document_id, text, metadata, (Anchor(0, {"line": line}),))


def _whole(rows: Iterator[Row], source: SourceFile) -> Document:
    composition = Composition()
    for row in rows:
        composition.add(table_row(row.cells), {"line": row.line}, between="\n")
    return composition.document(source.id, {})
