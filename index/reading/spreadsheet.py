"""Excel and OpenDocument sheets: a row is a line, and an anchor names its cells."""

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

import python_calamine

from index.reading.base import ReadOptions, SourceFile
from index.reading.composing import Composition, table_row
from index.reading.decoding import VISIBLE
from index.types import Document
from lfm2_colbert.errors import EncryptedDocumentError, MalformedDocumentError


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the workbook as one document.

    Raises:
        EncryptedDocumentError: it asks for a password.
        MalformedDocumentError: it cannot be opened.
        EmptyDocumentError: its cells hold nothing.
    """
    composition = Composition()
    try:
        with source.open() as stream, python_calamine.load_workbook(stream) as workbook:
            for name in workbook.sheet_names:
                sheet = workbook.get_sheet_by_name(name)
                _add_sheet(name, sheet.to_python(skip_empty_area=False), composition)
    except python_calamine.PasswordError as error:
        raise EncryptedDocumentError(f"{source.id} asks for a password", help="save it without one") from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise MalformedDocumentError(
            f"{source.id} is no spreadsheet that can be opened", help="save it again"
        ) from error
    yield composition.document(source.id, {})


def _add_sheet(name: str, rows: Sequence[Sequence[Any]], composition: Composition) -> None:
    if any(VISIBLE.search(_written(cell)) for row in rows for cell in row):
        composition.add(name, {"cell": f"{name}!A1", "heading": [name]})
    between = "\n\n"
    for number, row in enumerate(rows, start=1):
        cells = [_written(cell) for cell in row]
        used = [column for column, cell in enumerate(cells) if VISIBLE.search(cell)]
        if used:
            first, last = f"{_column(used[0])}{number}", f"{_column(used[-1])}{number}"
            range_ = first if first == last else f"{first}:{last}"
            place = {"cell": f"{name}!{range_}", "heading": [name]}
            composition.add(table_row(cells[used[0] : used[-1] + 1]), place, between)
        between = "\n" if used else "\n\n"


def _written(value: Any) -> str:
    """Write a cell as a person reads it; dates in ISO 8601."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _column(number: int) -> str:
    """Give the letters of a column, counted from 0.

    Example:
        >>> _column(0), _column(25), _column(26), _column(701), _column(702)
        ('A', 'Z', 'AA', 'ZZ', 'AAA')
    """
    letters = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters
