"""Passages and documents as Arrow tables, for the forms that are made of these. It needs pyarrow."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from index.exporting.contents import Block, Whole
from index.exporting.rows import DocumentRow

ROWS_PER_BATCH = 256

DOCUMENTS = pa.schema(
    [("id", pa.string()), ("text", pa.large_string()), ("metadata", pa.string()), ("anchors", pa.string())]
)
"""Columns of documents; metadata and anchors are JSON, as their fields differ from document to document."""


def passages_schema(dim: int) -> Any:
    """Give the columns of passages; metadata and the anchor are JSON."""
    return pa.schema(
        [
            ("document_id", pa.string()),
            ("passage", pa.int32()),
            ("text", pa.large_string()),
            ("start", pa.int64()),
            ("end", pa.int64()),
            ("tokens", pa.int32()),
            ("language", pa.string()),
            ("metadata", pa.string()),
            ("anchor", pa.string()),
            ("vectors", pa.list_(pa.list_(pa.float16(), dim))),
        ]
    )


def passages_batch(block: Block) -> Any:
    """Lay passages out as rows of `passages_schema`."""
    passages = [row.passage for row in block.rows]
    flat = pa.array(np.ascontiguousarray(block.vectors.vectors, np.float16).reshape(-1))
    tokens = pa.FixedSizeListArray.from_arrays(flat, block.vectors.dim)
    columns = [
        [row.document.id for row in block.rows],
        [passage.ordinal for passage in passages],
        [row.text for row in block.rows],
        [passage.start for passage in passages],
        [passage.end for passage in passages],
        [passage.tokens for passage in passages],
        [passage.language for passage in passages],
        [_json(row.document.metadata) for row in block.rows],
        [_json(row.anchor) for row in block.rows],
        pa.ListArray.from_arrays(block.vectors.offsets.astype(np.int32), tokens),
    ]
    schema = passages_schema(block.vectors.dim)
    arrays = [c if isinstance(c, pa.Array) else pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def documents_batches(documents: Iterable[Whole]) -> Iterator[Any]:
    """Lay documents out as rows of `DOCUMENTS`, some at a time."""
    rows: list[dict[str, str]] = []
    for each in documents:
        row = DocumentRow.of(each)
        anchors = [asdict(anchor) for anchor in row.anchors]
        rows.append({"id": row.id, "text": row.text, "metadata": _json(row.metadata), "anchors": _json(anchors)})
        if len(rows) == ROWS_PER_BATCH:
            yield pa.RecordBatch.from_pylist(rows, DOCUMENTS)
            rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, DOCUMENTS)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
