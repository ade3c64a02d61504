"""Which passages are still worth a score, against lines whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.effort import USUAL_PASSAGES, Budget
from index.promise import least_promise
from index.shortlist import UNKNOWN, Shortlist, joined

PROMISES = np.arange(20, dtype=np.float32)


def test_on_a_line_what_promises_less_than_the_nth_best_is_left_out() -> None:
    assert least_promise(PROMISES, 2 * PROMISES + 7, n_best=5, margin=3) == pytest.approx(15)  # 15 … 19 are the best


def test_a_margin_lets_in_what_may_lie_above_the_line() -> None:
    scores = PROMISES + np.resize([1, -1], 20).astype(np.float32)  # spread about 1, slope about 1
    strict, wide = (least_promise(PROMISES, scores, 5, margin) for margin in (0, 2))
    assert wide == pytest.approx(strict - 2, abs=0.1)


@pytest.mark.parametrize("scores", [-PROMISES, np.zeros(20, np.float32)])
def test_promises_that_say_nothing_leave_nothing_out(scores: np.ndarray) -> None:
    assert least_promise(PROMISES, scores, 5, 1) == -np.inf


def test_too_few_scores_leave_nothing_out() -> None:
    assert least_promise(PROMISES[:4], PROMISES[:4], 5, 1) == -np.inf


def test_passages_that_were_never_ranked_do_not_bend_the_line_but_raise_the_bar() -> None:
    promises = np.append(PROMISES, [np.inf] * 3).astype(np.float32)
    scores = np.append(PROMISES, [100, 101, -np.inf]).astype(np.float32)
    assert least_promise(promises, scores, 5, 0) == pytest.approx(17)  # of the best five two were not ranked


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 50), st.integers(-5, 5)), max_size=30, unique_by=lambda x: x[:2]
    ),
    st.integers(1, 12),
)
def test_a_shortlist_keeps_its_best_and_their_ties_and_can_be_put_together_again(
    entries: list[tuple[int, int, int]], n: int
) -> None:
    entries.sort()
    rows = [np.array([row for part, row, _ in entries if part == own], np.int64) for own in range(3)]
    scores = [np.array([score for part, _, score in entries if part == own], np.float32) for own in range(3)]
    shortlist = Shortlist.of(rows, scores)
    best = shortlist.best(n)
    bar = sorted((score for _, _, score in entries), reverse=True)[:n][-1:] or [0]
    assert list(zip(best.part.tolist(), best.row.tolist(), strict=True)) == [
        (part, row) for part, row, score in entries if score >= bar[0]
    ]
    others = shortlist.where(shortlist.score < shortlist.least_of_best(n))
    whole = joined([others, best])
    for name in ("part", "row", "score"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(shortlist, name))


def test_what_nobody_ranked_comes_first() -> None:
    shortlist = Shortlist.of([np.array([3, 5]), np.array([], np.int64)])
    assert (shortlist.score == UNKNOWN).all()
    assert shortlist.best(1).row.tolist() == [3, 5]
    assert len(Shortlist.of([])) == 0


def test_budgets_grow_with_the_hits_and_with_the_cube_root_of_the_collection() -> None:
    budget = Budget(n_probe=8, n_candidates=1000, n_fine=40, margin=2)
    assert budget.grown(10, 100) == budget
    assert budget.grown(10, 8 * USUAL_PASSAGES).n_candidates == 2000
    assert budget.grown(100, 100).n_fine == 125
    assert budget.grown(1000, 100).n_candidates == 24_000
