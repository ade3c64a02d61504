"""The one suite of every codec."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import hadamard

from index.codecs import CODECS
from index.codecs.base import Codec, Precision
from index.codecs.frame import Frame
from index.codecs.scalar import Scalar2, Scalar4
from index.maxsim import maxsim_scores
from index.native.base import Rows
from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

DIM = 128
FRAME = Frame(np.random.default_rng(0).normal(0, 0.02, DIM).astype(np.float32), seed=3)
ERROR_BOUNDS = {"float16": 2.0**-11, "scalar4": 0.1, "scalar4-coarse": 0.25, "scalar2": 0.6}
"""Largest Euclidean distance between a unit vector and what comes back; a codec without a line here fails the suite.

scalar4 is ten times better on the average vector; a value beyond its outermost cell, in three vectors of a thousand, is
cut off there. Of normal values 16 levels leave .0095 of the variance, 4 levels .1175: mean distances of .1 and .34."""
OF_THE_BEST_TEN = {"float16": 8, "scalar4": 8, "scalar4-coarse": 7, "scalar2": 4}
"""How many of the best are at least found among 300 passages of nothing but noise, the hardest case."""


@pytest.fixture(params=sorted(CODECS))
def codec(request: pytest.FixtureRequest) -> Codec:
    made: Codec = lookup(CODECS, request.param, "codec")(FRAME)
    return made


def unit_vectors(n_tokens: int, seed: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((n_tokens, DIM)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_codec_is_found_under_its_own_name(codec: Codec) -> None:
    assert isinstance(codec, Codec)
    assert lookup(CODECS, codec.name, "codec") is type(codec)


def test_round_trip_error_stays_within_the_bound(codec: Codec) -> None:
    vectors = unit_vectors(2000, seed=1)
    decoded = codec.decode(codec.encode(vectors))
    assert decoded.dtype == np.float32
    assert np.linalg.norm(decoded - vectors, axis=1).max() <= ERROR_BOUNDS[codec.name]


def test_every_array_has_one_row_a_vector(codec: Codec) -> None:
    assert {len(array) for array in codec.encode(unit_vectors(37, seed=2)).values()} == {37}


def test_order_is_kept(codec: Codec) -> None:
    vectors = unit_vectors(200, seed=3)
    decoded = codec.decode(codec.encode(vectors))
    np.testing.assert_array_equal((decoded @ vectors.T).argmax(axis=1), np.arange(200))


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.integers(0, 49), max_size=60))
def test_decoding_commutes_with_picking_rows(rows: list[int]) -> None:
    for name in CODECS:
        codec: Codec = lookup(CODECS, name, "codec")(FRAME)
        arrays = codec.encode(unit_vectors(50, seed=4))
        picked = codec.decode({key: array[np.array(rows, dtype=np.int64)] for key, array in arrays.items()})
        np.testing.assert_allclose(picked, codec.decode(arrays)[np.array(rows, dtype=np.int64)], atol=1e-6)


@given(cuts=st.sets(st.integers(1, 299), max_size=20), dim=st.sampled_from([32, 96, 128]))
@settings(max_examples=25, deadline=None)
def test_a_code_does_not_depend_on_what_is_coded_with_it(cuts: set[int], dim: int) -> None:
    vectors = np.random.default_rng(8).standard_normal((300, dim)).astype(np.float32) / np.float32(np.sqrt(dim))
    for name in CODECS:
        codec: Codec = lookup(CODECS, name, "codec")(Frame(FRAME.mean[:dim], seed=3))
        whole = codec.encode(vectors)
        parts = [codec.encode(part) for part in np.split(vectors, sorted(cuts))]
        for array in whole:
            np.testing.assert_array_equal(np.concatenate([part[array] for part in parts]), whole[array])


@pytest.mark.parametrize("dim", [16, 96, 128])
def test_rotating_is_multiplying_with_the_rotation(dim: int) -> None:
    frame, vectors = Frame(np.zeros(dim, np.float32), seed=5), unit_vectors(50, seed=9)[:, :dim]
    np.testing.assert_allclose(frame.rotate(vectors), vectors @ frame.rotation().T, atol=1e-6)


def test_products_are_those_with_the_decoded_vectors(codec: Codec) -> None:
    query, arrays = unit_vectors(7, seed=1), codec.encode(unit_vectors(40, seed=2))
    np.testing.assert_allclose(codec.products(query, arrays), query @ codec.decode(arrays).T, atol=1e-6)
    assert codec.products(query[:0], arrays).shape == (0, 40)
    assert codec.products(query, codec.encode(unit_vectors(0, seed=3))).shape == (7, 0)


def test_no_vectors_come_back_as_no_vectors_of_the_same_width(codec: Codec) -> None:
    arrays = codec.encode(np.zeros((0, DIM), dtype=np.float32))
    assert {len(array) for array in arrays.values()} == {0}
    assert codec.decode(arrays).shape == (0, DIM)


def test_scores_equal_the_oracle_within_the_codec_s_error(codec: Codec) -> None:
    query, vectors = unit_vectors(32, seed=5), unit_vectors(600, seed=6)
    offsets = np.arange(0, 601, 60)
    decoded = MultiVectors(codec.decode(codec.encode(vectors)), offsets)
    exact = maxsim_scores(query, MultiVectors(vectors, offsets))
    # |q·d − q·d'| ≤ ‖q‖‖d − d'‖, and a maximum moves no more than its terms
    np.testing.assert_allclose(maxsim_scores(query, decoded), exact, atol=len(query) * ERROR_BOUNDS[codec.name])


@pytest.mark.parametrize("precision", list(Precision))
def test_own_scores_equal_the_oracle_within_their_precision(codec: Codec, precision: Precision) -> None:
    query, vectors = unit_vectors(16, seed=8), unit_vectors(700, seed=9)
    offsets = np.sort(np.random.default_rng(1).integers(0, 701, 20))
    offsets[0], offsets[-1] = 0, 700
    rows = np.random.default_rng(2).permutation(19)
    scores = codec.scores(codec.question(query), codec.encode(vectors), Rows(offsets, rows), precision)
    exact = maxsim_scores(query, MultiVectors(vectors, offsets))[rows]
    # Coarse codes of 128 dimensions are off by some hundredths a product; the sum of 16 by less than one.
    sums = {"scalar2": 3.0}.get(codec.name, 1.0)
    bound = sums if precision is Precision.COARSE else len(query) * ERROR_BOUNDS[codec.name]
    np.testing.assert_allclose(scores, exact, atol=bound)


def test_the_best_passages_by_all_bits_are_among_the_best(codec: Codec) -> None:
    query, vectors = unit_vectors(16, seed=10), unit_vectors(6000, seed=11)
    offsets = np.arange(0, 6001, 20)
    exact = maxsim_scores(query, MultiVectors(vectors, offsets))
    scores = codec.scores(codec.question(query), codec.encode(vectors), Rows(offsets, np.arange(300)), Precision.FULL)
    assert len(set(np.argsort(-scores)[:10]) & set(np.argsort(-exact)[:10])) >= OF_THE_BEST_TEN[codec.name]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(codec: Codec, value: float) -> None:
    vectors = unit_vectors(5, seed=7)
    vectors[3, 2] = value
    with pytest.raises(NonFiniteVectorError, match="vector 3"):
        codec.encode(vectors)


@pytest.mark.parametrize("length", [3e2, 1e5, 1e30])
def test_scalar_codes_refuse_vectors_that_their_scales_cannot_hold(length: float) -> None:
    vectors = unit_vectors(5, seed=7)
    vectors[2] *= np.float32(length)
    with pytest.raises(NonFiniteVectorError, match="vector 2"):
        Scalar4(FRAME).encode(vectors)


@pytest.mark.parametrize("dim", [0, 8, 100, 4112])
def test_scalar_codes_refuse_widths_that_the_kernels_cannot_read(dim: int) -> None:
    with pytest.raises(InvalidArgumentError, match=str(dim)):
        Scalar4(Frame(np.zeros(dim, np.float32)))


def test_codes_of_two_bits_need_a_width_that_they_can_pack() -> None:
    with pytest.raises(InvalidArgumentError, match="divisible by 32"):
        Scalar2(Frame(np.zeros(48, np.float32)))


def test_a_frame_is_never_measured_on_values_that_are_not_finite() -> None:
    vectors = unit_vectors(5, seed=7)
    vectors[3, 2] = np.nan
    with pytest.raises(NonFiniteVectorError):
        Frame.measured(vectors)
    np.testing.assert_array_equal(Frame.measured(vectors[:0]).mean, np.zeros(DIM))


@pytest.mark.parametrize("dim", [128, 48])
def test_scalar_codes_can_be_read_with_nothing_but_the_page_on_the_format(dim: int) -> None:
    page = (Path(__file__).parents[2] / "docs" / "file-format.md").read_text(encoding="utf-8")
    bases, steps = (
        np.array(re.search(rf"^    {name} (.*)$", page, re.MULTILINE)[1].split(), float) for name in ("bases", "steps")
    )
    rng = np.random.default_rng(12)
    mean = rng.normal(0, 0.02, dim).astype(np.float32)
    codec = Scalar4(Frame(mean, seed=5))
    arrays = codec.encode(rng.normal(0, dim**-0.5, (50, dim)).astype(np.float32))
    draws = np.random.default_rng(5)
    if dim == 128:
        rotation = hadamard(dim) * (2 * draws.integers(0, 2, dim) - 1) / np.sqrt(dim)
    else:
        orthogonal, upper = np.linalg.qr(draws.standard_normal((dim, dim)))
        rotation = orthogonal * np.sign(np.diag(upper))
    code, finer = (np.concatenate([arrays[name] & 15, arrays[name] >> 4], axis=1) for name in ("codes", "refinement"))
    levels = (bases[code] + finer * steps[code]) / 2048
    read = (arrays["fine_scales"][:, None] * levels) @ rotation + mean
    np.testing.assert_allclose(codec.decode(arrays), read, atol=1e-6)


def test_two_bit_codes_can_be_read_with_nothing_but_the_page_on_the_format() -> None:
    page = (Path(__file__).parents[2] / "docs" / "file-format.md").read_text(encoding="utf-8")
    levels = np.array(re.search(r"with the levels ([-0-9 ]+)\.", page)[1].split(), float)
    rng = np.random.default_rng(12)
    codec = Scalar2(Frame(np.zeros(128, np.float32), seed=5))
    arrays = codec.encode(rng.normal(0, 128**-0.5, (50, 128)).astype(np.float32))
    rotation = hadamard(128) * (2 * np.random.default_rng(5).integers(0, 2, 128) - 1) / np.sqrt(128)
    code = np.concatenate([arrays["codes"] >> shift & 3 for shift in (0, 4, 2, 6)], axis=1)
    read = (arrays["scales"][:, None].astype(float) * levels[code] * 1.5104 / 63) @ rotation
    np.testing.assert_allclose(codec.decode(arrays), read, atol=1e-5)
