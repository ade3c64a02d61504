"""The compiled kernels, through ctypes: calls release the GIL, and nothing but pointers and sizes crosses."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

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
    refined,
)
from lfm2_colbert.errors import CorruptionError, InvalidArgumentError, ReadFailedError
from lfm2_colbert.processors import usable_processors

LIBRARY = Path(__file__).parent / "libkernels.so"
FORCED = "unset LFM2_COLBERT_KERNELS, or set it to numpy"

Scores = NDArray[Any]
_POINTER, _SIZE, _FLOAT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float


class _Passages(ctypes.Structure):
    _fields_ = (
        ("offsets", _POINTER),
        ("rows", _POINTER),
        ("n_rows", _SIZE),
        ("n_passages", _SIZE),
        ("n_tokens", _SIZE),
    )


class _FloatQuery(ctypes.Structure):
    _fields_ = (
        ("values", _POINTER),
        ("bases", _POINTER),
        ("steps", _POINTER),
        ("levels", _POINTER),
        ("unit", _FLOAT),
        ("n_tokens", _SIZE),
        ("n_padded", _SIZE),
    )


class _CoarseTokens(ctypes.Structure):
    _fields_ = (
        ("codes", _POINTER),
        ("refinement", _POINTER),
        ("scales", _POINTER),
        ("means", _POINTER),
        ("dim", _SIZE),
        ("bits", _SIZE),
    )


class _CoarseQuery(ctypes.Structure):
    _fields_ = (
        ("values", _POINTER),
        ("bias", _POINTER),
        ("levels", _POINTER),
        ("unit", _FLOAT),
        ("n_tokens", _SIZE),
        ("n_padded", _SIZE),
    )


class _FineQuery(ctypes.Structure):
    _fields_ = (
        ("values", _POINTER),
        ("bases", _POINTER),
        ("steps", _POINTER),
        ("unit", _FLOAT),
        ("n_tokens", _SIZE),
        ("n_padded", _SIZE),
    )


class _Probe(ctypes.Structure):
    _fields_ = (("ids", _POINTER), ("products", _POINTER), ("n_tokens", _SIZE), ("n_probe", _SIZE), ("n_padded", _SIZE))


class _Lists(ctypes.Structure):
    _fields_ = (("offsets", _POINTER), ("rows", _POINTER), ("n_entries", _SIZE), ("n_rows", _SIZE))


class _Tables(ctypes.Structure):
    _fields_ = (
        ("bounds", _POINTER),
        ("levels", _POINTER),
        ("bases", _POINTER),
        ("steps", _POINTER),
        ("level_unit", _FLOAT),
        ("fine_unit", _FLOAT),
        ("bits", _SIZE),
    )


class _WordPostings(ctypes.Structure):
    _fields_ = (
        ("offsets", _POINTER),
        ("rows", _POINTER),
        ("frequencies", _POINTER),
        ("lengths", _POINTER),
        ("groups", _POINTER),
        ("group_lengths", _POINTER),
        ("n_words", _SIZE),
        ("n_entries", _SIZE),
        ("n_rows", _SIZE),
        ("n_groups", _SIZE),
    )


class _WordQuery(ctypes.Structure):
    _fields_ = (
        ("words", _POINTER),
        ("weights", _POINTER),
        ("n_words", _SIZE),
        ("base", _FLOAT),
        ("slope", _FLOAT),
        ("group_slope", _FLOAT),
    )


class CompiledKernels:
    """See `index.native.base.Kernels`."""

    def __init__(self, library: ctypes.CDLL, variant: int) -> None:
        """Use a loaded library with the variant that `find_variant` gave."""
        self._library = library
        self._variant = _POINTER(variant)
        library.variant_name.restype = ctypes.c_char_p
        for function in (
            library.maxsim_coarse,
            library.maxsim_fine,
            library.interact,
            library.collect_candidates,
            library.score_words,
        ):
            function.restype = _SIZE
        self.variant = str(library.variant_name(self._variant).decode())

    def maxsim_coarse(self, query: CoarseQuery, tokens: TokenCodes, rows: Rows) -> NDArray[np.float32]:
        """MaxSim over coarse codes."""
        values, bias = _packed(query.values, 4), _bias(query.values)
        levels = _nibble_tables(query.levels)
        structure = _CoarseQuery(_at(values), _at(bias), _at(levels), query.unit, len(query.values), values.shape[1])
        return self._maxsim(self._library.maxsim_coarse, structure, tokens, tokens.scales, rows)

    def maxsim_fine(self, query: FineQuery, tokens: TokenCodes, rows: Rows) -> NDArray[np.float32]:
        """MaxSim over refined codes."""
        values, bases, steps = _packed(query.values, 2), _plain(query.bases), _plain(query.steps)
        structure = _FineQuery(_at(values), _at(bases), _at(steps), query.unit, len(query.values), values.shape[1])
        return self._maxsim(self._library.maxsim_fine, structure, tokens, refined(tokens)[1], rows)

    def token_products(
        self, query: NDArray[np.float32], tables: CodingTables, tokens: TokenCodes
    ) -> NDArray[np.float32]:
        """Products of tokens and a query."""
        n_query, dim = query.shape
        values = np.zeros((dim, -(-n_query // LANES) * LANES), np.float32)
        values[:, :n_query] = query.T
        is_refined = tokens.refinement is not None
        refinement, scales = refined(tokens) if is_refined else (tokens.codes[:0], tokens.scales)
        codes, refinement, scales = _plain(tokens.codes), _plain(refinement), _plain(scales)
        bases, steps, levels = _plain(tables.bases), _plain(tables.steps), _nibble_tables(tables.levels)
        unit = tables.fine_unit if is_refined else tables.level_unit
        asked = _FloatQuery(_at(values), _at(bases), _at(steps), _at(levels), unit, n_query, values.shape[1])
        held = _CoarseTokens(_at(codes), _at(refinement) if is_refined else None, _at(scales), None, dim, tokens.bits)
        products = np.empty((n_query, len(codes)), np.float32)
        self._library.token_products(
            self._variant, ctypes.byref(asked), ctypes.byref(held), _SIZE(len(codes)), _pointer(products)
        )
        return products

    def interact(self, table: NDArray[np.uint8], codes: CentroidCodes, rows: Rows) -> NDArray[np.int32]:
        """Sum of the largest table entries."""
        table, codes = _plain(table), _plain(codes)

        def score(part: Rows) -> Scores:
            passages = _passages(part, len(codes))
            scores = np.empty(len(part.rows), np.int32)
            status = self._library.interact(
                self._variant, _pointer(table), _SIZE(len(table)), _SIZE(table.shape[1]), _pointer(codes),
                _SIZE(codes.itemsize), ctypes.byref(passages), _pointer(scores),
            )  # fmt: skip
            return _sound(scores, status)

        scores = _shared(score, rows)
        if (scores < 0).any():
            raise CorruptionError("a token names a centroid that does not exist", help="optimize the collection")
        return scores

    def centroid_products(self, values: NDArray[np.int8], centroids: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Products of centroids and query tokens."""
        packed, bias, centroids = _packed(values, 4), _bias(values), _plain(centroids)
        query = _CoarseQuery(_at(packed), _at(bias), None, 1.0, len(values), packed.shape[1])
        products = np.empty((len(centroids), packed.shape[1]), np.int32)
        self._library.centroid_products(
            self._variant, ctypes.byref(query), _pointer(centroids), _SIZE(len(centroids)), _SIZE(centroids.shape[1]),
            _pointer(products),
        )  # fmt: skip
        return products

    def quantise_table(self, products: NDArray[np.int32], low: int, high: int) -> NDArray[np.uint8]:
        """Bring products into 0 to 255."""
        table = np.empty(products.shape, np.uint8)
        products = _plain(products)
        self._library.quantise_table(
            self._variant, _pointer(products), _SIZE(products.size), ctypes.c_int32(low), ctypes.c_int32(high),
            _pointer(table),
        )  # fmt: skip
        return table

    def top_centroids(self, products: NDArray[np.int32], n_tokens: int, n_probe: int) -> NDArray[np.uint32]:
        """The best centroids of each query token."""
        products = _plain(products)
        n_centroids, width = products.shape
        ids = np.empty((n_tokens, min(n_probe, n_centroids)), np.uint32)
        self._library.top_centroids(
            self._variant, _pointer(products), _SIZE(n_centroids), _SIZE(width), _SIZE(n_tokens), _SIZE(ids.shape[1]),
            _pointer(ids),
        )  # fmt: skip
        return ids

    def collect(
        self,
        probed: NDArray[np.uint32],
        products: NDArray[np.int32],
        lists: PostingLists,
        live: NDArray[np.bool_],
        limit: int,
    ) -> NDArray[np.int64]:
        """The live passages whose probed centroids add up to most."""
        probed, products, live = _plain(probed), _plain(products), _plain(live)
        offsets, list_rows = _plain(lists.offsets), _plain(lists.rows)
        if len(offsets) != len(products) + 1:
            raise CorruptionError("posting lists do not fit their centroids", help="optimize the collection")
        probe = _Probe(_at(probed), _at(products), len(probed), probed.shape[1], products.shape[1])
        posting = _Lists(_at(offsets), _at(list_rows), len(list_rows), len(live))
        rows = np.empty(min(limit, len(live)), np.int64)
        found = self._library.collect_candidates(
            ctypes.byref(probe), ctypes.byref(posting), _pointer(live), _SIZE(len(rows)), _pointer(rows)
        )
        if found < 0:
            raise CorruptionError("a posting list names no passage", help="optimize the collection")
        return rows[:found]

    def nearest_centroids(self, values: NDArray[np.int8], centroids: NDArray[np.uint8]) -> Nearest:
        """The centroid with the largest product, for each row."""
        values, centroids = _plain(values), _plain(centroids)
        nearest = Nearest(np.empty(len(values), np.uint32), np.empty(len(values), np.int32))
        self._library.nearest_centroids(
            self._variant, _pointer(values), _SIZE(len(values)), _pointer(centroids), _SIZE(len(centroids)),
            _SIZE(centroids.shape[1]), _pointer(nearest.ids), _pointer(nearest.products),
        )  # fmt: skip
        return nearest

    def code_tokens(self, values: NDArray[np.float32], tables: CodingTables) -> Coded:
        """Code values."""
        values = _plain(values)
        n, dim = values.shape
        columns = [
            _plain(array.astype(np.float32)) for array in (tables.bounds, tables.levels, tables.bases, tables.steps)
        ]
        structure = _Tables(*map(_at, columns), tables.level_unit, tables.fine_unit, tables.bits)
        coded = Coded(
            np.empty((n, dim * tables.bits // 8), np.uint8), np.empty((n, dim // 2), np.uint8),
            np.empty(n, np.float32), np.empty(n, np.float32),
        )  # fmt: skip
        self._library.code_tokens(
            _pointer(values), _SIZE(n), _SIZE(dim), ctypes.byref(structure), _pointer(coded.codes),
            _pointer(coded.refinement), _pointer(coded.coarse_products), _pointer(coded.fine_products),
        )  # fmt: skip
        return coded

    def score_words(self, postings: WordPostings, query: WordQuery) -> NDArray[np.float32]:
        """BM25 word by word."""
        arrays = [_plain(getattr(postings, field.name)) for field in fields(postings)]
        words, weights = _plain(query.words), _plain(query.weights)
        n_rows, n_entries = min(len(arrays[3]), len(arrays[4])), min(len(arrays[1]), len(arrays[2]))
        posted = _WordPostings(*map(_at, arrays), len(arrays[0]) - 1, n_entries, n_rows, len(arrays[5]))
        asked = _WordQuery(_at(words), _at(weights), len(words), query.base, query.slope, query.group_slope)
        scores = np.empty(n_rows, np.float32)
        if self._library.score_words(ctypes.byref(posted), ctypes.byref(asked), _pointer(scores)):
            raise CorruptionError("postings of a word name no passage", help="optimize the collection")
        return scores

    def ward_clusters(self, distances: NDArray[np.float64], n_clusters: int) -> NDArray[np.int64]:
        """Join the two nearest clusters."""
        distances = _plain(distances)
        first_members = np.empty(len(distances), np.int64)
        self._library.ward_clusters(
            _pointer(distances), _SIZE(len(distances)), _SIZE(n_clusters), _pointer(first_members)
        )
        return first_members

    def _maxsim(
        self, kernel: Any, query: ctypes.Structure, tokens: TokenCodes, scales: NDArray[np.float16], rows: Rows
    ) -> NDArray[np.float32]:
        refinement = tokens.codes[:0] if tokens.refinement is None else tokens.refinement
        arrays = [_plain(array) for array in (tokens.codes, refinement, scales, tokens.means)]
        structure = _CoarseTokens(*map(_at, arrays), tokens.codes.shape[1] * 8 // tokens.bits, tokens.bits)

        def score(part: Rows) -> Scores:
            passages = _passages(part, len(tokens.codes))
            scores = np.empty(len(part.rows), np.float32)
            status = kernel(
                self._variant, ctypes.byref(query), ctypes.byref(structure), ctypes.byref(passages), _pointer(scores)
            )
            return _sound(scores, status)

        return _shared(score, rows)


def load_library(path: Path = LIBRARY, variant: str = "") -> CompiledKernels | None:
    """Load the compiled kernels, or give None where none were built.

    Args:
        path: the shared library.
        variant: run this one; empty: the best that the processor has.

    Raises:
        InvalidArgumentError: the variant does not exist, does not run here, or nothing was built.
        ReadFailedError: the library was built for another machine, or lacks what it needs.
    """
    if not path.exists():
        if variant:
            raise InvalidArgumentError(f"there are no compiled kernels to run '{variant}'", help=FORCED)
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ReadFailedError(f"{path} cannot be loaded", help="install lfm2-colbert again on this machine") from error
    library.find_variant.restype = _POINTER
    found = library.find_variant(variant.encode())
    if found is None:
        raise InvalidArgumentError(f"the kernels '{variant}' do not run here", help=FORCED)
    return CompiledKernels(library, found)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Threads that sleep until there is work; made when a search first shares any."""
    return ThreadPoolExecutor(usable_processors(), thread_name_prefix="kernels")


def _shared(score: Callable[[Rows], Scores], rows: Rows) -> Scores:
    """Score stretches of the rows at the same time: ctypes lets go of the GIL."""
    parts = rows.split()
    if len(parts) == 1:
        return score(parts[0])
    waiting = [_pool().submit(score, part) for part in parts[1:]]
    return np.concatenate([score(parts[0]), *(each.result() for each in waiting)])


def _at(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return _POINTER(_at(array))


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array)


def _passages(rows: Rows, n_tokens: int) -> _Passages:
    offsets, chosen = _plain(rows.offsets), _plain(rows.rows)
    passages = _Passages(_at(offsets), _at(chosen), len(chosen), len(offsets) - 1, n_tokens)
    passages.keep = (offsets, chosen)
    return passages


def _sound(scores: Scores, status: int) -> Scores:
    """Give the scores, unless the kernel refused to read beyond what is there."""
    if status:
        raise CorruptionError("a passage reaches beyond its segment", help="index the documents again")
    return scores


def _packed(values: NDArray[Any], group: int) -> NDArray[Any]:
    """Arrange ``(n_q, dim)`` as ``(dim / group, n_padded, group)``: what one instruction multiplies lies together."""
    n_tokens, dim = values.shape
    padded = np.zeros((-(-n_tokens // LANES) * LANES, dim), values.dtype)
    padded[:n_tokens] = values
    return np.ascontiguousarray(padded.reshape(len(padded), dim // group, group).transpose(1, 0, 2))


def _nibble_tables(levels: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Give what each nibble stands for, with the offset; of 2-bit codes by its lower half, then by its upper one."""
    nibbles = np.arange(16)
    tables = [nibbles] if len(levels) == 16 else [nibbles & 3, nibbles >> 2]
    return (levels[np.concatenate(tables)].astype(np.int16) + LEVEL_OFFSET).astype(np.uint8)


def _bias(values: NDArray[np.int8]) -> NDArray[np.int32]:
    """What accumulators start with, so that unsigned levels count as signed ones."""
    bias = np.zeros(-(-len(values) // LANES) * LANES, np.int32)
    bias[: len(values)] = -LEVEL_OFFSET * values.sum(axis=1, dtype=np.int32)
    return bias
