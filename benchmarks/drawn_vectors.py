"""Vectors drawn at random, of the shape that real ones have: for costs that do not depend on what a text says."""

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.multivectors import MultiVectors

TOPICS, DIM = 2000, 128
TOPICS_OF_A_PASSAGE = 8
NOISE = 0.8
BLOCK = 4096
QUERY_TOKENS = 20


def passages(n: int, n_tokens: int, seed: int) -> MultiVectors:
    """Draw ``n`` passages of ``n_tokens`` unit vectors each, float16, about a few topics out of many."""
    rng = np.random.default_rng(seed)
    vectors = np.empty((n, n_tokens, DIM), np.float16)
    for start in range(0, n, BLOCK):
        block = vectors[start : start + BLOCK]
        block[...] = _items(len(block), n_tokens, rng)
    return MultiVectors(vectors.reshape(-1, DIM), np.arange(n + 1, dtype=np.int64) * n_tokens)


def queries(n: int, seed: int) -> MultiVectors:
    """Draw queries about the same topics, float32."""
    return MultiVectors.of(list(_items(n, QUERY_TOKENS, np.random.default_rng(seed + 1))))


def _items(n: int, n_tokens: int, rng: np.random.Generator) -> NDArray[np.float32]:
    topics = np.random.default_rng(0).standard_normal((TOPICS, DIM)).astype(np.float32)
    chosen = np.take_along_axis(
        rng.integers(0, TOPICS, (n, TOPICS_OF_A_PASSAGE)), rng.integers(0, TOPICS_OF_A_PASSAGE, (n, n_tokens)), axis=1
    )
    near = topics[chosen] + NOISE * rng.standard_normal((n, n_tokens, DIM), np.float32)
    unit: NDArray[np.float32] = near / np.linalg.norm(near, axis=2, keepdims=True)
    return unit
