"""Where a run begins: a table of the teacher's main directions, a projection that is the best linear one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lfm2_colbert.training.batches import Material, made  # noqa: E402
from lfm2_colbert.training.beginning import load_beginning, save_beginning, with_projection  # noqa: E402
from lfm2_colbert.training.checkpoints import read_start  # noqa: E402
from lfm2_colbert.training.corpus import Corpus  # noqa: E402
from lfm2_colbert.training.plan import planned  # noqa: E402
from lfm2_colbert.training.recipe import DataConfig, LoopConfig, LossConfig, Recipe, ShapeConfig  # noqa: E402
from lfm2_colbert.training.start import EMBEDDINGS, PROJECTION_WEIGHT, with_table  # noqa: E402
from lfm2_colbert.training.targets import Targets  # noqa: E402

pytestmark = pytest.mark.torch

SHAPE = ShapeConfig(16, 32, ("conv", "full_attention"), 2, 1, 8, dim=8)
RECIPE = Recipe("r", 1, "nano", DataConfig(sources=("x",)), LoopConfig(2000, 200), teacher="t", shape=SHAPE)
SIZE, N_TEXTS = 12, 60


def start_of(recipe: Recipe = RECIPE):  # type: ignore[no-untyped-def]
    return read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))


@pytest.fixture
def material() -> Material:
    """Texts of drawn ids, whose states are a fixed function of the id."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(4, 12, N_TEXTS)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(5, 40, offsets[-1]).astype(np.uint16)
    pairs = np.array([(i, i + 1, i % 4 == 0) for i in range(0, N_TEXTS, 2)], np.int32)
    roles = (np.arange(N_TEXTS) % 2).astype(np.int8)
    corpus = Corpus(
        ids, offsets, roles, pairs, ("pairs", "parallel"), np.empty((0, 1), np.int32), np.empty((0, 0), np.float32)
    )
    of_ids = rng.integers(-127, 128, (50_000, SIZE)).astype(np.int8)
    axes = rng.standard_normal((SIZE, 8)).astype(np.float32)
    texts = rng.standard_normal((N_TEXTS, SIZE)).astype(np.float16)
    return Material.on(torch.device("cpu"), corpus, Targets(of_ids[ids], texts, axes))


def test_a_table_keeps_what_tells_frequent_pieces_apart() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((48_000, 16))
    words = (hidden @ rng.standard_normal((16, 40)) + 5).astype(np.float32)  # 16 directions, and a mean far from 0
    counts = rng.integers(0, 1000, 48_000)
    table = with_table(start_of(), words, counts).tensors[EMBEDDINGS]
    assert table.shape == (48_000, 16)
    np.testing.assert_allclose(np.square(table).mean(axis=1), 1, rtol=1e-3)
    weights = (counts + 1) / (counts + 1).sum()
    centred = words - weights @ words
    some = rng.integers(0, 48_000, 50)
    ours, theirs = (x[some] / np.linalg.norm(x[some], axis=1, keepdims=True) for x in (table, centred))
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-3)  # cosines survive: nothing was cut off


def test_the_projection_is_nearer_to_the_targets_than_any_other(material: Material, tmp_path: Path) -> None:
    start = start_of()
    fitted = with_projection(start, material, RECIPE)

    def loss(projection: np.ndarray) -> float:  # type: ignore[type-arg]
        model = replace(start, tensors=start.tensors | {PROJECTION_WEIGHT: projection}).model()
        total, n = 0.0, 0
        for step in planned(material, RECIPE):
            for chosen in step.chosen:
                side = made(material, chosen).documents
                with torch.inference_mode():
                    found = model.projection(model.backbone(side.ids, side.masks)[side.taught])
                total += float((found - side.targets[side.taught]).square().sum())
                n += 1
        return total / n

    best = fitted.tensors[PROJECTION_WEIGHT]
    rng = np.random.default_rng(1)
    for _ in range(3):
        other = best + 0.05 * rng.standard_normal(best.shape).astype(np.float32)
        assert loss(best) < loss(other)
    save_beginning(tmp_path / "b.npz", fitted)
    again = load_beginning(tmp_path / "b.npz", start_of())
    for name in (PROJECTION_WEIGHT, EMBEDDINGS):
        np.testing.assert_array_equal(again.tensors[name], fitted.tensors[name])


def test_steps_are_the_same_for_all_and_end_with_the_tokens(material: Material) -> None:
    two = replace(RECIPE, loop=replace(RECIPE.loop, processes=2), loss=LossConfig())
    ours, theirs = (list(planned(material, two)) for _ in range(2))
    assert [[c.rows.tolist() for c in step.chosen] for step in ours] == [
        [c.rows.tolist() for c in step.chosen] for step in theirs
    ]
    assert all(len(step.chosen) == 2 for step in ours)
    assert ours[-1].before < two.loop.tokens <= ours[-1].before + ours[-1].n_tokens
    assert [step.before for step in ours[1:]] == [step.before + step.n_tokens for step in ours[:-1]]
    other = list(planned(material, replace(two, seed=2)))
    assert [c.rows.tolist() for c in other[0].chosen] != [c.rows.tolist() for c in ours[0].chosen]


def test_a_batch_is_of_one_kind_and_holds_what_its_rows_name(material: Material) -> None:
    for step in planned(material, RECIPE):
        for chosen in step.chosen:
            batch = made(material, chosen)
            pairs = material.corpus.pairs[chosen.rows]
            assert len(set(pairs[:, 2].tolist())) == 1
            assert batch.are_translations == bool(pairs[0, 2])  # type: ignore[union-attr]
            for side, column in ((batch.queries, 0), (batch.documents, 1)):
                for row, text in enumerate(pairs[:, column]):
                    own = slice(*material.corpus.offsets[text : text + 2])
                    length = own.stop - own.start
                    np.testing.assert_array_equal(side.ids[row, :length].numpy(), material.corpus.ids[own])
                    assert side.present[row].sum() == length
                    assert side.taught[row].sum() == length - 2
                    states = material.states[own][2:].float()
                    expected = torch.nn.functional.normalize(states @ material.axes, dim=-1)
                    np.testing.assert_allclose(side.targets[row, 2:length].numpy(), expected.numpy(), atol=1e-5)
