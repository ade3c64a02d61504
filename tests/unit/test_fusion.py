"""Laws of the two fusions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.fusion import WEIGHT, Evidence, Fusion, fused

scores = st.lists(st.tuples(st.floats(0, 8, width=32), st.floats(0, 20, width=32)), min_size=1, max_size=12)


def evidence(pairs: list[tuple[float, float]]) -> Evidence:
    maxsim, words = (np.array(column, np.float32) for column in zip(*pairs, strict=True))
    return Evidence(maxsim, words, 8, 20.0, 0.5)


def test_convex_is_the_weighed_sum_over_its_most() -> None:
    given_scores = Evidence(np.array([4.0], np.float32), np.array([6.0], np.float32), 16, 12.0, 0.5)
    most = WEIGHT + (1 - WEIGHT) * 0.5 * 12 / 4
    expected = (WEIGHT * 4 / 16 + (1 - WEIGHT) * 0.5 * 6 / 4) / most
    assert fused(given_scores, Fusion.CONVEX)[0] == pytest.approx(expected)


def test_reciprocal_ranks_are_those_of_the_paper() -> None:
    given_scores = Evidence(np.array([3.0, 2.0], np.float32), np.array([0.0, 1.0], np.float32), 4, 1.0, 1.0)
    share = 61 / 2
    assert fused(given_scores, Fusion.RRF).tolist() == pytest.approx([share / 61, share * (1 / 62 + 1 / 61)])


@pytest.mark.parametrize("fusion", list(Fusion))
@given(pairs=scores)
def test_a_passage_better_by_both_is_not_ranked_lower(fusion: Fusion, pairs: list[tuple[float, float]]) -> None:
    found = fused(evidence(pairs), fusion)
    assert ((found >= 0) & (found <= 1 + 1e-6)).all()
    for a, first in enumerate(pairs):
        for b, second in enumerate(pairs):
            if first[0] >= second[0] and first[1] >= second[1]:
                assert found[a] >= found[b] - 1e-6


@given(pairs=scores, other=st.tuples(st.floats(0, 8, width=32), st.floats(0, 20, width=32)))
def test_convex_scores_do_not_depend_on_other_passages(
    pairs: list[tuple[float, float]], other: tuple[float, float]
) -> None:
    alone = fused(evidence(pairs), Fusion.CONVEX)
    np.testing.assert_array_equal(fused(evidence([*pairs, other]), Fusion.CONVEX)[:-1], alone)


@pytest.mark.parametrize("fusion", list(Fusion))
def test_without_vectors_nothing_is_found(fusion: Fusion) -> None:
    found = fused(Evidence(np.array([-np.inf, 1.0], np.float32), np.ones(2, np.float32), 4, 2.0, 1.0), fusion)
    assert np.isneginf(found[0])
    assert np.isfinite(found[1])


def test_without_known_words_only_meaning_counts() -> None:
    maxsim = np.array([1.0, 3.0], np.float32)
    np.testing.assert_allclose(fused(Evidence(maxsim, np.zeros(2, np.float32), 4, 0.0, 0.0), Fusion.CONVEX), maxsim / 4)
