"""The one suite of every candidate generator."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from index.candidates import CANDIDATES
from index.candidates.base import CandidateGenerator
from index.candidates.centroids import Centroids
from index.codebook import Codebook, train
from index.codecs.float16 import Float16
from index.durable import Folder
from index.effort import RANKED_TOKENS, Budget
from index.lists import SegmentLists, write_lists
from index.maxsim import maxsim_scores
from index.segment import Segment, write_segment
from index.shortlist import UNKNOWN, Shortlist
from index.snapshot import Kept, Part, Snapshot, View
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

DIM = 32
SIZES = (260, 0, 140)
EVERYTHING = Budget(n_probe=10_000, n_candidates=10_000, n_fine=10_000, margin=10)


def rows_of(found: Shortlist) -> list[list[int]]:
    return [found.rows_of(part).tolist() for part in range(len(SIZES))]


def clustered_vectors(n_passages: int, rng: np.random.Generator) -> MultiVectors:
    """Passages about one of thirty topics each, as texts are."""
    topics = np.random.default_rng(5).standard_normal((30, DIM))
    items = []
    for _ in range(n_passages):
        noise = rng.standard_normal((int(rng.integers(1, 12)), DIM))
        vectors = topics[rng.integers(30)] + 0.7 * noise
        items.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    return MultiVectors.of(items, dim=DIM)


@pytest.fixture(params=sorted(CANDIDATES))
def generator(request: pytest.FixtureRequest) -> CandidateGenerator:
    made: CandidateGenerator = lookup(CANDIDATES, request.param, "candidate generator")()
    return made


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder, rng = tmp_path_factory.mktemp("segments"), np.random.default_rng(1)
    vectors = [clustered_vectors(size, rng) for size in SIZES]
    codebook = Codebook.of(1, train(np.concatenate([v.vectors for v in vectors]), 64, seed=0))
    parts = []
    for number, items in enumerate(vectors, start=1):
        segment = Segment.open(folder, write_segment(Folder(folder), number, Float16(), items))
        codes = codebook.nearest(items.vectors)
        info = write_lists(Folder(folder), number, 1, len(codebook.levels), codes, items.offsets)
        rows = np.arange(len(items))
        live = np.ones(len(items), np.bool_)
        parts.append(Part(segment, rows, rows, live, SegmentLists.open(folder, info)))
    return Snapshot(1, tuple(parts), codebook)


def queries() -> list[np.ndarray]:
    return [item[:6] for item in clustered_vectors(20, np.random.default_rng(2))]


def recall(generator: CandidateGenerator, snapshot: Snapshot, budget: Budget, k: int = 10) -> float:
    shares = []
    for query in queries():
        scores = [
            maxsim_scores(query, MultiVectors(Float16().decode(part.segment.arrays), part.segment.offsets))
            for part in snapshot.parts
        ]
        every = np.concatenate(scores)
        starts = np.cumsum([0, *(len(own) for own in scores)])
        found = generator.candidates(query, View(snapshot, Float16()), budget).best(budget.n_fine)
        given = set((starts[found.part] + found.row).tolist())
        shares.append(len(given & set(np.argsort(-every)[:k].tolist())) / k)
    return float(np.mean(shares))


def test_generator_is_found_under_its_own_name(generator: CandidateGenerator) -> None:
    assert isinstance(generator, CandidateGenerator)
    assert lookup(CANDIDATES, generator.name, "candidate generator") is type(generator)


def test_all_rows_are_given_when_everything_is_probed(generator: CandidateGenerator, snapshot: Snapshot) -> None:
    found = generator.candidates(queries()[0], View(snapshot, Float16()), EVERYTHING)
    assert rows_of(found) == [list(range(size)) for size in SIZES]
    assert (found.part.dtype, found.row.dtype, found.score.dtype) == (np.int64, np.int64, np.float32)
    assert np.array_equal(np.lexsort((found.row, found.part)), np.arange(len(found)))
    assert recall(generator, snapshot, EVERYTHING) == 1


def test_more_effort_finds_no_less(generator: CandidateGenerator, snapshot: Snapshot) -> None:
    budgets = [Budget(n_probe, 40 * n_probe, 20 * n_probe, 1) for n_probe in (1, 2, 4, 8)]
    found = [recall(generator, snapshot, budget) for budget in budgets]
    assert all(later >= earlier - 0.02 for earlier, later in itertools.pairwise(found))
    assert found[-1] >= 0.95


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_any_subset_of_live_rows_is_respected(generator: CandidateGenerator, snapshot: Snapshot, share: float) -> None:
    rng = np.random.default_rng(3)
    parts = tuple(replace(part, live=rng.random(len(part.live)) < share) for part in snapshot.parts)
    found = generator.candidates(queries()[1], View(replace(snapshot, parts=parts), Float16()), EVERYTHING)
    assert rows_of(found) == [np.flatnonzero(part.live).tolist() for part in parts]


def test_centroids_give_parts_that_were_never_clustered_whole(snapshot: Snapshot) -> None:
    parts = (replace(snapshot.parts[0], lists=None), *snapshot.parts[1:])
    found = Centroids().candidates(queries()[2], View(replace(snapshot, parts=parts), Float16()), Budget(2, 16, 4, 1))
    assert set(range(SIZES[0])) == set(found.rows_of(0).tolist())
    assert (found.score[found.part == 0] == UNKNOWN).all()


def test_threads_change_nothing(generator: CandidateGenerator, snapshot: Snapshot) -> None:
    budget = Budget(4, 200, 20, 1)
    one, two = (generator.candidates(queries()[3], View(snapshot, Float16(), threads), budget) for threads in (1, 2))
    assert rows_of(one) == rows_of(two)
    np.testing.assert_array_equal(one.score, two.score)


def test_no_parts_give_no_rows(generator: CandidateGenerator, snapshot: Snapshot) -> None:
    assert not len(generator.candidates(queries()[0], View(replace(snapshot, parts=()), Float16()), EVERYTHING))


@pytest.mark.parametrize("n_tokens", [1, RANKED_TOKENS + 1])
def test_what_a_filter_leaves_is_found_with_small_budgets(
    generator: CandidateGenerator, snapshot: Snapshot, n_tokens: int
) -> None:
    rng = np.random.default_rng(7)
    parts = tuple(replace(part, live=rng.random(len(part.live)) < 0.2) for part in snapshot.parts)
    n_live = sum(int(part.live.sum()) for part in parts)
    filtered = replace(snapshot, parts=parts, kept=Kept(n_live, n_tokens, 0.2))
    budget = Budget(n_probe=2, n_candidates=24, n_fine=8, margin=1)
    for query in queries()[:5]:
        found = generator.candidates(query, View(filtered, Float16()), budget)
        assert len(found)
        assert all(part.live[rows].all() for part, rows in zip(parts, rows_of(found), strict=True))


def test_centroids_look_at_every_passage_where_a_filter_leaves_few(snapshot: Snapshot) -> None:
    parts = tuple(replace(part, live=np.arange(len(part.live)) % 7 == 0) for part in snapshot.parts)
    filtered = replace(snapshot, parts=parts, kept=Kept(58, RANKED_TOKENS, 1 / 7))
    found = Centroids().candidates(queries()[2], View(filtered, Float16()), Budget(1, 1, 1, 1))
    assert rows_of(found) == [np.flatnonzero(part.live).tolist() for part in parts]
    assert np.isfinite(found.score).all()
