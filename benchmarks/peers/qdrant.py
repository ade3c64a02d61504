"""Qdrant Edge as its documentation advises for late interaction: HNSW on mean vectors, MaxSim of what that finds."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting

POINTS_PER_UPDATE = 500
HNSW_M, EF_CONSTRUCT, FULL_SCAN_THRESHOLD = 16, 100, 10_000


class QdrantEdge:
    """Float16 multi-vectors without a graph of their own."""

    environment = Environment(("qdrant-edge-py==0.9.0", "numpy==2.4.6"), ("qdrant_edge",))
    settings = (
        *(Setting.of(prefetch=n, hnsw_ef=n) for n in (200, 1000, 4000)),
        Setting("full scan", {}),
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Add all passages, then let the optimiser build the graph."""
        import qdrant_edge

        shard = qdrant_edge.EdgeShard.create(str(folder), _config(material.passages.dim, threads))
        for start in range(0, len(material.passages), POINTS_PER_UPDATE):
            points = [
                qdrant_edge.Point(i, {"tokens": vectors.tolist(), "mean": vectors.mean(axis=0).tolist()})
                for i in range(start, min(start + POINTS_PER_UPDATE, len(material.passages)))
                for vectors in [material.passages[i].astype(np.float32)]
            ]
            shard.update(qdrant_edge.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        shard.close()

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Load the shard."""
        import qdrant_edge

        shard = qdrant_edge.EdgeShard.load(str(folder))
        nearest = qdrant_edge.Query.Nearest

        def search(query: NDArray[np.float32], k: int) -> Found:
            prefetches = None
            if setting.parameters:
                mean = nearest(query.mean(axis=0).tolist(), using="mean")
                options = qdrant_edge.SearchParams(hnsw_ef=setting.parameters["hnsw_ef"])
                prefetches = [qdrant_edge.Prefetch(setting.parameters["prefetch"], mean, params=options)]
            asked = nearest(query.tolist(), using="tokens")
            points = shard.query(qdrant_edge.QueryRequest(k, query=asked, prefetches=prefetches))
            return Found(
                np.array([point.id for point in points], np.int64),
                np.array([point.score for point in points], np.float32),
            )

        return search


def _config(dim: int, threads: int) -> Any:
    import qdrant_edge

    graph = qdrant_edge.HnswIndexConfig(HNSW_M, EF_CONSTRUCT, FULL_SCAN_THRESHOLD, threads)
    no_graph = qdrant_edge.HnswIndexConfig(0, EF_CONSTRUCT, FULL_SCAN_THRESHOLD, threads)
    tokens = qdrant_edge.EdgeVectorParams(
        dim,
        qdrant_edge.Distance.Dot,
        multivector_config=qdrant_edge.MultiVectorConfig(qdrant_edge.MultiVectorComparator.MaxSim),
        datatype=qdrant_edge.VectorStorageDatatype.Float16,
        hnsw_config=no_graph,
    )
    mean = qdrant_edge.EdgeVectorParams(dim, qdrant_edge.Distance.Cosine, hnsw_config=graph)
    return qdrant_edge.EdgeConfig({"tokens": tokens, "mean": mean}, max_search_threads=threads, wal_enabled=False)
