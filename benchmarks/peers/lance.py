"""LanceDB: IVF with product quantisation over all token vectors, scores imputed as in XTR, exact on what is refined."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting
from lfm2_colbert.multivectors import MultiVectors

TABLE, COLUMN = "passages", "tokens"
PARTITIONS, SUB_VECTORS = 512, 32
TOKENS_PER_PARTITION = 256
"""Fewer tokens, as in tests, get fewer partitions."""


class LanceDb:
    """Keeps float16 vectors beside the index."""

    environment = Environment(("lancedb==0.40.0", "numpy==2.4.6"), ("lancedb", "lancedb.index"))
    settings = tuple(
        Setting.of(nprobes=n_probes, refine_factor=refine)
        for n_probes, refine in ((4, 1), (16, 1), (16, 5), (64, 5), (64, 20))
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Write the table, then index it; its thread pools are as large as the environment says."""
        import lancedb
        from lancedb.index import IvfPq

        table = lancedb.connect(folder).create_table(TABLE, arrow(material.passages, np.arange(len(material.passages))))
        partitions = min(PARTITIONS, max(1, len(material.token_ids) // TOKENS_PER_PARTITION))
        config = IvfPq(distance_type="cosine", num_partitions=partitions, num_sub_vectors=SUB_VECTORS)
        table.create_index(COLUMN, config=config)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Open the table."""
        import lancedb

        table = lancedb.connect(folder).open_table(TABLE)
        n_probes, refine = setting.parameters["nprobes"], setting.parameters["refine_factor"]

        def search(query: NDArray[np.float32], k: int) -> Found:
            asked = table.search(query, vector_column_name=COLUMN).select(["id", "_distance"]).limit(k)
            rows = asked.nprobes(n_probes).refine_factor(refine).to_arrow()
            return Found(rows["id"].to_numpy(), -rows["_distance"].to_numpy())

        return search


def arrow(passages: MultiVectors, numbers: NDArray[np.int64]) -> Any:
    """Lay passages out as rows of the table."""
    import pyarrow

    flat = pyarrow.array(np.ascontiguousarray(passages.vectors).ravel())
    vectors = pyarrow.FixedSizeListArray.from_arrays(flat, passages.dim)
    tokens = pyarrow.ListArray.from_arrays(passages.offsets.astype(np.int32), vectors)
    return pyarrow.table({"id": numbers, COLUMN: tokens})
