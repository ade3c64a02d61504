"""Qdrant: bodies of its REST API. A passage is a point with its token vectors as a multivector, compared by MaxSim.

collection.json   for ``PUT /collections/NAME``
points.jsonl      each line for ``PUT /collections/NAME/points``
"""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from index.exporting.contents import Block, Contents, Row

VECTOR = "colbert"
POINTS_PER_BODY = 64
VALUES_PER_BODY = 1_000_000
"""Some eight megabytes of JSON: Qdrant takes 32 unless it is told otherwise."""
NAMESPACE = UUID("1f7c9d5e-5a0b-5c43-9a3e-6d0c8f2b7a11")


def write(contents: Contents, folder: Path) -> None:
    """Write both files."""
    collection = json.dumps(collection_body(contents.settings.dim), indent=1) + "\n"
    (folder / "collection.json").write_text(collection, encoding="utf-8")
    with (folder / "points.jsonl").open("w", encoding="utf-8", newline="\n") as lines:
        for block in contents.blocks():
            for points in _bodies(block):
                lines.write(f'{{"points":[{",".join(points)}]}}\n')


def collection_body(dim: int) -> dict[str, Any]:
    """Say what a collection has to be to take the points: without a graph, which over single tokens costs too much."""
    return {
        "vectors": {
            VECTOR: {
                "size": dim,
                "distance": "Dot",
                "multivector_config": {"comparator": "max_sim"},
                "datatype": "float16",
                "hnsw_config": {"m": 0},
            }
        }
    }


def point_id(document_id: str, passage: int) -> str:
    """Name a passage, the same in every export: an import of the next one replaces it."""
    return str(uuid5(NAMESPACE, f"{document_id}\n{passage}"))  # no id holds a line feed


def _bodies(block: Block) -> Iterator[Sequence[str]]:
    points: list[str] = []
    n_values = 0
    for row, vectors in zip(block.rows, block.vectors, strict=True):
        if points and (len(points) == POINTS_PER_BODY or n_values + vectors.size > VALUES_PER_BODY):
            yield points
            points, n_values = [], 0
        if vectors.size:
            points.append(_point(row, vectors))
            n_values += vectors.size
    if points:
        yield points


def _point(row: Row, vectors: NDArray[np.floating[Any]]) -> str:
    passage = row.passage
    payload = {
        "document_id": row.document.id,
        "passage": passage.ordinal,
        "text": row.text,
        "start": passage.start,
        "end": passage.end,
        "language": passage.language,
        "metadata": dict(row.document.metadata),
        "anchor": dict(row.anchor),
    }
    written = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    name = point_id(row.document.id, passage.ordinal)
    return f'{{"id":"{name}","vector":{{"{VECTOR}":{_numbers(vectors)}}},"payload":{written}}}'


def _numbers(vectors: NDArray[np.floating[Any]]) -> str:
    """Write ``(n, dim)`` halves as lists, each value with the fewest digits that bring it back."""
    digits = _digits()[np.ascontiguousarray(vectors, np.float16).view(np.uint16)]
    return "[" + ",".join(f"[{','.join(row)}]" for row in digits.tolist()) + "]"


@lru_cache(maxsize=1)
def _digits() -> NDArray[np.object_]:
    """Write down all halves there are: to look a value up takes a tenth of the time that writing it takes."""
    return np.array([str(value) for value in np.arange(2**16, dtype=np.uint16).view(np.float16)], object)
