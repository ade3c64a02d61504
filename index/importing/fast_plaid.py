"""Texts that somebody put into fast-plaid's table of metadata, which lies beside its index as SQLite."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw

from index.importing.base import document_of
from index.types import Document, Failure
from lfm2_colbert.errors import CorruptionError, Lfm2ColbertError, UnsupportedFileError

TABLE, NUMBER = "METADATA", "_subset_"
COLUMNS = (
    f"SELECT c.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c WHERE s.name = '{TABLE}' AND s.type = 'table'"
)


def documents(path: Path, text_field: str) -> Iterator[Document | Failure]:
    """Read a document a row: an id, else the row's number; the text; every other column that holds something.

    Raises:
        CorruptionError: it is no database of fast-plaid.
        UnsupportedFileError: it keeps no texts under this name.
    """
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as database:
            database.execute("PRAGMA trusted_schema=OFF")
            columns = [name for (name,) in database.execute(COLUMNS)]
            _require(path, columns, text_field)
            for values in database.execute(f"SELECT * FROM {TABLE} ORDER BY {NUMBER}"):
                yield _document(dict(zip(columns, values, strict=True)), text_field, path.name)
    except apsw.Error as error:
        raise CorruptionError(f"{path} is no database of fast-plaid: {error}", help="take another copy") from error


def _require(path: Path, columns: list[str], text_field: str) -> None:
    if NUMBER not in columns:
        raise CorruptionError(f"{path} has no table of fast-plaid", help="take another copy")
    if text_field not in columns:
        others = ", ".join(name for name in columns if name != NUMBER)
        raise UnsupportedFileError(
            f"{path} keeps no '{text_field}' of its documents, and the index beside it no texts at all",
            help=f"name a column with --text-field ({others}), or import the file of texts that it was made of",
        )


def _document(row: dict[str, object], text_field: str, name: str) -> Document | Failure:
    number = row.pop(NUMBER)
    place = f"{name}:{number}"
    try:
        return document_of(row, text_field, place, str(number))
    except Lfm2ColbertError as error:
        return Failure(place, error.code, error.message)
