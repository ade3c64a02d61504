"""The kernels in NumPy: the definition that the others are tested against, and what runs where nothing was compiled.

Products of small integers are computed by floating-point matrix products, which are exact there: below 2²⁴ in float32,
below 2⁵³ in float64.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from index.native.base import (
    LANES,
    LEVEL_OFFSET,
    CentroidCodes,
    CoarseQuery,
    Coded,
    CodingTables,
    FineQuery,
    Nearest,
    PostingLists,
    Rows,
    TokenCodes,
    WordPostings,
    WordQuery,
    packed,
    refined,
    unpacked,
)
from lfm2_colbert.errors import CorruptionError

BLOCK_TOKENS = 8192
BLOCK_VALUES = 1024
REMAKE = "optimize the collection"


class NumpyKernels:
    """See `index.native.base.Kernels`."""

    variant = "numpy"

    def maxsim_coarse(self, query: CoarseQuery, tokens: TokenCodes, rows: Rows) -> NDArray[np.float32]:
        """MaxSim over coarse codes."""
        values = query.values.astype(np.float32)

        def products(stretch: NDArray[np.int64]) -> NDArray[np.float32]:
            return query.levels.astype(np.float32)[unpacked(tokens.codes[stretch], tokens.bits)] @ values.T

        return _maxsim(products, tokens.scales, tokens.means, np.float32(query.unit), rows)

    def maxsim_fine(self, query: FineQuery, tokens: TokenCodes, rows: Rows) -> NDArray[np.float32]:
        """MaxSim over refined codes."""
        values = query.values.astype(np.float64)
        refinement, scales = refined(tokens)

        def products(stretch: NDArray[np.int64]) -> NDArray[np.float32]:
            coarse, finer = unpacked(tokens.codes[stretch]), unpacked(refinement[stretch])
            levels = query.bases[coarse].astype(np.float64) + finer * query.steps[coarse].astype(np.float64)
            return (levels @ values.T).astype(np.float32)

        return _maxsim(products, scales, tokens.means, np.float32(query.unit), rows)

    def token_products(
        self, query: NDArray[np.float32], tables: CodingTables, tokens: TokenCodes
    ) -> NDArray[np.float32]:
        """Products of tokens and a query, by `numpy.einsum`: threads of BLAS would spin for milliseconds after one."""
        coarse, scales = unpacked(tokens.codes, tokens.bits), tokens.scales
        units, unit = tables.levels.astype(np.float32)[coarse], tables.level_unit
        if tokens.refinement is not None:
            refinement, scales = refined(tokens)
            units = (tables.bases[coarse] + unpacked(refinement) * tables.steps[coarse]).astype(np.float32)
            unit = tables.fine_unit
        vectors = units * (scales.astype(np.float32) * np.float32(unit))[:, None]
        products: NDArray[np.float32] = np.einsum("qd,nd->qn", query, vectors)
        return products

    def interact(self, table: NDArray[np.uint8], codes: CentroidCodes, rows: Rows) -> NDArray[np.int32]:
        """Sum of the largest table entries."""
        scores = np.zeros(len(rows.rows), np.int32)
        for block, stretch, starts, filled in _blocks(rows):
            if (codes[stretch] >= len(table)).any():
                raise CorruptionError("a token names a centroid that does not exist", help=REMAKE)
            best = np.maximum.reduceat(table[codes[stretch]], starts, axis=0)
            scores[block[filled]] = best.sum(axis=1, dtype=np.int32)
        return scores

    def centroid_products(self, values: NDArray[np.int8], centroids: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Products of centroids and query tokens."""
        products = np.zeros((len(centroids), -(-len(values) // LANES) * LANES), np.int32)
        products[:, : len(values)] = _signed(centroids) @ values.astype(np.float32).T
        return products

    def quantise_table(self, products: NDArray[np.int32], low: int, high: int) -> NDArray[np.uint8]:
        """Bring products into 0 to 255."""
        scale = np.float32(255) / np.float32(max(high - low, 1))
        above = (np.clip(products, low, high) - low).astype(np.float32)
        return (above * scale + np.float32(0.5)).astype(np.uint8)

    def top_centroids(self, products: NDArray[np.int32], n_tokens: int, n_probe: int) -> NDArray[np.uint32]:
        """The best centroids of each query token."""
        order = np.argsort(-products[:, :n_tokens].astype(np.int64), axis=0, kind="stable")
        return np.ascontiguousarray(order[:n_probe].T.astype(np.uint32))

    def collect(
        self,
        probed: NDArray[np.uint32],
        products: NDArray[np.int32],
        lists: PostingLists,
        live: NDArray[np.bool_],
        limit: int,
    ) -> NDArray[np.int64]:
        """The live passages whose probed centroids add up to most."""
        sums, found = np.zeros(len(live), np.int64), np.zeros(len(live), np.bool_)
        for token, centroids in enumerate(probed):
            gains = products[centroids, token].astype(np.int64)
            best = np.full(len(live), -1, np.int64)
            for centroid, gain in zip(centroids, gains - gains[-1], strict=True):
                rows = lists.rows[lists.offsets[centroid] : lists.offsets[centroid + 1]]
                if (rows >= len(live)).any():
                    raise CorruptionError("a posting list names no passage", help=REMAKE)
                best[rows] = np.maximum(best[rows], gain)
            found |= best >= 0
            sums += np.maximum(best, 0)
        touched = np.flatnonzero(found & live)
        order = np.lexsort((touched, -sums[touched]))
        return np.sort(touched[order[:limit]]).astype(np.int64)

    def nearest_centroids(self, values: NDArray[np.int8], centroids: NDArray[np.uint8]) -> Nearest:
        """The centroid with the largest product, for each row."""
        wide = _signed(centroids).T
        nearest = Nearest(np.empty(len(values), np.uint32), np.empty(len(values), np.int32))
        for start in range(0, len(values), BLOCK_VALUES):
            block = slice(start, start + BLOCK_VALUES)
            products = values[block].astype(np.float32) @ wide
            nearest.ids[block], nearest.products[block] = products.argmax(axis=1), products.max(axis=1)
        return nearest

    def code_tokens(self, values: NDArray[np.float32], tables: CodingTables) -> Coded:
        """Code values cell by cell."""
        cells = np.searchsorted(tables.bounds, values).astype(np.uint8)
        bases, steps = tables.bases.astype(np.float32), tables.steps.astype(np.float32)
        place = (values / np.float32(tables.fine_unit) - bases[cells]) / steps[cells]
        finer = np.clip(np.rint(place), 0, 15).astype(np.uint8)
        coarse = tables.levels.astype(np.float32)[cells] * np.float32(tables.level_unit)
        fine = (bases[cells] + finer * steps[cells]) * np.float32(tables.fine_unit)
        return Coded(
            packed(cells, tables.bits),
            packed(finer),
            np.einsum("ij,ij->i", values, coarse),
            np.einsum("ij,ij->i", values, fine),
        )

    def score_words(self, postings: WordPostings, query: WordQuery) -> NDArray[np.float32]:
        """BM25 word by word."""
        scores, by_group = (np.zeros(len(each), np.float32) for each in (postings.lengths, postings.group_lengths))
        for word, weight in zip(query.words, query.weights, strict=True):
            own = slice(postings.offsets[word], postings.offsets[word + 1])
            rows, often = postings.rows[own], postings.frequencies[own].astype(np.float32)
            if (rows >= len(scores)).any() or (postings.groups[rows] >= len(by_group)).any():
                raise CorruptionError("postings of a word name no passage", help=REMAKE)
            groups, place = np.unique(postings.groups[rows], return_inverse=True)
            in_group = np.bincount(place, often, len(groups)).astype(np.float32)
            scores[rows] += _worth(weight, often, query.base, query.slope, postings.lengths[rows])
            by_group[groups] += _worth(weight, in_group, query.base, query.group_slope, postings.group_lengths[groups])
        found = np.flatnonzero(scores)
        scores[found] = (scores[found] + by_group[postings.groups[found]]) * np.float32(0.5)
        return scores

    def ward_clusters(self, distances: NDArray[np.float64], n_clusters: int) -> NDArray[np.int64]:
        """Join the two nearest clusters."""
        distances, sizes = (
            distances.copy(),
            np.ones(len(distances)),
        )  # symmetric: the first minimum is above the diagonal
        first_members = np.arange(len(distances))
        for _ in range(len(distances) - n_clusters):
            kept, joined = divmod(int(distances.argmin()), len(distances))  # kept < joined
            merged = sizes[kept] + sizes[joined]
            # Lance and Williams' update for Ward's criterion; what was joined before stays infinitely far.
            updated = (
                (sizes[kept] + sizes) * distances[kept]
                + (sizes[joined] + sizes) * distances[joined]
                - sizes * distances[kept, joined]
            ) / (merged + sizes)
            updated[kept] = np.inf
            distances[kept] = distances[:, kept] = updated
            distances[joined] = distances[:, joined] = np.inf
            sizes[kept] = merged
            first_members[first_members == joined] = kept
        return first_members


def _worth(
    weight: np.float32, often: NDArray[np.float32], base: float, slope: float, lengths: NDArray[np.uint32]
) -> NDArray[np.float32]:
    expected = np.float32(base) + np.float32(slope) * lengths.astype(np.float32)
    return np.multiply(often / (often + expected), weight, dtype=np.float32)


def _signed(centroids: NDArray[np.uint8]) -> NDArray[np.float32]:
    return centroids.astype(np.float32) - np.float32(LEVEL_OFFSET)


def _maxsim(
    products: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    scales: NDArray[np.float16],
    means: NDArray[np.float16],
    unit: np.float32,
    rows: Rows,
) -> NDArray[np.float32]:
    scores = np.full(len(rows.rows), -np.inf, np.float32)
    for block, stretch, starts, filled in _blocks(rows):
        by = scales[stretch].astype(np.float32) * unit
        values = products(stretch) * by[:, None] + means[stretch].astype(np.float32)[:, None]
        best = np.maximum.reduceat(values, starts, axis=0)
        scores[block[filled]] = best.sum(axis=1, dtype=np.float32)
    return scores


def _blocks(
    rows: Rows,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]]:
    """Cut the rows into blocks: their places, their tokens, where each filled row's tokens begin, which are filled."""
    lengths = rows.offsets[rows.rows + 1] - rows.offsets[rows.rows]
    block_of = np.cumsum(lengths) // BLOCK_TOKENS
    for number in np.unique(block_of):
        block = np.flatnonzero(block_of == number)
        filled = lengths[block] > 0  # reduceat gives an empty stretch its neighbour's first value
        own = lengths[block][filled]
        if len(own):
            stretch = Rows(rows.offsets, rows.rows[block][filled]).tokens()
            yield block, stretch, np.cumsum(own) - own, filled
