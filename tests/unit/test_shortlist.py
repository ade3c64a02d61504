"""Shortlists as sets of passages."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.shortlist import Shortlist, joined, united, without

Places = frozenset[tuple[int, int]]
places = st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, 2**33)), max_size=12)


def shortlist(of: Places, score: float = 0.0) -> Shortlist:
    part, row = (np.array([place[i] for place in sorted(of)], np.int64) for i in (0, 1))
    return Shortlist(part, row, np.full(len(of), score, np.float32))


def as_set(made: Shortlist) -> Places:
    return frozenset(zip(made.part.tolist(), made.row.tolist(), strict=True))


@given(first=places, second=places)
def test_they_are_what_sets_are(first: Places, second: Places) -> None:
    assert as_set(without(shortlist(first), shortlist(second))) == first - second
    both = united(shortlist(first, 1.0), shortlist(second, 2.0))
    assert as_set(both) == first | second
    assert len(both) == len(first | second)
    scores = dict(zip(zip(both.part.tolist(), both.row.tolist(), strict=True), both.score.tolist(), strict=True))
    assert scores == {place: 1.0 if place in first else 2.0 for place in first | second}
    assert as_set(joined([shortlist(first - second), shortlist(second)])) == first | second
