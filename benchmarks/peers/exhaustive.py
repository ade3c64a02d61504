"""MaxSim over all float32 vectors with NumPy: nothing is lost, and what every engine has to be faster than."""

from pathlib import Path

import numpy as np

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting
from eval.oracle import all_scores
from lfm2_colbert.multivectors import MultiVectors


class Exhaustive:
    """Stores float16, searches float32."""

    environment = Environment()
    settings = (Setting.of(dtype="float32"),)

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Store the vectors."""
        np.save(folder / "vectors.npy", material.passages.vectors)
        np.save(folder / "offsets.npy", material.passages.offsets)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Read all vectors into memory."""
        vectors = np.load(folder / "vectors.npy").astype(np.float32)
        passages = MultiVectors(vectors, np.load(folder / "offsets.npy"))

        def search(query: np.ndarray, k: int) -> Found:
            scores = all_scores(MultiVectors.of([query]), passages)[0]
            best = np.argsort(-scores, kind="stable")[:k]
            return Found(best, scores[best])

        return search
