"""The seam between encoders and index: items come out as they went in, and nothing changes them."""

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from numpy.typing import NDArray

from lfm2_colbert import MultiVectors
from lfm2_colbert.errors import InvalidArgumentError

Matrix = NDArray[np.floating[Any]]


@st.composite
def matrices(draw: st.DrawFn, min_items: int = 1) -> list[Matrix]:
    """Some items of one width and dtype, empty ones among them."""
    width, dtype = draw(st.integers(1, 5)), draw(st.sampled_from([np.float32, np.float16]))
    lengths = draw(st.lists(st.integers(0, 4), min_size=min_items, max_size=5))
    return [draw(numpy_strategies.arrays(dtype, (n, width))) for n in lengths]


@given(items=matrices())
def test_items_come_out_as_they_went_in(items: list[Matrix]) -> None:
    joined = MultiVectors.of(items)
    assert len(joined) == len(items)
    assert joined.dim == items[0].shape[1]
    assert joined.lengths.tolist() == [len(item) for item in items]
    assert joined.vectors.dtype == items[0].dtype
    for found, item in zip(joined, items, strict=True):
        np.testing.assert_array_equal(found, item)
    for place, item in enumerate(items):
        np.testing.assert_array_equal(joined[place], item)


@given(items=matrices(), data=st.data())
def test_taking_items_gives_them_in_the_order_named(items: list[Matrix], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=6))
    taken = MultiVectors.of(items).take(places)
    assert (len(taken), taken.dim) == (len(places), items[0].shape[1])
    for found, place in zip(taken, places, strict=True):
        np.testing.assert_array_equal(found, items[place])


@given(items=matrices())
def test_items_are_views_of_one_matrix(items: list[Matrix]) -> None:
    joined = MultiVectors.of(items)
    assert all(len(item) == 0 or np.shares_memory(item, joined.vectors) for item in joined)


def test_nothing_can_be_changed() -> None:
    joined = MultiVectors.of([np.ones((2, 3), np.float32)])
    with pytest.raises(ValueError, match="read-only"):
        joined.vectors[0, 0] = 5
    with pytest.raises(ValueError, match="read-only"):
        joined[0][0, 0] = 5
    with pytest.raises(ValueError, match="read-only"):
        joined.offsets[0] = 1
    with pytest.raises(FrozenInstanceError):
        joined.vectors = np.ones((2, 3), np.float32)  # type: ignore[misc]


@pytest.mark.parametrize("place", [-1, 2])
def test_there_is_no_item_outside(place: int) -> None:
    with pytest.raises(IndexError):
        _ = MultiVectors.of([np.ones((1, 2), np.float32)] * 2)[place]


def test_no_items_have_a_width_if_it_is_said() -> None:
    nothing = MultiVectors.of([], dim=7)
    assert (len(nothing), nothing.dim, nothing.vectors.shape) == (0, 7, (0, 7))
    with pytest.raises(InvalidArgumentError, match="width"):
        MultiVectors.of([])


@pytest.mark.parametrize(
    ("vectors", "offsets"),
    [
        (np.ones((2, 3), np.float64), [0, 2]),
        (np.ones((2, 3), np.int32), [0, 2]),
        (np.ones(3, np.float32), [0, 3]),
        (np.ones((2, 3), np.float32), [0, 1]),
        (np.ones((2, 3), np.float32), [0, 3]),
        (np.ones((2, 3), np.float32), [1, 2]),
        (np.ones((2, 3), np.float32), [0, 2, 1, 2]),
        (np.ones((2, 3), np.float32), []),
        (np.ones((2, 3), np.float32), [[0, 2]]),
        (np.ones((2, 3), np.float32), [0.0, 1.5, 2.0]),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(vectors: Matrix, offsets: list[Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        MultiVectors(vectors, np.array(offsets))


@pytest.mark.parametrize("items", [[np.ones((1, 2)), np.ones((1, 3))], [np.ones(2)], [np.ones((1, 2)), np.ones(2)]])
def test_items_of_other_shapes_are_refused(items: list[Matrix]) -> None:
    with pytest.raises(InvalidArgumentError, match="matrices of one width"):
        MultiVectors.of([item.astype(np.float32) for item in items])
