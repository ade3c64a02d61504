"""Blockwise scoring of stored segments against the definition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import scoring
from index.codecs.float16 import Float16
from index.durable import Folder
from index.maxsim import maxsim_scores
from index.native.base import Rows
from index.segment import Segment, write_segment
from lfm2_colbert.multivectors import MultiVectors

CODEC = Float16()


def write(folder: Path, lengths: list[int], dim: int, seed: int) -> Segment:
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((sum(lengths), dim)).astype(np.float32)
    items = MultiVectors(vectors, np.concatenate([[0], np.cumsum(np.array(lengths, dtype=np.int64))]).astype(np.int64))
    return Segment.open(folder, write_segment(Folder(folder), 1, CODEC, items))


def score(query: np.ndarray, segment: Segment, rows: np.ndarray) -> np.ndarray:
    return scoring.score_rows(query, CODEC.decode, segment.arrays, Rows(segment.offsets, rows))


def expected(query: np.ndarray, segment: Segment, rows: np.ndarray) -> np.ndarray:
    stored = MultiVectors(CODEC.decode(segment.arrays), segment.offsets)
    return maxsim_scores(query, stored.take(rows))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=25),
    dim=st.sampled_from([1, 8, 48]),
    n_query=st.integers(1, 6),
    block_tokens=st.sampled_from([1, 7, 30, 8192]),
)
def test_scores_equal_the_definition_for_any_rows_and_block_size(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    lengths: list[int],
    dim: int,
    n_query: int,
    block_tokens: int,
) -> None:
    segment = write(tmp_path_factory.mktemp("segment"), lengths, dim, seed=len(lengths))
    query = np.random.default_rng(dim + n_query).standard_normal((n_query, dim)).astype(np.float32)
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(lengths) - 1)))), dtype=np.int64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scoring, "BLOCK_TOKENS", block_tokens)
        scores = score(query, segment, rows)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected(query, segment, rows), atol=1e-4, rtol=0)


def test_empty_passages_never_win_wherever_they_stand(tmp_path: Path) -> None:
    segment = write(tmp_path, [0, 0, 3, 0, 2, 0], dim=4, seed=1)
    query = np.ones((2, 4), dtype=np.float32)
    scores = score(query, segment, np.arange(6))
    assert np.isneginf(scores).tolist() == [True, True, False, True, False, True]


def test_passage_larger_than_a_block_is_scored_whole(tmp_path: Path) -> None:
    segment = write(tmp_path, [5, scoring.BLOCK_TOKENS + 10, 5], dim=2, seed=2)
    query = np.ones((3, 2), dtype=np.float32)
    rows = np.arange(3)
    np.testing.assert_allclose(score(query, segment, rows), expected(query, segment, rows), atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    lengths=st.lists(st.integers(1, 9), min_size=2, max_size=40),
    dim=st.sampled_from([8, 128]),
    n_query=st.integers(1, 33),
)
def test_a_score_is_the_same_to_the_bit_wherever_a_passage_stands(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, lengths: list[int], dim: int, n_query: int
) -> None:
    segment = write(tmp_path_factory.mktemp("segment"), lengths, dim, seed=3)
    query = np.random.default_rng(4).standard_normal((n_query, dim)).astype(np.float32)
    every = score(query, segment, np.arange(len(lengths)))
    some = np.array(sorted(data.draw(st.sets(st.integers(0, len(lengths) - 1), min_size=1))), dtype=np.int64)
    np.testing.assert_array_equal(score(query, segment, some), every[some])


def test_no_rows_give_no_scores(tmp_path: Path) -> None:
    segment = write(tmp_path, [4], dim=16, seed=3)
    scores = score(np.ones((1, 16), np.float32), segment, np.zeros(0, dtype=np.int64))
    assert scores.shape == (0,)
