"""Fewer vectors a passage: those near each other are joined, as in Clavié, Chaffin and Adams 2024 (arXiv 2409.14683).

Hierarchical clustering by Ward's criterion; each cluster becomes the mean of its members, brought back to unit norm.
Nothing is random: of equal distances, the pair of earlier tokens is joined first.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.native import kernels
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError
from lfm2_colbert.multivectors import MultiVectors

FACTORS = (1, 2, 3)
STRETCH_TOKENS = 768
"""Longer passages are clustered in stretches of so many tokens: time and memory grow with the square. No encoder here
reads as many. Every factor divides it, so stretches do not change the number of vectors."""
MAX_TOKENS = 2**16
"""Of a passage, so that a token's place in it fits 16 bits."""
DECIMALS = 12
"""Products that agree so far are equal: what differs beyond it is the rounding of double precision."""


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Passages with pooled vectors.

    Attributes:
        vectors: each passage's pooled vectors, in the order of their clusters' first members.
        origins: ``(n_vectors,)`` uint16, for each vector the place in its passage of the token it stands for: the
            member nearest to it, the earlier of equals. None where nothing was pooled: vector ``i`` is token ``i``.
    """

    vectors: MultiVectors
    origins: NDArray[np.uint16] | None


def require_factor(factor: int) -> None:
    """Accept the factors there are.

    Raises:
        InvalidArgumentError: it is none of them.
    """
    if factor not in FACTORS:
        raise InvalidArgumentError(
            f"the pooling factor is one of {', '.join(map(str, FACTORS))}, not {factor}",
            help="1 keeps every vector, 2 about half of them",
        )


def pooled_count(n_tokens: int, factor: int) -> int:
    """Count the vectors that a passage keeps: a share of ``1 / factor``, rounded up so that any token leaves one."""
    return -(-n_tokens // factor)


def spans_of_vectors(spans: Spans, places: NDArray[np.intp], factor: int) -> Spans | None:
    """Give the span of each vector of a passage, the one of the token it stands for.

    Args:
        spans: the encoder's, of the passage's text.
        places: ``(n,)``, of each vector, the place of its token among them.
        factor: by which the passage's vectors were joined.

    Returns:
        ``(n, 2)``; None if somebody else computed the vectors, so that nobody knows what they stand for.
    """
    if len(places) != pooled_count(len(spans), factor) or places.max(initial=-1) >= len(spans):
        return None
    return spans[places]


def pool(vectors: MultiVectors, factor: int) -> Pooled:
    """Join each passage's vectors to about a `factor`-th of their number.

    A passage's result depends on that passage alone. The length of a vector counts for nothing; one of zeros stays as
    it is. Where the members of a cluster cancel out, its first member stands for it.

    Args:
        vectors: one item a passage; an empty one stays empty.
        factor: one of `FACTORS`; 1 gives the vectors back as they are, others float32.

    Raises:
        InvalidArgumentError: there is no such factor, or a passage has too many vectors.
        NonFiniteVectorError: a value is NaN or infinite.

    Example:
        >>> tokens = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
        >>> pooled = pool(MultiVectors.of([tokens]), 2)
        >>> pooled.vectors[0].astype(float).round(2).tolist(), pooled.origins.tolist()
        ([[0.95, 0.32], [0.0, 1.0]], [0, 1])
    """
    require_factor(factor)
    if factor == 1:
        return Pooled(vectors, None)
    _require_poolable(vectors)
    counts = [pooled_count(n_tokens, factor) for n_tokens in vectors.lengths.tolist()]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    pooled = np.empty((int(offsets[-1]), vectors.dim), np.float32)
    origins = np.empty(len(pooled), np.uint16)
    done = 0
    for first, last in pairwise(vectors.offsets.tolist()):
        for start in range(first, last, STRETCH_TOKENS):
            tokens = _unit(vectors.vectors[start : min(start + STRETCH_TOKENS, last)].astype(np.float64))
            clusters = _clusters(tokens, pooled_count(len(tokens), factor))
            centres = _centres(tokens, clusters)
            own = slice(done, done + len(centres))
            pooled[own], origins[own] = centres, start - first + _nearest_members(tokens, clusters, centres)
            done = own.stop
    return Pooled(MultiVectors(pooled, offsets), origins)


def _require_poolable(vectors: MultiVectors) -> None:
    if vectors.lengths.max(initial=0) > MAX_TOKENS:
        raise InvalidArgumentError(
            f"a passage of {vectors.lengths.max()} vectors is too long to be pooled",
            help=f"give passages of at most {MAX_TOKENS} vectors",
        )
    finite = np.isfinite(vectors.vectors).all(axis=1)
    if not finite.all():
        raise NonFiniteVectorError(
            f"token vector {int(finite.argmin())} is not finite", help="check the encoder's output for NaN"
        )


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.where(norms == 0, 1, norms)
    return unit


def _clusters(tokens: NDArray[np.float64], n_clusters: int) -> NDArray[np.int64]:
    """Give each token ``(n, dim)`` its cluster ``(n,)``, numbered in the order of their first members."""
    first_members = kernels().ward_clusters(_squared_distances(tokens), n_clusters)
    is_first = first_members == np.arange(len(tokens))
    numbers: NDArray[np.int64] = np.cumsum(is_first) - 1
    return numbers[first_members]


def _squared_distances(tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not BLAS: on busy cores its threads wait for each other ten times as long as this takes, and equal vectors must
    # give equal products, wherever they stand.
    products = np.einsum("id,jd->ij", tokens, tokens)
    squares = products.diagonal()
    distances: NDArray[np.float64] = squares[:, None] + squares - 2 * products
    np.fill_diagonal(distances, np.inf)
    return distances


def _centres(tokens: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each cluster's mean, of unit norm: ``(n_clusters, dim)``."""
    order, starts = np.argsort(clusters, kind="stable"), _starts(clusters)
    means = np.add.reduceat(tokens[order], starts) / np.bincount(clusters)[:, None]
    cancelled = np.round(np.linalg.norm(means, axis=1), DECIMALS) == 0
    means[cancelled] = tokens[order[starts[cancelled]]]
    return _unit(means)


def _nearest_members(
    tokens: NDArray[np.float64], clusters: NDArray[np.int64], centres: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Give the token of each cluster with the largest product with its centre, ``(n_clusters,)``."""
    products = np.round(np.einsum("nd,nd->n", tokens, centres[clusters]), DECIMALS)
    order = np.lexsort((-products, clusters))  # stable: of equal products the earlier token comes first
    nearest: NDArray[np.int64] = order[_starts(clusters)]
    return nearest


def _starts(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell where each cluster begins, ``(n_clusters,)``, among tokens in the order of their clusters."""
    sizes = np.bincount(clusters)
    starts: NDArray[np.int64] = np.cumsum(sizes) - sizes
    return starts
