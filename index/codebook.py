"""Centroids: some thousand directions that stand for all tokens, so that most passages are ruled out without a look.

Trained in two levels by FAISS: some hundred coarse groups, and inside each its share of the centroids. That costs
seconds where plain k-means takes minutes, and finds as well (docs/adr/0007). Vectors are compared by their products, in
small integers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import ArrayFile, damage, write_arrays
from index.native import kernels
from index.native.base import LEVEL_OFFSET, VALUE_LIMIT
from index.records import CodebookInfo

KIND = "codebook"
TOKENS_PER_CENTROID = 180
MIN_CENTROIDS, MAX_CENTROIDS = 256, 65_536
SAMPLES_PER_CENTROID = 40
COARSE_ITERATIONS, FINE_ITERATIONS = 8, 6


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """Centroids as kernels read them.

    Attributes:
        number: under which it was published.
        levels: ``(n_centroids, dim)`` uint8, with `LEVEL_OFFSET` added.
        step: what one unit of a level is worth.
    """

    number: int
    levels: NDArray[np.uint8]
    step: float

    @classmethod
    def of(cls, number: int, centroids: NDArray[np.float32]) -> "Codebook":
        """Round ``(n_centroids, dim)`` unit vectors to levels."""
        step = float(np.abs(centroids).max()) / VALUE_LIMIT or 1.0
        levels = np.rint(centroids / np.float32(step)).astype(np.int16) + LEVEL_OFFSET
        return cls(number, levels.astype(np.uint8), step)

    def nearest(self, vectors: NDArray[np.float32]) -> NDArray[np.uint32]:
        """Give the centroid with the largest product for each of ``(n, dim)`` vectors."""
        largest = np.abs(vectors).max(axis=1, keepdims=True)  # a vector's own scale does not change which is nearest
        values = np.rint(vectors * (VALUE_LIMIT / np.where(largest == 0, np.float32(1), largest)))
        return kernels().nearest_centroids(values.astype(np.int8), self.levels)

    def write(self, folder: Path) -> CodebookInfo:
        """Make the codebook durable as ``folder/<number>.book``."""
        arrays: dict[str, NDArray[Any]] = {"levels": self.levels, "step": np.array([self.step], np.float32)}
        written = write_arrays(folder / f"{self.number:010d}.book", KIND, self.number, "", arrays)
        return CodebookInfo(self.number, written)

    @classmethod
    def open(cls, folder: Path, info: CodebookInfo) -> "Codebook":
        """Read a codebook, whole.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
        """
        file = ArrayFile.open(folder, info.file, KIND, info.number, "")
        file.check()
        levels, step = file.arrays.get("levels"), file.arrays.get("step")
        if levels is None or step is None or levels.ndim != 2 or levels.dtype != np.uint8 or step.shape != (1,):
            raise damage(file.path, 0, "it holds no centroids")
        return cls(info.number, levels, float(step[0]))


def n_centroids_for(n_tokens: int) -> int:
    """Choose how many centroids serve a collection: the power of two nearest to a centroid for every 180 tokens."""
    wanted = 2 ** round(np.log2(max(n_tokens / TOKENS_PER_CENTROID, 1)))
    return int(min(max(wanted, MIN_CENTROIDS), MAX_CENTROIDS))


def train(sample: NDArray[np.float32], n_centroids: int, seed: int) -> NDArray[np.float32]:
    """Cluster ``(n, dim)`` vectors in two levels.

    Args:
        sample: some `SAMPLES_PER_CENTROID` vectors for each centroid.
        n_centroids: wanted; where a group has fewer vectors than its share, there are fewer.
        seed: of FAISS's random starts.

    Returns:
        ``(≤ n_centroids, dim)`` unit vectors.
    """
    n_groups = min(int(2 ** round(np.log2(n_centroids) / 2)), len(sample))
    group_centroids = kmeans(sample[: n_groups * 256], n_groups, COARSE_ITERATIONS, seed)
    group_of = Codebook.of(0, group_centroids).nearest(sample)
    counts = np.bincount(group_of, minlength=n_groups)
    shares = np.maximum(counts * n_centroids // max(len(sample), 1), 1)
    centroids = []
    for group in np.flatnonzero(counts):
        own = sample[group_of == group]
        centroids.append(kmeans(own, int(min(shares[group], len(own))), FINE_ITERATIONS, seed))
    joined = np.concatenate(centroids)
    norms = np.linalg.norm(joined, axis=1, keepdims=True)
    return (joined / np.where(norms == 0, 1, norms)).astype(np.float32, copy=False)


def kmeans(vectors: NDArray[np.float32], n: int, n_iterations: int, seed: int) -> NDArray[np.float32]:
    """Cluster all of ``(n_vectors, dim)`` into `n` by FAISS; the vectors themselves where they are not more."""
    import faiss

    if n >= len(vectors):
        return vectors
    if n == 1:
        return np.asarray(vectors.mean(axis=0, keepdims=True), np.float32)
    clustering = faiss.Kmeans(
        vectors.shape[1], n, niter=n_iterations, seed=seed, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=len(vectors),
    )  # fmt: skip
    clustering.train(np.ascontiguousarray(vectors))
    return np.asarray(clustering.centroids, np.float32)
