"""Parquet tables of texts, as the hub has them. It needs pyarrow."""

from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from index.importing.base import document_of
from index.reading.base import SourceFile
from index.types import Document, Failure
from lfm2_colbert.errors import Lfm2ColbertError, MalformedDocumentError

ROWS_PER_BATCH = 256


def documents(path: Path, text_field: str) -> Iterator[Document | Failure]:
    """Read a document a row: an id, the text, and every other column that holds something as metadata.

    Raises:
        MalformedDocumentError: it is not a parquet file, or is broken.
    """
    number = 0
    for batch in _batches(path):
        for row in batch.to_pylist():
            number += 1
            place = f"{path.name}:{number}"
            try:
                yield document_of({name: _plain(each) for name, each in row.items()}, text_field, place, str(number))
            except Lfm2ColbertError as error:
                yield Failure(place, error.code, error.message)


def _batches(path: Path) -> Iterator[Any]:
    with SourceFile(path, path.name).open() as stream:
        try:
            yield from parquet.ParquetFile(stream).iter_batches(ROWS_PER_BATCH)
        except (pa.ArrowException, OSError) as error:
            raise MalformedDocumentError(f"{path} is not a whole parquet file", help="fetch it again") from error


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | time) else value
