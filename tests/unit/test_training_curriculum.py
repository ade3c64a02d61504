"""From easy to hard: difficulty against its definition, and epochs that hold all pairs, easier ones first."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from lfm2_colbert.errors import InvalidConfigError  # noqa: E402
from lfm2_colbert.training.batches import Material, batches_of, epoch  # noqa: E402
from lfm2_colbert.training.corpus import Corpus  # noqa: E402
from lfm2_colbert.training.curriculum import places  # noqa: E402
from lfm2_colbert.training.plan import chosen_of, planned  # noqa: E402
from lfm2_colbert.training.recipe import DataConfig, LoopConfig, Recipe  # noqa: E402
from lfm2_colbert.training.targets import Targets  # noqa: E402

pytestmark = pytest.mark.torch

N_PAIRS, SIZE, LENGTH = 600, 16, 8
RECIPE = Recipe(
    name="r",
    seed=3,
    start="nano",
    teacher="nano",
    data=DataConfig(sources=("s",), curriculum=True),
    loop=LoopConfig(tokens=30_000, tokens_per_step=160),
)


def material(*, n_lists: int = 0) -> Material:
    """Pairs of two kinds; the teacher's vector of a query is that of its document and ever more noise, in any order."""
    rng = np.random.default_rng(0)
    n_texts = 2 * N_PAIRS
    documents = unit(rng.standard_normal((N_PAIRS, SIZE)))
    noise = rng.permutation(np.linspace(0, 4, N_PAIRS))
    queries = unit(documents + noise[:, None] * unit(rng.standard_normal((N_PAIRS, SIZE))))
    kinds = rng.integers(0, 2, N_PAIRS)
    texts = np.arange(n_texts).reshape(2, N_PAIRS)
    corpus = Corpus(
        ids=np.zeros(n_texts * LENGTH, np.uint16),
        offsets=np.arange(n_texts + 1) * LENGTH,
        roles=np.zeros(n_texts, np.int8),
        pairs=np.stack([texts[0], texts[1], kinds], axis=1).astype(np.int32),
        kinds=("pairs", "parallel"),
        lists=np.stack([texts[0], texts[1], texts[1][::-1]], axis=1).astype(np.int32)[:n_lists],
        list_scores=np.ones((n_lists, 2), np.float32),
    )
    dense = np.concatenate([queries, documents]).astype(np.float16)
    states = np.ones((n_texts * LENGTH, SIZE), np.int8)
    return Material.on(torch.device("cpu"), corpus, Targets(states, dense, np.eye(SIZE, dtype=np.float32)))


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_place_is_the_rank_of_the_own_document_and_then_its_lead() -> None:
    own = material()
    found = places(own.corpus, own.dense, 3)
    dense = own.dense.astype(np.float64)
    for kind in range(2):
        rows = np.flatnonzero(own.corpus.pairs[:, 2] == kind)  # fewer than are sampled: each is ranked among all
        scores = dense[rows] @ dense[N_PAIRS + rows].T
        reached = scores.diagonal().copy()
        np.fill_diagonal(scores, -np.inf)
        ranks, leads = (scores > reached[:, None]).sum(axis=1), reached - scores.max(axis=1)
        assert sorted(found[rows]) == list(range(len(rows)))
        by_place = np.argsort(found[rows])
        assert (np.diff(ranks[by_place]) >= -2).all()  # vectors are rounded, and so a near tie may turn
        first = by_place[: np.count_nonzero(ranks == 0) - 2]
        assert (np.diff(leads[first]) < 2e-3).all()
        assert 0 < np.count_nonzero(ranks == 0) < len(rows) / 2


def test_another_copy_of_the_own_document_makes_a_pair_no_harder() -> None:
    own = material()
    pairs = own.corpus.pairs.copy()
    pairs[:, 1] = pairs[0, 1]  # all pairs have one document: none has an other
    np.testing.assert_array_equal(
        places(replace(own.corpus, pairs=pairs), own.dense, 3)[pairs[:, 2] == 0],
        np.arange(np.count_nonzero(pairs[:, 2] == 0)),
    )


def test_early_steps_hold_easier_pairs_and_an_epoch_holds_all() -> None:
    own = material()
    placed = places(own.corpus, own.dense, 3)
    plain, ordered = epoch(own, 160, 3, 0), epoch(own, 160, 3, 0, placed)
    for kind in range(2):
        steps = [rows for rows in ordered if own.corpus.pairs[rows[0], 2] == kind]
        assert sorted(np.concatenate(steps)) == np.flatnonzero(own.corpus.pairs[:, 2] == kind).tolist()
        means = np.array([placed[rows].mean() for rows in steps]) / (placed[np.concatenate(steps)].max() + 1)
        tenths = [part.mean() for part in np.array_split(means, 10)]
        np.testing.assert_allclose(tenths, np.arange(0.05, 1, 0.1), atol=0.08)
    means = np.array([placed[rows].mean() for rows in plain])
    assert abs(means[: len(means) // 2].mean() - means[len(means) // 2 :].mean()) < 0.15 * placed.max()


def test_kinds_go_side_by_side_and_other_pairs_meet_in_each_epoch() -> None:
    own = material()
    placed = places(own.corpus, own.dense, 3)
    first, again, second = (epoch(own, 160, 3, number, placed) for number in (0, 0, 1))
    kinds = np.array([own.corpus.pairs[rows[0], 2] for rows in first])
    for part in np.array_split(kinds, 5):
        assert 0.2 < part.mean() < 0.8
    as_sets = [{frozenset(rows.tolist()) for rows in steps} for steps in (first, again, second)]
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in again]
    assert len(as_sets[0] & as_sets[2]) < len(first) / 4


def test_lists_stand_among_pairs_that_keep_their_order() -> None:
    own = material(n_lists=300)
    placed = places(own.corpus, own.dense, 3)
    found = batches_of(own, 160, 3, 0, placed)
    pairs = [each.rows.tolist() for each in found if not each.are_lists]
    assert pairs == [rows.tolist() for rows in epoch(own, 160, 3, 0, placed)]
    lists = np.flatnonzero([each.are_lists for each in found])
    assert sorted(row for place in lists for row in found[place].rows.tolist()) == list(range(300))
    assert lists.mean() == pytest.approx(len(found) / 2, rel=0.15)


def test_a_run_that_goes_on_sees_the_steps_that_it_would_have_seen() -> None:
    own = material()
    whole = [step.chosen[0].rows.tolist() for step in planned(own, RECIPE)]
    rest = [step.chosen[0].rows.tolist() for step in islice(planned(material(), RECIPE), 40, None)]
    assert rest == whole[40:]
    assert len(whole) > 100
    plain = replace(RECIPE, data=replace(RECIPE.data, curriculum=False))
    assert whole[:5] != [each.rows.tolist() for each in islice(chosen_of(own, plain), 5)]


def test_a_curriculum_without_a_teacher_is_refused() -> None:
    with pytest.raises(InvalidConfigError, match="curriculum"):
        replace(RECIPE, teacher="", loss=replace(RECIPE.loss, token=0.0, ranking=0.0))
