"""JSON Lines, as BEIR has its corpus and others their texts: rows are read as `index` reads them."""

from collections.abc import Iterator
from pathlib import Path

from index.reading import jsonl
from index.reading.base import ReadOptions, SourceFile
from index.types import Document, Failure


def documents(path: Path, text_field: str) -> Iterator[Document | Failure]:
    """Read a document a row: ``id`` or ``_id``, the text, and every other field as metadata."""
    return jsonl.read(SourceFile(path, path.name), ReadOptions(text_field))
