"""Posting lists of centroids against a dictionary, however few rows are sorted at once."""

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from index.durable import Folder
from index.lists import SegmentLists, write_lists


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 6), max_size=5), max_size=7),
    n_centroids=st.sampled_from([7, 70_000]),
    at_once=st.sampled_from([1, 3, 8192]),
)
def test_lists_are_those_of_a_dictionary(rows: list[list[int]], n_centroids: int, at_once: int) -> None:
    codes = np.array([code for row in rows for code in row], np.uint32)
    offsets = np.cumsum([0, *map(len, rows)])
    with TemporaryDirectory() as name, patch("index.lists.ROWS_AT_ONCE", at_once):
        info = write_lists(Folder(Path(name)), 4, 1, n_centroids, codes, offsets)
        lists = SegmentLists.open(Path(name), info)
    assert lists.codes.tolist() == [code for row in rows for code in sorted(set(row))]
    assert np.diff(lists.offsets).tolist() == [len(set(row)) for row in rows]
    expected = [[number for number, row in enumerate(rows) if code in row] for code in range(7)]
    bounds = list(itertools.pairwise(lists.postings.offsets))
    assert [lists.postings.rows[first:last].tolist() for first, last in bounds[:7]] == expected
    assert len(bounds) == n_centroids
