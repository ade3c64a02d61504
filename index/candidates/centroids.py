"""PLAID's way, in small integers: centroids near the query's tokens → their passages → all centroids of these.

(Santhanam et al., CIKM 2022.) The first step credits a passage that no probed list names with the floor of each query
token; the second looks at the centroids of all of a passage's tokens. Parts that were never clustered are given whole,
and where a filter leaves few passages the second step sees all of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.codebook import Codebook
from index.effort import RANKED_TOKENS, Budget
from index.native import kernels
from index.native.base import VALUE_LIMIT, Rows
from index.shortlist import UNKNOWN, Shortlist
from index.snapshot import View

TABLE_FLOOR = -0.1
"""Cosine that a table entry of 0 stands for; lower ones never decide a maximum."""


class Centroids:
    """Candidates from inverted lists, ranked by centroid interaction."""

    name = "centroids"

    def candidates(self, query: NDArray[np.float32], view: View, budget: Budget) -> Shortlist:
        """Give the best rows of clustered parts with their interaction, and all live rows of the others."""
        snapshot = view.snapshot
        if snapshot.codebook is None:
            return Shortlist.of([np.flatnonzero(part.live) for part in snapshot.parts])
        kept = snapshot.kept
        products, table, probed = look_up(query, snapshot.codebook, budget.n_probe)
        n_clustered = sum(int(part.live.sum()) for part in snapshot.parts if part.lists)
        rows: list[NDArray[np.int64]] = []
        promises: list[NDArray[Any]] = []
        for part in snapshot.parts:
            if part.lists is None:
                rows.append(np.flatnonzero(part.live))
                promises.append(np.full(len(rows[-1]), UNKNOWN))
                continue
            limit = _share(budget.n_candidates, int(part.live.sum()), n_clustered)
            if kept and kept.n_tokens <= RANKED_TOKENS:
                found = np.flatnonzero(part.live)
            else:
                found = kernels().collect(probed, products, part.lists.postings, part.live, limit)
            rows.append(found)
            promises.append(kernels().interact(table, part.lists.codes, Rows(part.lists.offsets, found, view.threads)))
        return Shortlist.of(rows, promises)


def look_up(
    query: NDArray[np.float32], codebook: Codebook, n_probe: int
) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.uint32]]:
    """Compare the query with all centroids: products, the same in 8 bits, and the nearest of each token."""
    step = float(np.abs(query).max()) / VALUE_LIMIT or 1.0
    products = kernels().centroid_products(np.rint(query / np.float32(step)).astype(np.int8), codebook.levels)
    longest = float(
        np.linalg.norm(query / np.float32(step), axis=1).max()
    )  # a cosine, however long the query's vectors
    floor = round(TABLE_FLOOR * longest / codebook.step)
    table = kernels().quantise_table(products, floor, max(int(products.max()), floor + 1))
    return products, table, kernels().top_centroids(products, len(query), n_probe)


def _share(n_candidates: int, n_live: int, n_clustered: int) -> int:
    """A part's share of the candidates, with room, since good passages do not lie evenly."""
    return min(n_candidates, 64 + 2 * n_candidates * n_live // max(n_clustered, 1))
