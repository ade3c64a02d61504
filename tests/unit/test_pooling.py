"""Pooling against another implementation of Ward's criterion, and by its laws."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from index.native import VARIABLE
from index.pooling import FACTORS, MAX_TOKENS, STRETCH_TOKENS, pool, pooled_count, require_factor
from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError
from lfm2_colbert.multivectors import MultiVectors

DIM = 8
POOLING = [factor for factor in FACTORS if factor > 1]


def unit_vectors(n: int, seed: int, dim: int = DIM) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def topical(n: int, seed: int, dim: int) -> NDArray[np.float32]:
    """Vectors about few things, as those of a text are."""
    rng = np.random.default_rng(seed)
    topics = rng.standard_normal((max(n // 8, 1), dim))
    vectors = topics[rng.integers(len(topics), size=n)] + 0.5 * rng.standard_normal((n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def reference(tokens: NDArray[np.float32], factor: int) -> Iterator[tuple[NDArray[np.float64], int]]:
    """SciPy's clusters, in the order of their first members: centre and nearest member of each."""
    exact = tokens.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    wanted = pooled_count(len(exact), factor)
    labels = fcluster(linkage(exact, method="ward"), wanted, criterion="maxclust") if len(exact) > 1 else np.array([1])
    for label in dict.fromkeys(labels.tolist()):
        members = np.flatnonzero(labels == label)
        centre = exact[members].mean(axis=0)
        centre /= np.linalg.norm(centre)
        nearest = np.argmax(np.round(exact[members] @ centre, 9))
        yield centre, int(members[nearest])


tokens_of_a_passage = arrays(np.float32, st.tuples(st.integers(0, 25), st.just(4)), elements=st.integers(-2, 2))
passages = st.lists(tokens_of_a_passage, max_size=5)


@pytest.mark.parametrize("factor", POOLING)
@pytest.mark.parametrize(("n", "dim"), [(1, 16), (2, 16), (3, 16), (7, 16), (60, 128), (178, 128), (300, 32)])
@pytest.mark.parametrize("make", [unit_vectors, topical])
def test_clusters_are_those_of_scipy(
    factor: int, n: int, dim: int, make: Callable[[int, int, int], NDArray[np.float32]]
) -> None:
    for seed in range(4):
        tokens = make(n, seed, dim)
        pooled = pool(MultiVectors.of([tokens]), factor)
        centres, members = zip(*reference(tokens, factor), strict=True)
        np.testing.assert_allclose(pooled.vectors.vectors, np.stack(centres), atol=1e-6)
        assert pooled.origins is not None
        assert pooled.origins.tolist() == list(members)


@pytest.mark.parametrize("factor", POOLING)
def test_compiled_kernels_change_no_bit(factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros, same = np.zeros((9, 64), np.float32), np.repeat(unit_vectors(5, 8, 64), 7, axis=0)
    vectors = MultiVectors.of([*(topical(n, n, 64) for n in (1, 2, 5, 60, 178, 300)), zeros, same])
    compiled = pool(vectors, factor)
    monkeypatch.setenv(VARIABLE, "numpy")
    plain = pool(vectors, factor)
    np.testing.assert_array_equal(compiled.vectors.vectors, plain.vectors.vectors)
    np.testing.assert_array_equal(compiled.origins, plain.origins)


@given(items=passages)
def test_factor_one_changes_nothing(items: list[NDArray[np.float32]]) -> None:
    vectors = MultiVectors.of(items, dim=4)
    pooled = pool(vectors, 1)
    assert pooled.vectors is vectors
    assert pooled.origins is None


@given(items=passages, factor=st.sampled_from(POOLING))
def test_each_passage_keeps_a_share_of_its_vectors_rounded_up(items: list[NDArray[np.float32]], factor: int) -> None:
    pooled = pool(MultiVectors.of(items, dim=4), factor)
    assert pooled.vectors.lengths.tolist() == [int(np.ceil(len(item) / factor)) for item in items]
    assert pooled.vectors.vectors.dtype == np.float32
    assert pooled.origins is not None
    assert (pooled.origins.dtype, len(pooled.origins)) == (np.uint16, len(pooled.vectors.vectors))


@given(items=passages, factor=st.sampled_from(POOLING))
def test_pooled_vectors_have_unit_norm_unless_all_members_are_zero(
    items: list[NDArray[np.float32]], factor: int
) -> None:
    pooled = pool(MultiVectors.of(items, dim=4), factor)
    norms = np.linalg.norm(pooled.vectors.vectors, axis=1)
    assert np.allclose(norms[norms > 0], 1, atol=1e-6)
    if all(item.any(axis=1).all() for item in items):
        assert (norms > 0).all()


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 24), factor=st.sampled_from(POOLING))
def test_every_token_is_in_one_cluster_and_clusters_stand_in_the_order_of_their_first_tokens(
    seed: int, n: int, factor: int
) -> None:
    tokens = unit_vectors(n, seed, dim=64)  # independent vectors: a mean shows what it is the mean of
    pooled = pool(MultiVectors.of([tokens]), factor)
    assert pooled.origins is not None
    shares = np.linalg.lstsq(tokens.T, pooled.vectors.vectors.T, rcond=None)[0].T  # (n_clusters, n)
    members = shares > 1e-3
    np.testing.assert_array_equal(members.sum(axis=0), 1)
    np.testing.assert_allclose(shares, members * shares.max(axis=1, keepdims=True), atol=1e-4)
    first = members.argmax(axis=1)
    assert first.tolist() == sorted(first.tolist())
    assert all(members[i, origin] for i, origin in enumerate(pooled.origins))


