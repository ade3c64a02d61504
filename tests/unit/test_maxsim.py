"""The definition against values worked out by hand."""

import numpy as np
import pytest

from index.maxsim import maxsim, maxsim_scores
from lfm2_colbert.multivectors import MultiVectors

QUERY = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)


def test_score_is_the_sum_of_each_query_vector_s_best_match() -> None:
    document = np.array([[0.5, 0.25, 0], [0.75, -1, 0], [-1, 0.125, 0]], dtype=np.float32)
    assert maxsim(QUERY, document) == 0.75 + 0.25


def test_negative_matches_are_not_lifted_to_zero() -> None:
    assert maxsim(QUERY[:1], np.array([[-0.6, 0, 0]], dtype=np.float32)) == pytest.approx(-0.6)


def test_item_without_vectors_never_wins() -> None:
    documents = MultiVectors.of([np.zeros((0, 3), np.float32), -np.ones((1, 3), np.float32)])
    assert maxsim_scores(QUERY, documents).tolist() == [-np.inf, -2]


def test_half_precision_vectors_are_scored_in_float32() -> None:
    document = np.full((1, 3), 0.1, dtype=np.float16)
    assert maxsim(QUERY, document) == float(np.float32(np.float16(0.1)) + np.float32(np.float16(0.1)))


def test_no_items_give_no_scores() -> None:
    scores = maxsim_scores(QUERY, MultiVectors.of([], dim=3))
    assert (scores.shape, scores.dtype) == ((0,), np.float32)
