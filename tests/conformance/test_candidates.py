"""The one suite of every candidate generator."""

from pathlib import Path

import numpy as np
import pytest

from index.candidates import CANDIDATES
from index.candidates.base import CandidateGenerator
from index.codecs.float16 import Float16
from index.segment import Segment, write_segment
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

QUERY = np.eye(3, 8, dtype=np.float32)


@pytest.fixture(params=sorted(CANDIDATES))
def generator(request: pytest.FixtureRequest) -> CandidateGenerator:
    made: CandidateGenerator = lookup(CANDIDATES, request.param, "candidate generator")()
    return made


@pytest.fixture
def segments(tmp_path: Path) -> list[Segment]:
    random = np.random.default_rng(1)
    opened = []
    for number, n_passages in enumerate((6, 0, 4), start=1):
        items = [random.standard_normal((3, 8)).astype(np.float32) for _ in range(n_passages)]
        vectors = MultiVectors.of(items, dim=8)
        opened.append(Segment.open(tmp_path, write_segment(tmp_path, number, Float16(), vectors)))
    return opened


def everything(segments: list[Segment]) -> list[np.ndarray]:
    return [np.ones(segment.info.n_passages, dtype=bool) for segment in segments]


def test_generator_is_found_under_its_own_name(generator: CandidateGenerator) -> None:
    assert isinstance(generator, CandidateGenerator)
    assert lookup(CANDIDATES, generator.name, "candidate generator") is type(generator)


def test_all_rows_are_given_when_as_many_are_wanted(generator: CandidateGenerator, segments: list[Segment]) -> None:
    found = generator.candidates(QUERY, segments, everything(segments), limit=10)
    assert [rows.tolist() for rows in found] == [list(range(6)), [], list(range(4))]
    assert {rows.dtype for rows in found} == {np.dtype(np.int64)}


def test_dead_rows_are_never_given(generator: CandidateGenerator, segments: list[Segment]) -> None:
    live = everything(segments)
    live[0][[1, 4]] = False
    live[2][:] = False
    found = generator.candidates(QUERY, segments, live, limit=10)
    assert [rows.tolist() for rows in found] == [[0, 2, 3, 5], [], []]


def test_no_segments_give_no_rows(generator: CandidateGenerator) -> None:
    assert generator.candidates(QUERY, [], [], limit=10) == []