@given(items=st.lists(tokens_of_a_passage, min_size=1, max_size=5), factor=st.sampled_from(POOLING), data=st.data())
def test_permuting_passages_permutes_the_result(
    items: list[NDArray[np.float32]], factor: int, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(items))))
    whole, permuted = pool(MultiVectors.of(items), factor), pool(MultiVectors.of([items[i] for i in order]), factor)
    assert whole.origins is not None
    assert permuted.origins is not None
    origins = MultiVectors(whole.origins.astype(np.float32)[:, None], whole.vectors.offsets)
    np.testing.assert_array_equal(permuted.vectors.vectors, whole.vectors.take(order).vectors)
    np.testing.assert_array_equal(permuted.origins, origins.take(order).vectors[:, 0])


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), factor=st.sampled_from(POOLING), scale=st.floats(0.1, 10))
def test_lengths_of_vectors_count_for_nothing(seed: int, n: int, factor: int, scale: float) -> None:
    tokens = unit_vectors(n, seed)
    as_given = pool(MultiVectors.of([tokens]), factor)
    scaled = pool(MultiVectors.of([tokens * np.float32(scale)]), factor)
    np.testing.assert_allclose(scaled.vectors.vectors, as_given.vectors.vectors, atol=1e-5)


@given(choice=st.lists(st.integers(0, 4), min_size=1, max_size=30), factor=st.sampled_from(POOLING))
def test_repeated_vectors_are_joined_before_different_ones(choice: list[int], factor: int) -> None:
    kinds = unit_vectors(5, seed=3)
    pooled = pool(MultiVectors.of([kinds[choice]]), factor)
    if pooled_count(len(choice), factor) < len(set(choice)):
        return
    found = (pooled.vectors.vectors @ kinds.T).argmax(axis=1)
    np.testing.assert_allclose(pooled.vectors.vectors, kinds[found], atol=1e-6)
    assert set(found.tolist()) == set(choice)


def test_of_equal_distances_the_earlier_pair_is_joined_and_the_earlier_member_shown() -> None:
    pooled = pool(MultiVectors.of([np.array([[1, 0], [0, 1], [-1, 0]], np.float32)]), 2)
    np.testing.assert_allclose(pooled.vectors.vectors, [[0.5**0.5, 0.5**0.5], [-1, 0]], atol=1e-6)
    assert pooled.origins is not None
    assert pooled.origins.tolist() == [0, 2]
    same = pool(MultiVectors.of([np.ones((5, 4), np.float32)]), 2)
    assert same.origins is not None
    assert same.origins.tolist() == [0, 3, 4]  # the first three are one cluster


def test_opposite_vectors_are_shown_by_the_first_and_zeros_stay_zeros() -> None:
    opposite = np.array([[0.6, 0.8], [-0.6, -0.8]], np.float32)
    pooled = pool(MultiVectors.of([opposite, np.zeros((3, 2), np.float32)]), 2)
    np.testing.assert_allclose(pooled.vectors.vectors, [[0.6, 0.8], [0, 0], [0, 0]], atol=1e-7)
    assert pooled.origins is not None
    assert pooled.origins.tolist() == [0, 0, 2]


def test_half_precision_comes_out_as_single_precision() -> None:
    tokens = unit_vectors(9, seed=4).astype(np.float16)
    pooled = pool(MultiVectors.of([tokens]), 3)
    np.testing.assert_array_equal(
        pooled.vectors.vectors, pool(MultiVectors.of([tokens.astype(np.float32)]), 3).vectors.vectors
    )


@pytest.mark.parametrize("factor", POOLING)
def test_long_passages_are_clustered_in_stretches(factor: int) -> None:
    tokens = unit_vectors(STRETCH_TOKENS + 100, seed=5)
    pooled = pool(MultiVectors.of([tokens]), factor)
    parts = pool(MultiVectors.of([tokens[:STRETCH_TOKENS], tokens[STRETCH_TOKENS:]]), factor)
    np.testing.assert_array_equal(pooled.vectors.vectors, parts.vectors.vectors)
    assert pooled.vectors.lengths.tolist() == [pooled_count(len(tokens), factor)]
    assert pooled.origins is not None
    assert parts.origins is not None
    (first, middle), (_, last) = pairwise(parts.vectors.offsets.tolist())
    np.testing.assert_array_equal(pooled.origins[first:middle], parts.origins[first:middle])
    np.testing.assert_array_equal(pooled.origins[middle:last], parts.origins[middle:last] + STRETCH_TOKENS)


def test_passages_whose_places_16_bits_cannot_hold_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=str(MAX_TOKENS + 1)):
        pool(MultiVectors.of([np.ones((MAX_TOKENS + 1, 1), np.float32)]), 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    tokens = unit_vectors(5, seed=6)
    tokens[3, 1] = value
    with pytest.raises(NonFiniteVectorError, match="vector 3"):
        pool(MultiVectors.of([tokens]), 2)


@pytest.mark.parametrize("factor", [0, 4, -1])
def test_other_factors_are_refused_with_a_way_out(factor: int) -> None:
    with pytest.raises(InvalidArgumentError, match="one of 1, 2, 3") as caught:
        require_factor(factor)
    assert "keeps every vector" in caught.value.help
