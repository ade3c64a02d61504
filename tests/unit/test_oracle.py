"""The oracle's blockwise scores against the definition of MaxSim."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.oracle import all_scores, best_documents, best_of_each, largest_deviation, windowed_scores
from index.maxsim import maxsim_scores
from lfm2_colbert.multivectors import MultiVectors

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=80)


def vectors(lengths: list[int], seed: int) -> MultiVectors:
    generator = np.random.default_rng(seed)
    return MultiVectors.of([generator.standard_normal((n, 8)).astype(np.float32) for n in lengths])


@given(query_lengths=LENGTHS, passage_lengths=LENGTHS)
def test_blockwise_scores_equal_the_definition(query_lengths: list[int], passage_lengths: list[int]) -> None:
    queries, passages = vectors(query_lengths, 0), vectors(passage_lengths, 1)
    expected = np.array([maxsim_scores(query, passages) for query in queries])
    np.testing.assert_allclose(all_scores(queries, passages), expected, rtol=1e-5, atol=1e-5)


@given(windows=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=20))
def test_a_query_counts_by_the_window_that_a_passage_answers_best(windows: list[list[int]]) -> None:
    queries, passages = [vectors(own, seed) for seed, own in enumerate(windows)], vectors([5, 1, 7], 99)
    expected = [np.max([maxsim_scores(own, passages) / len(own) for own in query], axis=0) for query in queries]
    np.testing.assert_allclose(windowed_scores(queries, passages), expected, rtol=1e-5, atol=1e-5)


def test_more_queries_than_are_kept_are_ranked_each_by_its_own_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.oracle.QUERIES_KEPT", 2)
    queries, passages = [vectors([3, 4][: n % 2 + 1], n) for n in range(5)], vectors([5, 6, 7], 9)
    runs = list(best_of_each(queries, list("abcde"), passages, list("xyz"), 1))
    assert [list(run) for run in runs] == [["a", "b"], ["c", "d"], ["e"]]
    best = windowed_scores(queries, passages)
    found, scores = zip(*(next(iter(own.items())) for run in runs for own in run.values()), strict=True)
    assert found == tuple("xyz"[place] for place in best.argmax(axis=1))
    np.testing.assert_allclose(scores, best.max(axis=1), rtol=1e-5)


def test_deviation_finds_a_planted_difference() -> None:
    queries, passages = vectors([3, 4], 0), vectors([5, 6, 7], 1)
    scores = all_scores(queries, passages)
    assert largest_deviation(scores, queries, passages, 0) < 1e-5
    scores[1, 2] += 0.5
    assert largest_deviation(scores, queries, passages, 0) == pytest.approx(0.5, abs=1e-5)


def test_a_document_counts_by_its_best_passage_and_ties_go_by_id() -> None:
    scores = np.array([[1.0, 5.0, 3.0, 5.0], [4.0, 0.0, 2.0, 1.0]], np.float32)
    run = best_documents(scores, ["q1", "q2"], ["ja", "ja", "de", "ar"], k=2)
    assert [list(found.items()) for found in run.values()] == [
        [("ar", 5.0), ("ja", 5.0)],
        [("ja", 4.0), ("de", 2.0)],
    ]
