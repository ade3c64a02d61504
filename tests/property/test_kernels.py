"""Every compiled variant that runs here against the NumPy kernels, and those against the definition of MaxSim."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.codecs.base import Precision
from index.codecs.frame import Frame
from index.codecs.scalar import TABLES, Scalar4
from index.maxsim import maxsim_scores
from index.native import kernels
from index.native.base import (
    LANES,
    SHIFTS,
    VALUE_LIMIT,
    CoarseQuery,
    FineQuery,
    Kernels,
    PostingLists,
    Rows,
    TokenCodes,
    WordPostings,
    WordQuery,
    packed,
    unpacked,
)
from index.native.fallback import NumpyKernels
from index.native.library import load_library
from lfm2_colbert.errors import CorruptionError, InvalidArgumentError, ReadFailedError
from lfm2_colbert.multivectors import MultiVectors

DEFINITION = NumpyKernels()
NAMES = ("avx512", "avx2", "neon", "scalar")


def variants() -> list[Kernels]:
    found: list[Kernels] = []
    for name in NAMES:
        try:
            made = load_library(variant=name)
        except InvalidArgumentError:
            continue
        if made:
            found.append(made)
    return found


VARIANTS = variants()
needs_compiled = pytest.mark.skipif(not VARIANTS, reason="no kernels were compiled: there was no compiler")


@dataclass(frozen=True)
class Case:
    """Everything a kernel can be given, made from a seed."""

    dim: int
    n_query: int
    seed: int
    lengths: tuple[int, ...]
    scale: float

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    @property
    def offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    @property
    def rows(self) -> Rows:
        chosen = self.rng.integers(0, len(self.lengths), 2 * len(self.lengths))  # repeated, in any order
        return Rows(self.offsets, chosen.astype(np.int64))

    @property
    def tokens(self) -> TokenCodes:
        rng, n = self.rng, int(self.offsets[-1])
        codes, refinement = (rng.integers(0, 256, (n, self.dim // 2), dtype=np.uint8) for _ in range(2))
        scales, fine = (np.float16(self.scale) * rng.random(n).astype(np.float16) for _ in range(2))
        return TokenCodes(codes, scales, -rng.random(n).astype(np.float16), refinement, fine)

    @property
    def coarse(self) -> CoarseQuery:
        values = self.rng.integers(-VALUE_LIMIT, VALUE_LIMIT + 1, (self.n_query, self.dim)).astype(np.int8)
        return CoarseQuery(values, TABLES[4].levels, 1e-4)

    @property
    def fine(self) -> FineQuery:
        values = self.rng.integers(-1000, 1001, (self.n_query, self.dim)).astype(np.int16)
        return FineQuery(values, TABLES[4].bases, TABLES[4].steps, 1e-7)

    @property
    def centroids(self) -> np.ndarray:
        return self.rng.integers(1, 128, (45, self.dim), dtype=np.uint8)


cases = st.builds(
    Case,
    dim=st.sampled_from([16, 32, 48, 96, 128, 144, 256]),
    n_query=st.integers(1, 70),
    seed=st.integers(0, 2**31),
    lengths=st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 9, 33, 1500]), min_size=1, max_size=9).map(tuple),
    scale=st.sampled_from([0.0, 1e-3, 0.1, 100.0]),
)


@needs_compiled
@settings(max_examples=60)
@given(case=cases)
def test_maxsim_equals_the_numpy_kernels(case: Case) -> None:
    coarse = DEFINITION.maxsim_coarse(case.coarse, case.tokens, case.rows)
    fine = DEFINITION.maxsim_fine(case.fine, case.tokens, case.rows)
    for compiled in VARIANTS:
        for expected, found in (
            (coarse, compiled.maxsim_coarse(case.coarse, case.tokens, case.rows)),
            (fine, compiled.maxsim_fine(case.fine, case.tokens, case.rows)),
        ):
            np.testing.assert_array_equal(np.isneginf(found), np.isneginf(expected))
            real = np.isfinite(expected)
            largest = max(1.0, float(np.abs(expected[real]).max(initial=0)))
            assert np.abs(found[real] - expected[real]).max(initial=0) <= 5e-6 * largest


@needs_compiled
@settings(max_examples=40)
@given(case=cases.filter(lambda case: case.dim % 32 == 0))
def test_maxsim_over_two_bits_equals_the_numpy_kernels(case: Case) -> None:
    tokens = replace(
        case.tokens, codes=case.tokens.codes[:, : case.dim // 4], refinement=None, fine_scales=None, bits=2
    )
    query = CoarseQuery(case.coarse.values, TABLES[2].levels, 1e-4)
    expected = DEFINITION.maxsim_coarse(query, tokens, case.rows)
    for compiled in VARIANTS:
        found = compiled.maxsim_coarse(query, tokens, case.rows)
        np.testing.assert_array_equal(np.isneginf(found), np.isneginf(expected))
        real = np.isfinite(expected)
        largest = max(1.0, float(np.abs(expected[real]).max(initial=0)))
        assert np.abs(found[real] - expected[real]).max(initial=0) <= 5e-6 * largest


@needs_compiled
@settings(max_examples=40)
@given(case=cases, form=st.sampled_from(["refined", "coarse", "two bits"]))
def test_products_equal_the_numpy_kernels_and_are_the_same_wherever_a_token_stands(case: Case, form: str) -> None:
    tokens, bits = case.tokens, 4
    if form != "refined":
        tokens = replace(tokens, refinement=None, fine_scales=None)
    if form == "two bits" and case.dim % 32 == 0:
        tokens, bits = replace(tokens, codes=tokens.codes[:, : case.dim // 4], bits=2), 2
    query = case.rng.standard_normal((case.n_query, case.dim)).astype(np.float32)
    expected = DEFINITION.token_products(query, TABLES[bits], tokens)
    (first, *others) = [compiled.token_products(query, TABLES[bits], tokens) for compiled in VARIANTS]
    assert np.abs(first - expected).max(initial=0) <= 2e-5 * max(1.0, float(np.abs(expected).max(initial=0)))
    assert all(np.array_equal(first, other) for other in others)
    behind = {name: array[1:] for name, array in arrays_of(tokens).items()}
    np.testing.assert_array_equal(
        VARIANTS[0].token_products(query, TABLES[bits], replace(tokens, **behind)), first[:, 1:]
    )


def arrays_of(tokens: TokenCodes) -> dict[str, np.ndarray]:
    """Give the arrays that it has."""
    arrays = {each.name: getattr(tokens, each.name) for each in fields(tokens)}
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


@given(rows=st.integers(0, 5), dim=st.sampled_from([32, 64, 128]), bits=st.sampled_from(sorted(SHIFTS)))
def test_packing_is_undone(rows: int, dim: int, bits: int) -> None:
    codes = np.random.default_rng(rows).integers(0, 2**bits, (rows, dim), dtype=np.uint8)
    bytes_of_codes = packed(codes, bits)
    assert bytes_of_codes.shape == (rows, dim * bits // 8)
    np.testing.assert_array_equal(unpacked(bytes_of_codes, bits), codes)


@pytest.mark.parametrize("chosen", [DEFINITION, *VARIANTS], ids=lambda chosen: chosen.variant)
def test_codes_without_a_refinement_are_not_refined(chosen: Kernels) -> None:
    case = Case(32, 3, 0, (4,), 0.1)
    with pytest.raises(ValueError, match="no refinement"):
        chosen.maxsim_fine(case.fine, replace(case.tokens, refinement=None), case.rows)


@needs_compiled
@settings(max_examples=60)
@given(case=cases, n_probe=st.integers(1, 60), limit=st.integers(1, 12))
def test_integer_kernels_equal_the_numpy_kernels_bit_for_bit(case: Case, n_probe: int, limit: int) -> None:
    rng, n_rows = case.rng, len(case.lengths)
    codes = rng.integers(0, 45, int(case.offsets[-1])).astype(np.uint32)
    own = [np.unique(rng.integers(0, n_rows, 4)).astype(np.uint32) for _ in range(45)]
    lists = PostingLists(np.cumsum([0, *map(len, own)]).astype(np.int64), np.concatenate(own))
    live = rng.random(n_rows) < 0.7
    values = case.coarse.values
    products = DEFINITION.centroid_products(values, case.centroids)
    table = DEFINITION.quantise_table(products, -3000, 20_000)
    probed = DEFINITION.top_centroids(products, len(values), n_probe)
    for compiled in VARIANTS:
        np.testing.assert_array_equal(compiled.centroid_products(values, case.centroids), products)
        np.testing.assert_array_equal(compiled.quantise_table(products, -3000, 20_000), table)
        np.testing.assert_array_equal(compiled.top_centroids(products, len(values), n_probe), probed)
        for sized in (codes, codes.astype(np.uint16)):
            np.testing.assert_array_equal(
                compiled.interact(table, sized, case.rows), DEFINITION.interact(table, codes, case.rows)
            )
        found, expected = (k.nearest_centroids(values, case.centroids) for k in (compiled, DEFINITION))
        np.testing.assert_array_equal(found.ids, expected.ids)
        np.testing.assert_array_equal(found.products, expected.products)
        np.testing.assert_array_equal(
            compiled.collect(probed, products, lists, live, limit),
            DEFINITION.collect(probed, products, lists, live, limit),
        )


@st.composite
def postings(draw: st.DrawFn) -> WordPostings:
    n_rows, seed = draw(st.integers(1, 40)), draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    own = [np.flatnonzero(rng.random(n_rows) < share).astype(np.uint32) for share in (0.0, 0.1, 0.5, 1.0)]
    rows, lengths = np.concatenate(own), rng.integers(1, 400, n_rows, dtype=np.uint32)
    groups = np.cumsum(rng.random(n_rows) < 0.5).astype(np.uint32)
    often = rng.integers(1, 256, len(rows), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, own)]).astype(np.int64)
    return WordPostings(offsets, rows, often, lengths, groups, np.bincount(groups, lengths).astype(np.uint32))


@needs_compiled
@settings(max_examples=60)
@given(posted=postings(), words=st.lists(st.integers(0, 3), max_size=6), weight=st.floats(0.001, 20))
def test_word_scores_equal_the_numpy_kernels(posted: WordPostings, words: list[int], weight: float) -> None:
    query = WordQuery(np.array(words, np.int64), np.full(len(words), weight, np.float32), 0.54, 0.003, 0.001)
    for compiled in VARIANTS:
        np.testing.assert_allclose(
            compiled.score_words(posted, query), DEFINITION.score_words(posted, query), rtol=2e-6, atol=0
        )


@pytest.mark.parametrize("chosen", [DEFINITION, *VARIANTS], ids=lambda chosen: chosen.variant)
@pytest.mark.parametrize("damage", [{"rows": 9}, {"groups": 9}])
def test_postings_of_words_that_name_no_passage_are_refused(chosen: Kernels, damage: dict[str, int]) -> None:
    one = np.ones(1, np.uint32)
    sound = WordPostings(np.array([0, 1]), 0 * one, one.astype(np.uint8), one, 0 * one, one)
    posted = replace(sound, **{name: np.array([value], np.uint32) for name, value in damage.items()})
    with pytest.raises(CorruptionError):
        chosen.score_words(posted, WordQuery(np.zeros(1, np.int64), np.ones(1, np.float32), 0.5, 0.1, 0.1))


@needs_compiled
@settings(max_examples=40)
@given(
    dim=st.sampled_from([32, 96, 128]),
    n=st.integers(0, 40),
    seed=st.integers(0, 2**31),
    spread=st.floats(0.1, 9),
    bits=st.sampled_from(sorted(TABLES)),
)
def test_coding_equals_the_numpy_kernels(dim: int, n: int, seed: int, spread: float, bits: int) -> None:
    values = (spread * np.random.default_rng(seed).standard_normal((n, dim))).astype(np.float32)
    expected = DEFINITION.code_tokens(values, TABLES[bits])
    for compiled in VARIANTS:
        found = compiled.code_tokens(values, TABLES[bits])
        np.testing.assert_array_equal(found.codes, expected.codes)
        np.testing.assert_array_equal(found.refinement, expected.refinement)
        np.testing.assert_allclose(found.coarse_products, expected.coarse_products, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(found.fine_products, expected.fine_products, rtol=1e-4, atol=1e-3)


def squared_distances(vectors: np.ndarray) -> np.ndarray:
    differences = vectors[:, None] - vectors
    return np.einsum("ijd,ijd->ij", differences, differences)


@st.composite
def distance_matrices(draw: st.DrawFn) -> np.ndarray:
    """Of vectors, of equal and zero vectors, or of nothing that has a place: a joined cluster may come nearer."""
    rng, n = np.random.default_rng(draw(st.integers(0, 2**31))), draw(st.integers(0, 60))
    match draw(st.sampled_from(["vectors", "few vectors", "few values", "values"])):
        case "vectors":
            distances = squared_distances(rng.standard_normal((n, 8)))
        case "few vectors":
            distances = squared_distances(rng.integers(-1, 2, (n, 2)).astype(np.float64))
        case "few values":
            distances = rng.integers(-1, 3, (n, n)).astype(np.float64)
        case _:
            distances = rng.standard_normal((n, n))
    distances = np.triu(distances) + np.triu(distances, 1).T
    np.fill_diagonal(distances, np.inf)
    return distances


@needs_compiled
@settings(max_examples=200)
@given(distances=distance_matrices(), data=st.data())
def test_clusters_equal_those_of_the_numpy_kernels(distances: np.ndarray, data: st.DataObject) -> None:
    n_clusters = data.draw(st.integers(min(1, len(distances)), len(distances)))
    given_distances = distances.copy()
    expected = DEFINITION.ward_clusters(distances, n_clusters)
    assert len(np.unique(expected)) == n_clusters
    for compiled in VARIANTS:
        np.testing.assert_array_equal(compiled.ward_clusters(distances, n_clusters), expected)
    np.testing.assert_array_equal(distances, given_distances)


@pytest.mark.parametrize("chosen", [DEFINITION, *VARIANTS], ids=lambda chosen: chosen.variant)
@pytest.mark.parametrize(
    ("vectors", "n_clusters", "first_members"),
    [
        ([[7]], 1, [0]),
        ([[0], [1], [2], [3]], 4, [0, 1, 2, 3]),
        ([[0], [1], [2], [3]], 3, [0, 0, 2, 3]),  # of equal distances, the earliest pair
        ([[0], [1], [2], [3]], 2, [0, 0, 2, 2]),
        ([[0], [0], [0], [0], [0]], 3, [0, 0, 0, 3, 4]),
        ([[0], [9], [1], [9], [2]], 1, [0, 0, 0, 0, 0]),
        ([[9], [0], [9], [0], [9]], 2, [0, 1, 0, 1, 0]),
    ],
)
def test_clusters_are_those_worked_out_by_hand(
    chosen: Kernels, vectors: list[list[float]], n_clusters: int, first_members: list[int]
) -> None:
    distances = squared_distances(np.array(vectors, np.float64))
    np.fill_diagonal(distances, np.inf)
    found = chosen.ward_clusters(distances, n_clusters)
    assert (found.dtype, found.tolist()) == (np.int64, first_members)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    dim=st.sampled_from([16, 48, 128]),
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    sign=st.sampled_from([1.0, -1.0]),
)
def test_scores_over_all_bits_equal_maxsim_of_the_decoded_vectors(
    seed: int, dim: int, lengths: list[int], sign: float
) -> None:
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal(dim)
    vectors = (direction + 0.5 * rng.standard_normal((sum(lengths), dim))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query = (sign * direction + 0.5 * rng.standard_normal((5, dim))).astype(
        np.float32
    )  # with −1 all cosines are negative
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    codec = Scalar4(Frame((0.1 * direction / np.linalg.norm(direction)).astype(np.float32)))
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    arrays = codec.encode(vectors)
    scores = codec.scores(codec.question(query), arrays, Rows(offsets, np.arange(len(lengths))), Precision.FULL)
    expected = maxsim_scores(query, MultiVectors(codec.decode(arrays), offsets))
    np.testing.assert_array_equal(np.isneginf(scores), np.isneginf(expected))
    real = np.isfinite(expected)
    # The exact product with the mean replaces that of the decoded vector: the two differ by the code's error.
    np.testing.assert_allclose(scores[real], expected[real], atol=0.02 * len(query))


def test_threads_do_not_change_scores() -> None:
    case = Case(128, 13, 7, tuple(int(n) for n in np.random.default_rng(1).integers(0, 40, 400)), 0.1)
    one, two = Rows(case.offsets, np.arange(400)), Rows(case.offsets, np.arange(400), threads=2)
    chosen = kernels()
    np.testing.assert_array_equal(
        chosen.maxsim_coarse(case.coarse, case.tokens, one), chosen.maxsim_coarse(case.coarse, case.tokens, two)
    )


@pytest.mark.parametrize("chosen", [DEFINITION, *VARIANTS], ids=lambda each: each.variant)
def test_damaged_files_are_refused_before_memory_is_read(chosen: Kernels) -> None:
    case = Case(32, 3, 1, (4, 4), 0.1)
    beyond = Rows(np.array([0, 4, 9000]), np.array([1]))
    table = np.zeros((5, LANES), np.uint8)
    if chosen is not DEFINITION:  # NumPy refuses by itself
        with pytest.raises(CorruptionError):
            chosen.maxsim_coarse(case.coarse, case.tokens, beyond)
    with pytest.raises(CorruptionError):
        chosen.interact(table, np.full(8, 5, np.uint32), case.rows)
    products = chosen.centroid_products(case.coarse.values, case.centroids)
    lists = PostingLists(np.concatenate([[0], np.full(45, 1)]).astype(np.int64), np.array([77], np.uint32))
    with pytest.raises(CorruptionError):
        chosen.collect(chosen.top_centroids(products, 3, 45), products, lists, np.ones(2, np.bool_), 2)


def test_variant_can_be_forced_and_an_unknown_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFM2_COLBERT_KERNELS", "numpy")
    assert kernels().variant == "numpy"
    if VARIANTS:
        monkeypatch.setenv("LFM2_COLBERT_KERNELS", "scalar")
        assert kernels().variant == "scalar"
        monkeypatch.setenv("LFM2_COLBERT_KERNELS", "avx1024")
        with pytest.raises(InvalidArgumentError, match="avx1024"):
            kernels()


@needs_compiled
@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda each: each.variant)
@pytest.mark.parametrize("bounds", [(0, 10**12), (-(10**12), 1), (0, 2)])
def test_posting_lists_beyond_their_file_are_refused(chosen: Kernels, bounds: tuple[int, int]) -> None:
    case = Case(32, 3, 1, (4, 4), 0.1)
    products = chosen.centroid_products(case.coarse.values, case.centroids)
    offsets = np.zeros(46, np.int64)
    offsets[20:22] = bounds
    lists = PostingLists(offsets, np.array([0], np.uint32))
    with pytest.raises(CorruptionError):
        chosen.collect(chosen.top_centroids(products, 3, 45), products, lists, np.ones(2, np.bool_), 2)


@needs_compiled
@pytest.mark.parametrize("chosen", VARIANTS, ids=lambda each: each.variant)
def test_arrays_with_strides_give_what_their_copies_give(chosen: Kernels) -> None:
    case = Case(48, 17, 3, (5, 0, 9, 40), 0.1)
    codes, table = case.rng.integers(0, 45, 54).astype(np.uint32), case.rng.integers(0, 256, (45, 32), dtype=np.uint8)
    strided = Rows(np.repeat(case.offsets, 2)[::2], np.repeat(case.rows.rows, 2)[::2])
    np.testing.assert_array_equal(
        chosen.maxsim_coarse(case.coarse, case.tokens, strided),
        chosen.maxsim_coarse(case.coarse, case.tokens, case.rows),
    )
    np.testing.assert_array_equal(
        chosen.interact(np.asfortranarray(table), np.repeat(codes, 2)[::2], strided),
        chosen.interact(table, codes, case.rows),
    )
    distances = squared_distances(case.rng.standard_normal((30, 4)))
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(
        chosen.ward_clusters(distances[::2, ::2], 5), chosen.ward_clusters(distances[::2, ::2].copy(), 5)
    )


def test_a_variant_is_refused_where_nothing_was_compiled(tmp_path: Path) -> None:
    assert load_library(tmp_path / "libkernels.so") is None
    with pytest.raises(InvalidArgumentError, match="avx2"):
        load_library(tmp_path / "libkernels.so", variant="avx2")


def test_a_library_of_another_machine_is_named(tmp_path: Path) -> None:
    (tmp_path / "libkernels.so").write_bytes(b"\x7fELF of some other machine")
    with pytest.raises(ReadFailedError, match="libkernels"):
        load_library(tmp_path / "libkernels.so")
