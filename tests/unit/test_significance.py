"""Intervals and tests by hand, by scipy, by their laws, and by how often they are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eval.significance import (
    Values,
    bootstrap_interval,
    holm,
    paired_interval,
    paired_p,
    stratified_interval,
    stratified_p,
)
from lfm2_colbert.errors import InvalidArgumentError

NUMBERS = st.floats(-1, 1, allow_subnormal=False).map(lambda x: round(x, 4))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20)
FEW = 300


def drawn(n: int, seed: int = 0) -> tuple[Values, Values]:
    rng = np.random.default_rng(seed)
    a = rng.random(n)
    return a, np.clip(a + 0.1 * rng.standard_normal(n) + 0.03, 0, 1)


def test_all_signs_of_three_pairs_by_hand() -> None:
    # Sums of ±0.1 ±0.2 ±0.3: 6 once, 4, 2, 0 twice, -2, -4, -6 (in tenths); two of eight are as far as 0.6.
    zeros = np.zeros(3)
    assert paired_p(zeros, np.array([0.1, 0.2, 0.3]), seed=0) == 2 / 8
    # 0.1 + 0.2 - 0.3 is 0 but for rounding: all are as far.
    assert paired_p(zeros, np.array([0.1, 0.2, -0.3]), seed=0) == 1


def test_pairs_that_do_not_differ_change_nothing() -> None:
    assert paired_p(np.zeros(100), np.array([0.1, 0.2, 0.3] + [0.0] * 97), seed=0) == 2 / 8


@pytest.mark.parametrize("n", [2, 5, 9, 12])
def test_the_exact_test_agrees_with_scipy(n: int) -> None:
    a, b = drawn(n)

    def difference(x: Values, y: Values, axis: int) -> Values:
        return np.asarray(np.mean(x - y, axis=axis))

    truth = stats.permutation_test((b, a), difference, permutation_type="samples", vectorized=True, n_resamples=np.inf)
    assert paired_p(a, b, seed=0) == pytest.approx(truth.pvalue)


def test_the_drawn_test_agrees_with_all_signs() -> None:
    a, b = drawn(16)
    signs = 1 - 2 * (np.arange(2**16)[:, None] >> np.arange(16) & 1)
    truth = np.mean(np.abs(signs @ (b - a)) >= abs((b - a).sum()) - 1e-12)
    assert paired_p(a, b, seed=0, samples=20_000) == pytest.approx(truth, abs=4 * np.sqrt(truth / 20_000))


def test_a_drawn_p_value_is_never_zero() -> None:
    assert paired_p(np.zeros(50), np.ones(50), seed=0, samples=99) == 1 / 100


def test_the_interval_agrees_with_scipy() -> None:
    values, _ = drawn(80)
    truth = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    found = bootstrap_interval(values, seed=2, samples=20_000)
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high), abs=0.003)


def test_the_interval_agrees_with_the_normal_distribution() -> None:
    a, b = drawn(2_000)
    found, error = paired_interval(a, b, seed=0), float(np.std(b - a) / np.sqrt(2_000))
    middle = float(np.mean(b - a))
    assert (found.low, found.high) == pytest.approx((middle - 1.96 * error, middle + 1.96 * error), abs=0.1 * error)


def test_long_lists_are_drawn_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = drawn(30)
    whole = paired_interval(a, b, seed=0), paired_p(a, b, seed=0)
    monkeypatch.setattr("eval.significance.BLOCK", 4_000)
    parts = paired_interval(a, b, seed=0), paired_p(a, b, seed=0)
    assert (parts[0].low, parts[0].high) == pytest.approx((whole[0].low, whole[0].high))
    assert parts[1] == pytest.approx(whole[1], abs=0.02)


@settings(max_examples=50)
@given(pairs=PAIRS)
def test_swapping_turns_the_interval_around_and_keeps_p(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    one, other = paired_interval(a, b, seed=3, samples=FEW), paired_interval(b, a, seed=3, samples=FEW)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert paired_p(a, b, seed=3, samples=FEW) == paired_p(b, a, seed=3, samples=FEW)


@settings(max_examples=50)
@given(values=st.lists(NUMBERS, min_size=1, max_size=30), added=NUMBERS)
def test_an_interval_holds_the_mean_and_moves_with_it(values: list[float], added: float) -> None:
    array = np.array(values)
    found, moved = (bootstrap_interval(each, seed=4, samples=FEW) for each in (array, array + added))
    assert array.min() - 1e-9 <= found.low <= array.mean() + 1e-9
    assert array.mean() - 1e-9 <= found.high <= array.max() + 1e-9
    assert (moved.low, moved.high) == pytest.approx((found.low + added, found.high + added))


@given(values=st.lists(NUMBERS, min_size=1, max_size=30))
def test_identical_systems_are_equal_for_certain(values: list[float]) -> None:
    a = np.array(values)
    assert paired_p(a, a, seed=0, samples=FEW) == 1
    found = paired_interval(a, a, seed=0, samples=FEW)
    assert (found.low, found.high) == (0, 0)


def test_strata_are_drawn_each_for_itself() -> None:
    # Two tasks whose queries all have the same value: drawing within them never changes the sum.
    found = stratified_interval([np.full(3, 0.1), np.full(5, -0.02)], seed=0)
    assert (found.low, found.high) == pytest.approx((0.2, 0.2))


def test_the_signs_of_strata_are_tried_together() -> None:
    values = [np.array([0.1, 0.2]), np.array([0.3])]
    assert stratified_p(values, seed=0) == stratified_p([np.concatenate(values)], seed=0) == 2 / 8


def test_holm_by_hand() -> None:
    # Ascending .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and none below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1, 1]


@given(p_values=st.lists(st.floats(0, 1), max_size=20))
def test_holm_corrects_upwards_in_order_and_by_no_more_than_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for p, found in zip(p_values, corrected, strict=True):
        assert p <= found <= min(1, len(p_values) * p)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[place] for place in order] == sorted(corrected)


def test_what_cannot_be_paired_or_averaged_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="2 values cannot be paired with 3"):
        paired_p(np.zeros(2), np.zeros(3), seed=0)
    for values in (np.array([]), np.array([0.5, np.nan])):
        with pytest.raises(InvalidArgumentError, match="finite"):
            bootstrap_interval(values, seed=0)


def test_intervals_miss_the_truth_one_time_in_twenty() -> None:
    rng, runs = np.random.default_rng(7), 600
    intervals = [bootstrap_interval(rng.random(60), seed=run, samples=400) for run in range(runs)]
    missed = sum(not each.low <= 0.5 <= each.high for each in intervals)
    assert stats.binom.ppf(0.0005, runs, 0.05) <= missed <= stats.binom.ppf(0.9995, runs, 0.06)
