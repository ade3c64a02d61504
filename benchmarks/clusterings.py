"""Three ways to cluster token vectors; `benchmarks/codebooks.py` says what each costs and finds.

*two-level* is what a collection trains (`index/codebook.py`). *plain* is k-means over all tokens at once.
*token-aware* clusters inside each id of the vocabulary, as TACHIOM does (SIGIR 2026, arXiv 2604.28142), so it has to be
told what each vector stands for.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.codebook import SAMPLES_PER_CENTROID, Clusters, Codebook, kmeans, train

PLAIN_SAMPLES_PER_CENTROID = 64
ITERATIONS = 10
RARE = 64
"""Ids seen fewer times share a group with others."""
SHARED_TOKENS = 1024
"""About so many tokens make a shared group: rare ids get about the share of the centroids that their tokens have."""
LEAST_TOKENS_PER_CENTROID = 39
"""TACHIOM's θ."""
BLOCK_TOKENS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """What is clustered.

    Attributes:
        vectors: ``(n_tokens, dim)`` float16.
        ids: ``(n_tokens,)`` uint32, what each vector stands for in the encoder's vocabulary.
    """

    vectors: NDArray[np.float16]
    ids: NDArray[np.uint32]

    def gathered(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Give some of the vectors, ``(n, dim)``."""
        return self.vectors[numbers].astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Tokens that were clustered apart from each other.

    Attributes:
        tokens: ``(n_tokens,)`` int64, all tokens, one group after the other, in random order inside each.
        token_bounds: ``(n_groups + 1,)`` int64, group ``g`` owns ``tokens[token_bounds[g]:token_bounds[g + 1]]``.
        centroid_bounds: ``(n_groups + 1,)`` int64, and the centroids between these.
    """

    tokens: NDArray[np.int64]
    token_bounds: NDArray[np.int64]
    centroid_bounds: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """What a method gives.

    Attributes:
        clusters: the centroids, in the groups in which a collection would look for them.
        groups: of tokens; None where all were clustered together.
    """

    clusters: Clusters
    groups: Groups | None = None

    @property
    def centroids(self) -> NDArray[np.float32]:
        """All of them, ``(n_centroids, dim)`` float32 unit vectors."""
        return self.clusters.centroids


def two_level(tokens: Tokens, n_centroids: int, seed: int) -> Clustering:
    """Train as a collection does."""
    return Clustering(train(_sampled(tokens, n_centroids * SAMPLES_PER_CENTROID, seed), n_centroids, seed))


def plain(tokens: Tokens, n_centroids: int, seed: int) -> Clustering:
    """Train by k-means on a sample."""
    sample = _sampled(tokens, n_centroids * PLAIN_SAMPLES_PER_CENTROID, seed)
    return Clustering(Clusters.whole(_unit(kmeans(sample, n_centroids, ITERATIONS, seed))))


def token_aware(tokens: Tokens, n_centroids: int, seed: int) -> Clustering:
    """Train inside groups of one id each, or of several rare ones; each has a centroid at least."""
    numbers = group_numbers(tokens, seed)
    order = np.random.default_rng(seed).permutation(len(numbers))
    order = order[np.argsort(numbers[order], kind="stable")]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(numbers))])
    members = [order[start:stop] for start, stop in pairwise(bounds)]
    sizes = np.diff(bounds)
    weights = np.sqrt(sizes) * [_variance(tokens.gathered(own)) for own in members]
    counts = shares(weights, np.maximum(sizes // LEAST_TOKENS_PER_CENTROID, 1), n_centroids)
    parts = [
        kmeans(tokens.gathered(own[: n * PLAIN_SAMPLES_PER_CENTROID]), n, ITERATIONS, seed)
        for own, n in zip(members, counts.tolist(), strict=True)
    ]
    groups = Groups(order, bounds, np.concatenate([[0], np.cumsum(counts)]))
    return Clustering(Clusters.whole(_unit(np.concatenate(parts))), groups)


METHODS: Mapping[str, Callable[[Tokens, int, int], Clustering]] = {
    "two-level": two_level,
    "plain": plain,
    "token-aware": token_aware,
}


def group_numbers(tokens: Tokens, seed: int) -> NDArray[np.int64]:
    """Number the group of each token, from 0 without gaps: its id, or a shared one of rare ids whose means are near."""
    counts = np.bincount(tokens.ids)
    rare = np.flatnonzero((counts > 0) & (counts < RARE))
    group_of_id = np.arange(len(counts))
    if len(rare):
        means = _means_of_ids(tokens, rare, counts[rare])
        n_shared = min(math.ceil(counts[rare].sum() / SHARED_TOKENS), len(rare))
        shared = Codebook.of(0, Clusters.whole(kmeans(means, n_shared, ITERATIONS, seed)))
        group_of_id[rare] = len(counts) + shared.nearest(means).astype(np.int64)
    return np.unique(group_of_id[tokens.ids], return_inverse=True)[1].astype(np.int64)


def shares(weights: NDArray[np.float64], largest: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Share out `n` in proportion to weights above 0, each getting from 1 to its `largest`.

    Together they get at most `n`, and nearly that; more where 1 for each is more, less where all have their largest.
    """

    def shared(factor: float) -> NDArray[np.int64]:
        return np.clip(factor * weights, 1, largest).astype(np.int64)

    low, high = 0.0, float(largest.max() / weights.min())
    for _ in range(80):  # the sum rises with the factor; a float has 53 bits, and factors differ by many powers of two
        middle = (low + high) / 2
        low, high = (middle, high) if shared(middle).sum() <= n else (low, middle)
    return shared(low)


def assigned_to_nearest(tokens: Tokens, clusters: Clusters) -> NDArray[np.uint32]:
    """Give each token the nearest centroid of the clusters' groups near to it, ``(n_tokens,)``."""
    codebook = Codebook.of(0, clusters)
    return np.concatenate([codebook.nearest(tokens.gathered(block)) for block in _blocks(len(tokens.ids))])


def assigned_to_groups(tokens: Tokens, groups: Groups, clustering: Clustering) -> NDArray[np.uint32]:
    """Give each token the nearest centroid of its own group, ``(n_tokens,)``."""
    codes = np.empty(len(tokens.ids), np.uint32)
    for (start, stop), (first, last) in zip(
        pairwise(groups.token_bounds), pairwise(groups.centroid_bounds), strict=True
    ):
        own = Codebook.of(0, Clusters.whole(clustering.centroids[first:last]))
        members = groups.tokens[start:stop]
        codes[members] = own.nearest(tokens.gathered(members)) + np.uint32(first)
    return codes


def mean_distance(tokens: Tokens, centroids: NDArray[np.float32], codes: NDArray[np.uint32]) -> float:
    """Give 1 − cosine between a token and its centroid, mean over the tokens, which are unit vectors."""
    total = sum(
        float(np.einsum("td,td->", tokens.gathered(block), centroids[codes[block]])) for block in _blocks(len(codes))
    )
    return 1 - total / len(codes)


def _sampled(tokens: Tokens, n: int, seed: int) -> NDArray[np.float32]:
    """Draw vectors without replacement, in random order; all where there are no more."""
    n_tokens = len(tokens.ids)
    return tokens.gathered(np.random.default_rng(seed).choice(n_tokens, min(n, n_tokens), replace=False))


def _means_of_ids(tokens: Tokens, ids: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Give the mean vector of each of some ids, ascending, ``(n_ids, dim)``; `counts` says how often each is seen."""
    members = np.flatnonzero(np.isin(tokens.ids, ids))
    members = members[np.argsort(tokens.ids[members], kind="stable")]
    starts = np.cumsum(counts) - counts
    sums = np.add.reduceat(tokens.gathered(members), starts, axis=0)
    return np.asarray(sums / counts[:, None], np.float32)


def _variance(vectors: NDArray[np.float32]) -> float:
    """Mean squared distance from the mean; never 0, so that all weights can be compared."""
    return max(float(vectors.var(axis=0).sum()), 1e-6)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms == 0, 1, norms), np.float32)


def _blocks(n_tokens: int) -> Iterator[NDArray[np.int64]]:
    return (np.arange(start, min(start + BLOCK_TOKENS, n_tokens)) for start in range(0, n_tokens, BLOCK_TOKENS))
