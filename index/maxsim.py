"""Late interaction by its definition: slow, obvious, and what every faster path must equal."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.multivectors import MultiVectors


def maxsim(query: NDArray[np.floating[Any]], document: NDArray[np.floating[Any]]) -> float:
    """Sum, over the query's vectors, the best dot product with any vector of the document.

    Args:
        query: ``(n_q, dim)``.
        document: ``(n_d, dim)``.

    Returns:
        The score, accumulated in float32; −inf for a document without vectors, since nothing in it can match.

    Example:
        >>> maxsim(np.eye(2, dtype=np.float32), np.array([[1, 0], [0.5, 0.25]], dtype=np.float32))
        1.25
    """
    if len(document) == 0:
        return float("-inf")
    similarities = query.astype(np.float32) @ document.astype(np.float32).T  # (n_q, n_d)
    return float(similarities.max(axis=1).sum(dtype=np.float32))


def maxsim_scores(query: NDArray[np.floating[Any]], documents: MultiVectors) -> NDArray[np.float32]:
    """Score each item against the query ``(n_q, dim)``: ``(n_items,)``, −inf for items without vectors."""
    return np.array([maxsim(query, document) for document in documents], dtype=np.float32)
