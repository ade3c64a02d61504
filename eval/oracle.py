"""MaxSim on the encoder's own output, for many queries at once: what a lossless exhaustive index would find.

`index/maxsim.py` is the definition and takes one query a time; this gives the same scores (`largest_deviation` measures
it) at the speed of matrix products over blocks.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from index.maxsim import maxsim_scores
from lfm2_colbert.multivectors import MultiVectors

QUERIES_PER_BLOCK = 32
PASSAGES_PER_BLOCK = 8
QUERIES_KEPT = 256
"""Whose scores of all passages are in memory at a time."""


def all_scores(queries: MultiVectors, passages: MultiVectors) -> NDArray[np.float32]:
    """Give ``(n_queries, n_passages)`` scores; every item has to have a vector."""
    scores = np.empty((len(queries), len(passages)), np.float32)
    for rows in _blocks(len(queries), QUERIES_PER_BLOCK):
        asked, first_asked = _part(queries, rows)
        for columns in _blocks(len(passages), PASSAGES_PER_BLOCK):
            found, first_found = _part(passages, columns)
            similarities = asked @ found.T  # (query tokens, passage tokens): NumPy's maxima are fast along rows only
            best = np.maximum.reduceat(similarities, first_found, axis=1)  # (query tokens, passages)
            scores[rows, columns] = np.add.reduceat(best, first_asked, axis=0)
    return scores


def best_of_each(
    queries: Sequence[MultiVectors],
    query_ids: Sequence[str],
    passages: MultiVectors,
    document_ids: Sequence[str],
    k: int,
) -> Iterator[dict[str, dict[str, float]]]:
    """Score all passages, some queries at a time, and give the best documents of these; see `best_documents`.

    A query is the windows that it is read in (`index.queries`), and a passage counts by the one that it answers best.
    """
    for rows in _blocks(len(queries), QUERIES_KEPT):
        yield best_documents(windowed_scores(queries[rows], passages), query_ids[rows], document_ids, k)


def windowed_scores(queries: Sequence[MultiVectors], passages: MultiVectors) -> NDArray[np.float32]:
    """Give ``(n_queries, n_passages)``: of the windows of a query the largest MaxSim for each of its vectors."""
    windows = MultiVectors.of([window for query in queries for window in query], dim=passages.dim)
    scores = all_scores(windows, passages) / windows.lengths[:, None].astype(np.float32)
    firsts = np.cumsum([0, *(len(query) for query in queries[:-1])])
    best: NDArray[np.float32] = np.maximum.reduceat(scores, firsts, axis=0)
    return best


def best_documents(
    scores: NDArray[np.float32], query_ids: Sequence[str], document_ids: Sequence[str], k: int
) -> dict[str, dict[str, float]]:
    """Score documents by their best passage and keep the `k` best of each query; ties in the order of their ids.

    Args:
        scores: ``(n_queries, n_passages)``.
        query_ids: of the rows.
        document_ids: of the columns; passages of a document stand together.
        k: documents kept.

    Returns:
        A run: query id → document id → score.
    """
    first = [i for i, each in enumerate(document_ids) if i == 0 or each != document_ids[i - 1]]
    names = np.array([document_ids[i] for i in first])
    best = np.maximum.reduceat(scores, first, axis=1)  # (queries, documents)
    order = [np.lexsort((names, -row))[:k] for row in best]
    return {
        query_id: {str(names[i]): float(row[i]) for i in kept}
        for query_id, row, kept in zip(query_ids, best, order, strict=True)
    }


def largest_deviation(scores: NDArray[np.float32], queries: MultiVectors, passages: MultiVectors, seed: int) -> float:
    """Compare three rows of `scores`, drawn at random, with `index/maxsim.py`: the largest absolute difference."""
    rows = np.random.default_rng(seed).choice(len(queries), min(3, len(queries)), replace=False)
    return max(float(np.abs(maxsim_scores(queries[int(i)], passages) - scores[i]).max()) for i in rows)


def _blocks(n: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _part(items: MultiVectors, part: slice) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Give the vectors of some items, and where each begins among them."""
    offsets = items.offsets[part.start : part.stop + 1]
    vectors = items.vectors[offsets[0] : offsets[-1]].astype(np.float32, copy=False)
    return vectors, offsets[:-1] - offsets[0]
