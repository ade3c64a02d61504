"""Late interaction by its definition: slow, obvious, and what every faster path must equal."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.multivectors import MultiVectors


def similarities(query: NDArray[np.floating[Any]], vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Multiply each of ``(n_q, dim)`` with each of ``(n, dim)``: ``(n_q, n)``, rounded from double precision.

    In single precision the last bits of a product depend on where it stands in the matrix, by BLAS and processor:
    passages that tie would be ordered by their places.
    """
    found: NDArray[np.float32] = (query.astype(np.float64) @ vectors.astype(np.float64).T).astype(np.float32)
    return found


def maxsim(query: NDArray[np.floating[Any]], document: NDArray[np.floating[Any]]) -> float:
    """Sum, over the query's vectors, the best dot product with any vector of the document.

    Args:
        query: ``(n_q, dim)``.
        document: ``(n_d, dim)``.

    Returns:
        The score, rounded to float32; −inf for a document without vectors, since nothing in it can match.

    Example:
        >>> maxsim(np.eye(2, dtype=np.float32), np.array([[1, 0], [0.5, 0.25]], dtype=np.float32))
        1.25
    """
    if len(document) == 0:
        return float("-inf")
    return float(np.float32(similarities(query, document).max(axis=1).sum(dtype=np.float64)))


def maxsim_scores(query: NDArray[np.floating[Any]], documents: MultiVectors) -> NDArray[np.float32]:
    """Score each item against the query ``(n_q, dim)``: ``(n_items,)``, −inf for items without vectors."""
    return np.array([maxsim(query, document) for document in documents], dtype=np.float32)
