"""Arithmetic of the comparison of codebooks, against values computed by hand."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.clusterings import (
    METHODS,
    RARE,
    Clustering,
    Groups,
    Tokens,
    assigned_to_groups,
    assigned_to_nearest,
    group_numbers,
    mean_distance,
    shares,
)
from benchmarks.codebooks import ALL, OWN, Material, centroids_per_passage, interactions, rows_of
from benchmarks.engine_measures import best_passages, recall_among
from benchmarks.engine_vectors import EngineSet
from eval.oracle import all_scores
from index.codebook import Clusters, Codebook
from lfm2_colbert.multivectors import MultiVectors

AXES = np.eye(16, dtype=np.float32)


def tokens_of(vectors: NDArray[np.float32], ids: list[int]) -> Tokens:
    return Tokens(vectors.astype(np.float16), np.array(ids, np.uint32))


@pytest.fixture
def material() -> Material:
    """200 passages of 10 tokens; a token is near the axis of its id."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 16, 2000)
    vectors = AXES[ids] + 0.2 * rng.standard_normal((2000, 16)).astype(np.float32)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    passages = MultiVectors(vectors, np.arange(201, dtype=np.int64) * 10)
    queries = MultiVectors.of([AXES[:3], AXES[5:9]])
    tokens = Tokens(vectors, ids.astype(np.uint32))
    data = EngineSet(passages, np.arange(200), ["la"] * 200, queries, [{}, {}], Path(), tokens.ids)
    return Material(data, tokens, all_scores(queries, passages))


def test_shares_follow_the_weights_and_use_up_what_there_is() -> None:
    assert shares(np.array([1.0, 2.0, 5.0]), np.array([100, 100, 100]), 16).tolist() == [2, 4, 10]


def test_a_group_gets_one_at_least_and_its_largest_at_most_and_others_get_the_rest() -> None:
    # 0.01 is less than one; 4 has room for 2 alone, so that 1 and 2 share the other 6
    assert shares(np.array([0.01, 4.0, 1.0, 2.0]), np.array([9, 2, 9, 9]), 9).tolist() == [1, 2, 2, 4]


def test_where_one_for_each_is_too_much_each_gets_one() -> None:
    assert shares(np.array([1.0, 2.0, 3.0]), np.array([9, 9, 9]), 2).tolist() == [1, 1, 1]


def test_rare_ids_share_a_group_and_frequent_ones_have_their_own() -> None:
    ids = [3] * RARE + [9] * RARE + [5] * (RARE - 1) + [7]
    numbers = group_numbers(tokens_of(AXES[ids], ids), seed=0)
    own = [set(numbers[np.array(ids) == each].tolist()) for each in (3, 9, 5, 7)]
    assert own == [{0}, {1}, {2}, {2}]


def test_without_rare_ids_each_id_is_a_group() -> None:
    ids = [4] * RARE + [1] * RARE
    assert group_numbers(tokens_of(AXES[ids], ids), seed=0).tolist() == [1] * RARE + [0] * RARE


def test_a_token_gets_the_nearest_of_its_group_even_if_another_is_nearer() -> None:
    tokens = tokens_of(AXES[[0, 1, 2, 1]], [0, 0, 1, 1])
    groups = Groups(np.array([1, 0, 3, 2]), np.array([0, 2, 4]), np.array([0, 2, 3]))
    clustering = Clustering(Clusters.whole(AXES[:3]), groups)  # axes 0 and 1 are of group 0, axis 2 of group 1
    assert assigned_to_nearest(tokens, clustering.clusters).tolist() == [0, 1, 2, 1]
    assert assigned_to_groups(tokens, groups, clustering).tolist() == [0, 1, 2, 2]


def test_the_distance_is_the_mean_of_one_minus_cosine() -> None:
    tokens = tokens_of(np.array([[1.0, 0.0], [0.6, 0.8]], np.float32), [0, 0])
    codes = np.array([0, 0], np.uint32)
    assert mean_distance(tokens, np.array([[1, 0]], np.float32), codes) == pytest.approx((0 + 0.4) / 2, abs=1e-3)


def test_a_passage_counts_each_of_its_centroids_once() -> None:
    codes = np.array([7, 7, 3, 7, 1, 2], np.uint32)
    assert centroids_per_passage(codes, np.array([0, 3, 6])) == pytest.approx((2 + 3) / 2)


def test_interaction_of_centroids_that_are_the_tokens_ranks_as_exact_maxsim(material: Material) -> None:
    vectors = material.tokens.vectors.astype(np.float32)
    scores = interactions(material.data, Codebook.of(0, Clusters.whole(vectors)), np.arange(2000, dtype=np.uint32))
    for own, exact in zip(scores, material.exact, strict=True):
        assert np.corrcoef(own, exact)[0, 1] > 0.999
    assert recall_among(best_passages(scores, 12), material.exact, 10) == 1


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_unit_vectors_near_the_tokens(method: str, material: Material) -> None:
    clustering = METHODS[method](material.tokens, 32, 0)
    assert np.linalg.norm(clustering.centroids, axis=1) == pytest.approx(1, abs=1e-5)
    distance = mean_distance(
        material.tokens, clustering.centroids, assigned_to_nearest(material.tokens, clustering.clusters)
    )
    one = mean_distance(material.tokens, AXES[:1], np.zeros(2000, np.uint32))
    assert distance < one / 3


def test_a_token_aware_row_is_measured_both_ways(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.codebooks.CANDIDATES", (100, 200))
    rows = list(rows_of("token-aware", 32, material))
    assert [row["assignment"] for row in rows] == [ALL, OWN]
    assert [row["recall_at_10_in_200"] for row in rows] == [1, 1]  # of 200 passages
    assert rows[0]["mean_distance"] <= rows[1]["mean_distance"]
