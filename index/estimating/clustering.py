"""What centroids would take: each step of their training as large as the collection would have it, on a part of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.codebook import (
    COARSE_ITERATIONS,
    FINE_ITERATIONS,
    SAMPLES_PER_CENTROID,
    Clusters,
    Codebook,
    kmeans,
    n_centroids_for,
)
from index.effort import pays_to_choose
from index.estimating.types import Cost, Stopwatch
from index.merging import MERGED_TOKENS
from lfm2_colbert.multivectors import MultiVectors

SAMPLES_PER_GROUP = 256
LIST_BYTES = 2 + 4
"""Of a centroid in a passage: its number, and the passage in its list."""
GROUP_BYTES = 4
"""Of a vector that centroids are trained on, beside its direction of a byte a dimension: which group it is in."""
GROUP_COPIES = 3
"""Of the vectors of one group, in single precision: chosen, made unit vectors, and as FAISS has them."""
LISTING_BYTES = 40
"""Of a vector while its segment's lists are made: its centroid (4), that told apart (8 and 2), its passage (4), the
order by centroids (8, and 8 while it is made), and the passages in that order (4)."""


@dataclass(frozen=True, slots=True)
class Clustering:
    """What it takes, and leaves on disk; `memory_bytes` at its peak: of training, or of lists of a segment."""

    cost: Cost
    disk_bytes: int
    memory_bytes: int


def clustering(n_vectors: int, sample: MultiVectors, rng: np.random.Generator) -> Clustering:
    """Price the centroids of a collection; nothing where it is small enough to be searched whole.

    Args:
        n_vectors: that the collection would store.
        sample: some of these.
        rng: of what stands for the others.
    """
    if not pays_to_choose(n_vectors) or not len(sample.vectors):
        return Clustering(Cost(), 0, 0)
    n_centroids = n_centroids_for(n_vectors)
    n_groups = 2 ** round(np.log2(n_centroids) / 2)
    trained = min(n_vectors, n_centroids * SAMPLES_PER_CENTROID)
    assigned, pairs = _assigned(sample, n_centroids, n_groups, rng)
    return Clustering(
        _coarse(sample, n_groups, rng)
        + _fine(sample, trained // n_groups, n_centroids // n_groups, rng).times(n_groups)
        + assigned.times(n_vectors / len(sample.vectors)),
        round(LIST_BYTES * pairs * n_vectors / len(sample.vectors)) + n_centroids * sample.dim,
        max(_training_bytes(trained, n_groups, sample.dim), LISTING_BYTES * min(n_vectors, MERGED_TOKENS)),
    )


def _training_bytes(trained: int, n_groups: int, dim: int) -> int:
    group = GROUP_COPIES * max(trained // n_groups, SAMPLES_PER_GROUP * n_groups) * dim * np.dtype(np.float32).itemsize
    return trained * (dim + GROUP_BYTES) + group


def _coarse(sample: MultiVectors, n_groups: int, rng: np.random.Generator) -> Cost:
    watch, vectors = Stopwatch(), _like(sample, n_groups * SAMPLES_PER_GROUP, rng)
    with watch.running():
        kmeans(vectors, n_groups, COARSE_ITERATIONS, seed=0)
    return watch.cost


def _fine(sample: MultiVectors, n_vectors: int, n_centroids: int, rng: np.random.Generator) -> Cost:
    watch, vectors = Stopwatch(), _like(sample, n_vectors, rng)
    with watch.running():
        kmeans(vectors, n_centroids, FINE_ITERATIONS, seed=0)
    return watch.cost


def _assigned(sample: MultiVectors, n_centroids: int, n_groups: int, rng: np.random.Generator) -> tuple[Cost, int]:
    """Find the centroids of the sample; give what that takes, and how often a passage has one."""
    offsets = np.linspace(0, n_centroids, n_groups + 1).astype(np.int64)
    codebook = Codebook.of(0, Clusters(_like(sample, n_centroids, rng), _like(sample, n_groups, rng), offsets))
    watch = Stopwatch()
    with watch.running():
        codes = codebook.nearest(sample.vectors.astype(np.float32, copy=False))
        rows = np.repeat(np.arange(len(sample)), sample.lengths)
        pairs = np.unique(rows * n_centroids + codes)
    return watch.cost, len(pairs)


def _like(sample: MultiVectors, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Give `n` vectors, ``(n, dim)``, near those of the sample."""
    chosen = sample.vectors[rng.integers(len(sample.vectors), size=n)].astype(np.float32)
    noise = rng.standard_normal((n, sample.dim), np.float32) / np.float32(4 * sample.dim**0.5)
    vectors: NDArray[np.float32] = chosen + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
