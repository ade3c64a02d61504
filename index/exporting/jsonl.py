"""JSON Lines and safetensors: what anybody can read, and what becomes the same collection again.

documents.jsonl       {"id", "text", "metadata", "anchors", "passages"}, by id
passages.jsonl        {"document_id", "passage", "start", "end", "tokens", "language"}, by id and place
vectors.safetensors   `vectors` ``(n_vectors, dim)`` float16; passage i has the rows ``offsets[i]:offsets[i + 1]``
codes.safetensors     the same as the collection stores it, to the bit: what an import takes back
"""

from pathlib import Path

import numpy as np

from index.exporting.contents import Contents
from index.exporting.rows import CODES, DOCUMENTS, OFFSETS, PASSAGES, VECTORS, DocumentRow, PassageRow, line_of
from lfm2_colbert.safetensors import Layout, SafetensorsWriter


def write(contents: Contents, folder: Path) -> None:
    """Write the four files."""
    with (folder / DOCUMENTS).open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(line_of(DocumentRow.of(whole)) for whole in contents.documents())
    offsets: Layout = {OFFSETS: (np.dtype("<i8"), (contents.n_passages + 1,))}
    vectors: Layout = {"vectors": (np.dtype("<f2"), (contents.n_tokens, contents.settings.dim))}
    with (
        (folder / PASSAGES).open("w", encoding="utf-8", newline="\n") as lines,
        SafetensorsWriter(folder / VECTORS, {**offsets, **vectors}) as decoded,
        SafetensorsWriter(folder / CODES, {**offsets, **contents.layout()}) as codes,
    ):
        for tensors in (decoded, codes):
            tensors.append(OFFSETS, np.zeros(1, np.int64))
        n_tokens = 0
        for block in contents.blocks():
            lines.writelines(line_of(PassageRow.of(row.document.id, row.passage)) for row in block.rows)
            for tensors in (decoded, codes):
                tensors.append(OFFSETS, block.vectors.offsets[1:] + n_tokens)
            decoded.append("vectors", block.vectors.vectors)
            for name, array in block.arrays.items():
                codes.append(name, array)
            n_tokens += len(block.vectors.vectors)
