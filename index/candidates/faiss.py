"""Nearest tokens by FAISS, then their passages: what most home-made engines do; here to compare with.

The index of a segment is made of its decoded vectors when it is first asked, and kept while the segment is open: an
inverted file of float16 vectors, four times the bytes of the codes.
"""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from index.codecs.base import Codec
from index.effort import Budget
from index.segment import Segment
from index.shortlist import Shortlist
from index.snapshot import Part, View

TOKENS_PER_LIST = 256
MOST_LISTS = 4096
TRAINING_PER_LIST = 64
_indexes: "WeakKeyDictionary[Segment, Any]" = WeakKeyDictionary()


class Faiss:
    """A passage's promise: for each query token its best token found, above the least that was found at all."""

    name = "faiss"

    def candidates(self, query: NDArray[np.float32], view: View, budget: Budget) -> Shortlist:
        """Share `n_candidates` among the query's tokens, and look up so many tokens for each."""
        n_each = max(budget.n_candidates // len(query), 1)
        found = [_nearest_passages(query, part, view.codec, budget.n_probe, n_each) for part in view.snapshot.parts]
        return Shortlist.of([rows for rows, _ in found], [promises for _, promises in found])


def _nearest_passages(
    query: NDArray[np.float32], part: Part, codec: Codec, n_probe: int, n_each: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Give live rows, ascending, and what they promise."""
    import faiss

    offsets, live = part.segment.offsets, part.live
    tokens = np.flatnonzero(np.repeat(live, np.diff(offsets)))
    if not len(tokens):
        return np.empty(0, np.int64), np.empty(0, np.float32)
    index = _index_of(part.segment, codec)
    chosen = None if live.all() else faiss.IDSelectorBatch(tokens)
    parameters = faiss.SearchParametersIVF(nprobe=min(n_probe, index.nlist), sel=chosen)  # type: ignore[call-arg]
    products, ids = index.search(query, min(n_each, len(tokens)), params=parameters)  # (n_q, n_each) both
    rows = np.searchsorted(offsets, ids, side="right") - 1
    best = np.zeros((len(query), len(live)), np.float32)
    seen = np.zeros(len(live), np.bool_)
    for token in range(len(query)):
        there = ids[token] >= 0
        own = rows[token][there]
        np.maximum.at(best[token], own, products[token][there] - products[token][there].min(initial=np.inf))
        seen[own] = True
    found = np.flatnonzero(seen)
    return found, best[:, found].sum(axis=0)


def _index_of(segment: Segment, codec: Codec) -> Any:
    if segment not in _indexes:
        _indexes[segment] = _build(codec.decode(segment.arrays))
    return _indexes[segment]


def _build(vectors: NDArray[np.float32]) -> Any:
    import faiss

    dim = vectors.shape[1]
    n_lists = min(max(len(vectors) // TOKENS_PER_LIST, 1), MOST_LISTS)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, n_lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.min_points_per_centroid = 1
    index.train(vectors[:: max(len(vectors) // (n_lists * TRAINING_PER_LIST), 1)])
    index.add(vectors)
    return index
