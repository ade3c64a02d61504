"""Centroids: some thousand directions that stand for all tokens, so that most passages are ruled out without a look.

Trained in two levels by FAISS: some hundred coarse groups, and inside each its share of the centroids. That costs
seconds where plain k-means takes minutes, and finds as well (docs/adr/0007). A token looks for its centroid in the
groups nearest to it. Vectors are compared by their products, in small integers.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import ArrayFile, damage, write_arrays
from index.durable import Folder
from index.native import kernels
from index.native.base import LEVEL_OFFSET, VALUE_LIMIT, Nearest
from index.records import CodebookInfo

KIND = "codebook"
TOKENS_PER_CENTROID = 180
MIN_CENTROIDS, MAX_CENTROIDS = 256, 65_536
SAMPLES_PER_CENTROID = 40
COARSE_ITERATIONS, FINE_ITERATIONS = 8, 6
NEAR_GROUPS = 4
"""Of a token: 98 in 100 find the nearest of all centroids there, at a twentieth of the comparisons."""
TOKENS_PER_BLOCK = 65_536
VALUES_PER_LOOK = 512
"""Compared with the groups at once, so that their products stay in the processor's cache."""
ARRAYS = ("levels", "step", "group_levels", "group_offsets")


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """What training gives.

    Attributes:
        centroids: ``(n_centroids, dim)`` float32 unit vectors, group after group.
        group_centroids: ``(n_groups, dim)`` float32.
        group_offsets: ``(n_groups + 1,)`` int64, where the centroids of a group begin.
    """

    centroids: NDArray[np.float32]
    group_centroids: NDArray[np.float32]
    group_offsets: NDArray[np.int64]

    @classmethod
    def whole(cls, centroids: NDArray[np.float32]) -> "Clusters":
        """Take ``(n_centroids, dim)`` as one group, in which a token is compared with all of them."""
        return cls(centroids, centroids[:1], np.array([0, len(centroids)], np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """Centroids as kernels read them.

    Attributes:
        number: under which it was published.
        levels: ``(n_centroids, dim)`` uint8, with `LEVEL_OFFSET` added.
        step: what one unit of a level is worth.
        group_levels: ``(n_groups, dim)`` uint8, of the groups' own centroids, in a unit of their own.
        group_offsets: ``(n_groups + 1,)`` int64, where the centroids of a group begin.
    """

    number: int
    levels: NDArray[np.uint8]
    step: float
    group_levels: NDArray[np.uint8]
    group_offsets: NDArray[np.int64]

    @classmethod
    def of(cls, number: int, clusters: Clusters) -> "Codebook":
        """Round unit vectors to levels."""
        levels, step = _levels(clusters.centroids)
        return cls(number, levels, step, _levels(clusters.group_centroids)[0], clusters.group_offsets)

    def nearest(self, vectors: NDArray[np.float32]) -> NDArray[np.uint32]:
        """Give for each of ``(n, dim)`` vectors the centroid with the largest product in the groups nearest to it."""
        values = directions(vectors)
        best = Nearest(np.zeros(len(values), np.uint32), np.full(len(values), np.iinfo(np.int32).min, np.int32))
        for start in range(0, len(values), TOKENS_PER_BLOCK):
            block = slice(start, start + TOKENS_PER_BLOCK)
            self._look_into_groups(values[block], Nearest(best.ids[block], best.products[block]))
        return best.ids

    def cosines(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the cosine of each of ``(n, dim)`` vectors with its nearest centroid, ``(n,)``."""
        centroids = self.levels[self.nearest(vectors)].astype(np.float32) - LEVEL_OFFSET
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(centroids, axis=1)
        cosines: NDArray[np.float32] = np.einsum("nd,nd->n", vectors, centroids) / np.maximum(lengths, 1e-9)
        return cosines

    def _look_into_groups(self, values: NDArray[np.int8], best: Nearest) -> None:
        """Raise the best of each vector: the centroids of a group are compared with all of its vectors at once."""
        groups = np.concatenate([self._groups_of(part) for part in _stretches(values)])  # (n, NEAR_GROUPS)
        order = np.argsort(groups, axis=None, kind="stable")
        bounds = np.searchsorted(groups.ravel()[order], np.arange(len(self.group_levels) + 1))
        for group in np.flatnonzero(np.diff(bounds)):
            own = order[bounds[group] : bounds[group + 1]] // groups.shape[1]
            first, last = self.group_offsets[group : group + 2]
            found = kernels().nearest_centroids(values[own], self.levels[first:last])
            better = found.products > best.products[own]
            best.ids[own[better]] = found.ids[better] + np.uint32(first)
            best.products[own[better]] = found.products[better]

    def _groups_of(self, values: NDArray[np.int8]) -> NDArray[np.uint32]:
        products = kernels().centroid_products(values, self.group_levels)
        return kernels().top_centroids(products, len(values), NEAR_GROUPS)

    def write(self, folder: Folder) -> CodebookInfo:
        """Make the codebook durable as ``folder/<number>.book``."""
        arrays: dict[str, NDArray[Any]] = {
            "levels": self.levels,
            "step": np.array([self.step], np.float32),
            "group_levels": self.group_levels,
            "group_offsets": self.group_offsets,
        }
        written = write_arrays(folder, f"{self.number:010d}.book", KIND, self.number, "", arrays)
        return CodebookInfo(self.number, written)

    @classmethod
    def open(cls, folder: Path, info: CodebookInfo) -> "Codebook":
        """Read a codebook, whole.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
        """
        file = ArrayFile.open(folder, info.file, KIND, info.number, "")
        file.check()
        levels, step, group_levels, group_offsets = (file.arrays.get(name) for name in ARRAYS)
        if levels is None or step is None or group_levels is None or group_offsets is None:
            raise damage(file.path, 0, "it holds no centroids")
        if {levels.dtype, group_levels.dtype} != {np.dtype(np.uint8)} or group_offsets.dtype != np.int64:
            raise damage(file.path, 0, "its arrays have other types than a codebook has")
        if step.shape != (1,) or not _fit(levels, group_levels, group_offsets):
            raise damage(file.path, 0, "its groups do not hold its centroids")
        return cls(info.number, levels, float(step[0]), group_levels, group_offsets)


def n_centroids_for(n_tokens: int) -> int:
    """Choose how many centroids serve a collection: the power of two nearest to a centroid for every 180 tokens."""
    wanted = 2 ** round(np.log2(max(n_tokens / TOKENS_PER_CENTROID, 1)))
    return int(min(max(wanted, MIN_CENTROIDS), MAX_CENTROIDS))


def train(sample: NDArray[Any], n_centroids: int, seed: int) -> Clusters:
    """Cluster the directions of ``(n, dim)`` vectors in two levels; memory is taken for a group at a time.

    Args:
        sample: some `SAMPLES_PER_CENTROID` vectors for each centroid, of any length; `directions` are a quarter of what
            they are made of, and do.
        n_centroids: wanted; where a group has fewer vectors than its share, there are fewer.
        seed: of FAISS's random starts.
    """
    n_groups = min(int(2 ** round(np.log2(n_centroids) / 2)), len(sample))
    group_centroids = kmeans(_unit(sample[: n_groups * 256].astype(np.float32)), n_groups, COARSE_ITERATIONS, seed)
    group_of = _groups(sample, _levels(group_centroids)[0])
    counts = np.bincount(group_of, minlength=n_groups)
    shares = np.maximum(counts * n_centroids // max(len(sample), 1), 1)
    filled = np.flatnonzero(counts)
    centroids = []
    for group in filled:
        own = _unit(sample[group_of == group].astype(np.float32))
        centroids.append(kmeans(own, int(min(shares[group], len(own))), FINE_ITERATIONS, seed))
    offsets = np.cumsum([0, *map(len, centroids)]).astype(np.int64)
    return Clusters(_unit(np.concatenate(centroids)), _unit(group_centroids[filled]), offsets)


def _groups(sample: NDArray[Any], levels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Give the nearest group of each vector."""
    blocks = (sample[start : start + TOKENS_PER_BLOCK] for start in range(0, len(sample), TOKENS_PER_BLOCK))
    found = [kernels().nearest_centroids(directions(block.astype(np.float32)), levels).ids for block in blocks]
    return np.concatenate([np.zeros(0, np.uint32), *found])


def directions(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round ``(n, dim)`` vectors, each by a step of its own: that does not change which centroid is nearest."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(vectors * (VALUE_LIMIT / np.where(largest == 0, np.float32(1), largest))).astype(np.int8)


def _levels(centroids: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float]:
    step = float(np.abs(centroids).max()) / VALUE_LIMIT or 1.0
    levels = np.rint(centroids / np.float32(step)).astype(np.int16) + LEVEL_OFFSET
    return levels.astype(np.uint8), step


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms == 0, 1, norms)).astype(np.float32, copy=False)


def _fit(levels: NDArray[Any], group_levels: NDArray[Any], offsets: NDArray[np.int64]) -> bool:
    return (
        levels.ndim == group_levels.ndim == 2
        and levels.shape[1] == group_levels.shape[1]
        and len(offsets) == len(group_levels) + 1
        and offsets[0] == 0
        and offsets[-1] == len(levels)
        and bool((np.diff(offsets) > 0).all())
    )


def _stretches(values: NDArray[np.int8]) -> list[NDArray[np.int8]]:
    return [values[start : start + VALUES_PER_LOOK] for start in range(0, len(values), VALUES_PER_LOOK)]


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
