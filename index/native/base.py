"""What a kernel is, in NumPy terms. `index/native/fallback.py` says it in code; the C++ of `kernels/` says it fast.

Integers decide: every variant computes the same integer products, so variants differ by the rounding of a few float
operations, and rankings do not depend on the machine. Clusters are joined by the same float operations in all of them.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

VALUE_LIMIT = 63
"""Largest magnitude of a coarse query value; with levels up to 127, sums of four products stay within 16 bits."""
LEVEL_OFFSET = 64
"""Added to signed levels and centroids to make them unsigned, 1 to 127."""
ROWS_PER_THREAD = 32
"""Handing fewer to another thread costs more than scoring them."""
LANES = 16
"""Columns of tables and products come in multiples of this; those beyond the query's tokens mean nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Passages to score: row ``r`` owns the tokens ``offsets[r]:offsets[r + 1]``.

    Attributes:
        offsets: ``(n_passages + 1,)`` int64, rising.
        rows: ``(n_rows,)`` int64.
        threads: that may share the work; results do not depend on it.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]
    threads: int = 1

    def tokens(self) -> NDArray[np.int64]:
        """Name the tokens of the rows, one row after the other."""
        first, last = self.offsets[self.rows], self.offsets[self.rows + 1]
        lengths = last - first
        own = np.cumsum(lengths) - lengths  # where each row's tokens begin among those gathered
        return np.repeat(first - own, lengths) + np.arange(lengths.sum())

    def split(self) -> "list[Rows]":
        """Cut into a stretch for each thread; few rows are not worth it."""
        n = min(self.threads, len(self.rows) // ROWS_PER_THREAD)
        if n <= 1:
            return [self]
        return [Rows(self.offsets, part) for part in np.array_split(self.rows, n)]


@dataclass(frozen=True, slots=True, eq=False)
class TokenCodes:
    """Rotated codes of 4 or 2 bits a dimension, in the layout of `SHIFTS`.

    A token's score against a query token is ``scale · unit · Σ level · value + mean``.

    Attributes:
        codes: ``(n_tokens, dim · bits / 8)`` uint8.
        scales: ``(n_tokens,)`` float16.
        means: ``(n_tokens,)`` float16, added to every product.
        refinement: ``(n_tokens, dim / 2)`` uint8, the next 4 bits; None for codes that have no more.
        fine_scales: ``(n_tokens,)`` float16, the scale of refined codes; None likewise.
        bits: 4 or 2.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]
    means: NDArray[np.float16]
    refinement: NDArray[np.uint8] | None = None
    fine_scales: NDArray[np.float16] | None = None
    bits: int = 4


def refined(tokens: TokenCodes) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Give the refinement and its scales of codes that have one.

    Raises:
        ValueError: these have none.
    """
    if tokens.refinement is None or tokens.fine_scales is None:
        raise ValueError("these codes have no refinement")
    return tokens.refinement, tokens.fine_scales


SHIFTS = {4: (0, 4), 2: (0, 4, 2, 6)}
"""Where byte ``i`` of a token holds dimension ``i``, and after it those at equal distances from there: at 4 bits
``dim / 2 + i``, at 2 bits ``dim / 4 + i`` and so on. This order lets one look-up of nibbles serve both."""


def unpacked(codes: NDArray[np.uint8], bits: int = 4) -> NDArray[np.uint8]:
    """Give the ``(n, dim)`` codes of ``(n, dim · bits / 8)`` bytes in the layout of `SHIFTS`."""
    return np.concatenate([codes >> shift & (1 << bits) - 1 for shift in SHIFTS[bits]], axis=1)


def packed(codes: NDArray[np.uint8], bits: int = 4) -> NDArray[np.uint8]:
    """Undo `unpacked`."""
    parts = np.split(codes, len(SHIFTS[bits]), axis=1)
    joined: NDArray[np.uint8] = np.bitwise_or.reduce(
        [part << shift for part, shift in zip(parts, SHIFTS[bits], strict=True)]
    )
    return joined


@dataclass(frozen=True, slots=True, eq=False)
class CoarseQuery:
    """A query against coarse codes.

    Attributes:
        values: ``(n_q, dim)`` int8, from −63 to 63; dim divisible by 16, for 2-bit codes by 32.
        levels: ``(2 ** bits,)`` int8, from −63 to 63: what each code stands for.
        unit: what one unit of value times level is worth.
    """

    values: NDArray[np.int8]
    levels: NDArray[np.int8]
    unit: float


@dataclass(frozen=True, slots=True, eq=False)
class FineQuery:
    """A query against refined 4-bit codes: code ``c`` with refinement ``r`` stands for ``bases[c] + r · steps[c]``.

    Attributes:
        values: ``(n_q, dim)`` int16; the sums of products must stay within 31 bits.
        bases: ``(16,)`` int16.
        steps: ``(16,)`` int16.
        unit: what one unit of value times level is worth.
    """

    values: NDArray[np.int16]
    bases: NDArray[np.int16]
    steps: NDArray[np.int16]
    unit: float


@dataclass(frozen=True, slots=True, eq=False)
class CodingTables:
    """The cells of a scalar code.

    Attributes:
        bounds: ``(n_cells − 1,)`` float32, rising, between 16 or 4 cells.
        levels: ``(n_cells,)`` int8, what a coarse code stands for, in units of `level_unit`.
        bases: ``(n_cells,)`` int16, where the refinement of a cell begins, in units of `fine_unit`.
        steps: ``(n_cells,)`` int16, what each of its 16 steps adds.
        level_unit: float.
        fine_unit: float.
    """

    bounds: NDArray[np.float32]
    levels: NDArray[np.int8]
    bases: NDArray[np.int16]
    steps: NDArray[np.int16]
    level_unit: float
    fine_unit: float

    @property
    def bits(self) -> int:
        """Of a code."""
        return (len(self.levels) - 1).bit_length()


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Codes of n vectors.

    Attributes:
        codes: ``(n, dim · bits / 8)`` uint8, packed as in `TokenCodes`.
        refinement: ``(n, dim / 2)`` uint8.
        coarse_products: ``(n,)`` float32, each vector times what its coarse code stands for.
        fine_products: ``(n,)`` float32, each vector times what all its bits stand for.
    """

    codes: NDArray[np.uint8]
    refinement: NDArray[np.uint8]
    coarse_products: NDArray[np.float32]
    fine_products: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PostingLists:
    """Centroid ``c`` occurs in the passages ``rows[offsets[c]:offsets[c + 1]]``.

    Attributes:
        offsets: ``(n_centroids + 1,)`` int64, rising.
        rows: uint32, each passage once a list.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class WordPostings:
    """Word ``w`` stands ``frequencies[i]`` times in passage ``rows[i]``, for ``i`` in ``offsets[w]:offsets[w + 1]``.

    Attributes:
        offsets: ``(n_words + 1,)`` int64, rising.
        rows: uint32, each passage once a word.
        frequencies: uint8, as many; 255 stands for more, too.
        lengths: ``(n_passages,)`` uint32, words of each passage.
        groups: ``(n_passages,)`` uint32, rising: which document a passage is of, counted from 0.
        group_lengths: ``(n_groups,)`` uint32, words of each document.
    """

    offsets: NDArray[np.int64]
    rows: NDArray[np.uint32]
    frequencies: NDArray[np.uint8]
    lengths: NDArray[np.uint32]
    groups: NDArray[np.uint32]
    group_lengths: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class WordQuery:
    """The words of a query by their numbers in the postings, and what BM25 makes of them.

    A word that stands ``f`` times in a passage of length ``n`` is worth ``weight · f / (f + base + slope · n)`` there,
    and likewise in a document, with `group_slope`.

    Attributes:
        words: ``(n_words,)`` int64.
        weights: ``(n_words,)`` float32.
        base: float.
        slope: float.
        group_slope: float.
    """

    words: NDArray[np.int64]
    weights: NDArray[np.float32]
    base: float
    slope: float
    group_slope: float


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest centroids of n vectors.

    Attributes:
        ids: ``(n,)`` uint32.
        products: ``(n,)`` int32, of each vector and its centroid.
    """

    ids: NDArray[np.uint32]
    products: NDArray[np.int32]


CentroidCodes = NDArray[np.uint16] | NDArray[np.uint32]
"""Numbers of centroids; two bytes each where that is enough."""


class Kernels(Protocol):
    """The loops that a search and a build spend their time in."""

    @property
    def variant(self) -> str:
        """``avx512``, ``avx2``, ``neon``, ``scalar`` or ``numpy``."""

    def maxsim_coarse(self, query: CoarseQuery, tokens: TokenCodes, rows: Rows) -> NDArray[np.float32]:
        """MaxSim over coarse codes, ``(n_rows,)``; −inf for a passage without tokens."""

    def maxsim_fine(self, query: FineQuery, tokens: TokenCodes, rows: Rows) -> NDArray[np.float32]:
        """MaxSim over refined 4-bit codes, ``(n_rows,)``; −inf for a passage without tokens."""

    def token_products(
        self, query: NDArray[np.float32], tables: CodingTables, tokens: TokenCodes
    ) -> NDArray[np.float32]:
        """Products of a query with what the codes of tokens stand for, ``(n_q, n_tokens)``; means are not added.

        A product is the same wherever its token stands.

        Args:
            query: ``(n_q, dim)``, dim divisible as by `CoarseQuery` and at most 4,096.
            tables: that the tokens were coded by.
            tokens: all of these; refined ones are read with their refinement.
        """

    def interact(self, table: NDArray[np.uint8], codes: CentroidCodes, rows: Rows) -> NDArray[np.int32]:
        """Sum over the table's columns of the largest entry among a passage's centroids, ``(n_rows,)``.

        Args:
            table: ``(n_centroids, width)``, width a multiple of `LANES`.
            codes: ``(n,)``, the centroids of the passages.
            rows: passages to score; offsets are into `codes`.

        Raises:
            CorruptionError: a code names no centroid.
        """

    def centroid_products(self, values: NDArray[np.int8], centroids: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Products of centroids (with `LEVEL_OFFSET` taken off) and query tokens, ``(n_centroids, width)``.

        The width is the number of query tokens, filled up to a multiple of `LANES` with zeros.
        """

    def quantise_table(self, products: NDArray[np.int32], low: int, high: int) -> NDArray[np.uint8]:
        """Bring products between `low` and `high` into 0 to 255; others are clamped."""

    def top_centroids(self, products: NDArray[np.int32], n_tokens: int, n_probe: int) -> NDArray[np.uint32]:
        """For each query token its best centroids, best first, ties by number: ``(n_tokens, n_probe)``."""

    def collect(
        self,
        probed: NDArray[np.uint32],
        products: NDArray[np.int32],
        lists: PostingLists,
        live: NDArray[np.bool_],
        limit: int,
    ) -> NDArray[np.int64]:
        """The `limit` live passages whose probed centroids add up to most, ascending; ties by number.

        A passage gets, for each query token, what its best probed centroid has above the token's least probed one.

        Raises:
            CorruptionError: a list names no passage.
        """

    def nearest_centroids(self, values: NDArray[np.int8], centroids: NDArray[np.uint8]) -> Nearest:
        """For each row of `values`, the centroid with the largest product; the first of equals."""

    def code_tokens(self, values: NDArray[np.float32], tables: CodingTables) -> Coded:
        """Code ``(n, dim)`` values, dim divisible by 16, for 2-bit codes by 32."""

    def score_words(self, postings: WordPostings, query: WordQuery) -> NDArray[np.float32]:
        """Give half of what the words are worth in each passage plus half of what they are in its document.

        Returns:
            ``(n_passages,)``; 0 for a passage in which none of them stands.

        Raises:
            CorruptionError: postings name no passage.
        """

    def ward_clusters(self, distances: NDArray[np.float64], n_clusters: int) -> NDArray[np.int64]:
        """Join the two nearest clusters until so many are left; of equal distances, the pair of earlier tokens first.

        All variants compute the same distances, to the bit.

        Args:
            distances: ``(n, n)``, squared, symmetric to the bit, infinite on the diagonal and nowhere else.
            n_clusters: 1 to n.

        Returns:
            ``(n,)``, for each token the first member of its cluster.
        """
