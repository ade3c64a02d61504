"""Parquet: a table of documents, and one of passages with their vectors.

documents.parquet   id, text, metadata, anchors
passages.parquet    document_id, passage, text, start, end, tokens, language, metadata, anchor, vectors
"""

from pathlib import Path

from pyarrow import parquet

from index.exporting.arrow import DOCUMENTS, documents_batches, passages_batch, passages_schema
from index.exporting.contents import Contents


def write(contents: Contents, folder: Path) -> None:
    """Write both tables."""
    with parquet.ParquetWriter(folder / "documents.parquet", DOCUMENTS) as table:
        for batch in documents_batches(contents.documents()):
            table.write_batch(batch)
    schema = passages_schema(contents.settings.dim)
    with parquet.ParquetWriter(folder / "passages.parquet", schema) as table:
        for block in contents.blocks():
            table.write_batch(passages_batch(block))
