"""TACHIOM: token-aware clustering, HNSW over the centroids, product quantisation of residuals."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting

MISSING = np.iinfo(np.uint32).max


class TachiomIndex:
    """Built with its defaults.

    Its wheel is named for a newer C library, of which it only uses functions that may be absent.
    """

    environment = Environment(
        ("tachiom==0.4.0", "numpy==2.4.6"),
        ("tachiom",),
        ("manylinux_2_39_x86_64", "manylinux_2_28_x86_64", "manylinux_2_27_x86_64"),
    )
    settings = (
        Setting.of(k_centroids=10, k_docs_to_score=200, ef_search=15, alpha=0.45),
        Setting.of(k_centroids=20, k_docs_to_score=500, ef_search=30, alpha=0.45),
        Setting.of(k_centroids=40, k_docs_to_score=1000, ef_search=60, alpha=0.45),
        Setting.of(k_centroids=40, k_docs_to_score=1000, ef_search=60, alpha=None),
        Setting.of(k_centroids=80, k_docs_to_score=2000, ef_search=120, alpha=None),
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Cluster by vocabulary id, then compress; its thread pool is as large as RAYON_NUM_THREADS says."""
        import tachiom

        passages = material.passages
        index = tachiom.Tachiom.build_from_arrays(
            np.ascontiguousarray(passages.vectors).view(np.uint16),
            material.token_ids,
            passages.lengths.astype(np.int32),
        )
        index.save(str(folder / "index.bin"))

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Read the index into memory."""
        import tachiom

        index = tachiom.Tachiom.load(str(folder / "index.bin"))

        def search(query: NDArray[np.float32], k: int) -> Found:
            scores, numbers = index.search(query, k, **setting.parameters)
            there = numbers != MISSING
            return Found(numbers[there].astype(np.int64), scores[there])

        return search
