"""Gradients in chunks against those of the whole batch, for every loss; and what they spare."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lfm2_colbert.config import BackboneConfig  # noqa: E402
from lfm2_colbert.model import ColBERTModel  # noqa: E402
from lfm2_colbert.training.batches import Chosen, ListBatch, Material, TrainingBatch, made  # noqa: E402
from lfm2_colbert.training.corpus import Corpus  # noqa: E402
from lfm2_colbert.training.gradients import LOSS, add_gradients  # noqa: E402
from lfm2_colbert.training.loop import compiled, losses_of  # noqa: E402
from lfm2_colbert.training.losses import maxsim  # noqa: E402
from lfm2_colbert.training.recipe import LossConfig  # noqa: E402
from lfm2_colbert.training.targets import Targets  # noqa: E402

pytestmark = pytest.mark.torch

N_PAIRS, LIST_SIZE, DIM, STATE = 7, 3, 12, 10
SHAPE = BackboneConfig(50, 16, 24, ("conv", "full_attention"), 2, 1, 8, 3, 1e-5, 1e4, bidirectional=True)
LOSSES = LossConfig(
    token=1.0, ranking=0.5, contrastive=0.5, lists=0.5, alignment=0.5, student_scale=10.0, teacher_maxsim_scale=10.0
)


def material() -> Material:
    """Texts of random ids, some long and some short, as pairs that are translations, and as lists."""
    rng = np.random.default_rng(0)
    n_texts = 2 * N_PAIRS + N_PAIRS * LIST_SIZE
    offsets = np.concatenate([[0], np.cumsum(rng.integers(4, 14, n_texts))])
    texts = np.arange(n_texts, dtype=np.int32)
    pairs = np.stack([texts[:N_PAIRS], texts[N_PAIRS : 2 * N_PAIRS], np.zeros(N_PAIRS, np.int32)], axis=1)
    lists = np.concatenate([texts[:N_PAIRS, None], texts[2 * N_PAIRS :].reshape(N_PAIRS, LIST_SIZE)], axis=1)
    corpus = Corpus(
        ids=rng.integers(0, 50, offsets[-1]).astype(np.uint16),
        offsets=offsets,
        roles=np.zeros(n_texts, np.int8),
        pairs=pairs,
        kinds=("parallel",),
        lists=lists,
        list_scores=rng.standard_normal((N_PAIRS, LIST_SIZE)).astype(np.float32),
    )
    targets = Targets(
        rng.integers(-127, 128, (offsets[-1], STATE)).astype(np.int8),
        rng.standard_normal((n_texts, STATE)).astype(np.float16),
        rng.standard_normal((STATE, DIM)).astype(np.float32),
    )
    return Material.on(torch.device("cpu"), corpus, targets)


def model() -> ColBERTModel:
    torch.manual_seed(0)
    return ColBERTModel(SHAPE, DIM)


def batch(*, are_lists: bool) -> TrainingBatch | ListBatch:
    return made(material(), Chosen(np.arange(N_PAIRS, dtype=np.int32), are_lists))


def gradients(
    own: TrainingBatch | ListBatch, config: LossConfig, chunk: int
) -> tuple[dict[str, "torch.Tensor"], dict[str, "torch.Tensor"]]:
    """Losses, and gradients by the names of the weights."""
    student = model()
    losses = add_gradients(student, own, lambda q, d: losses_of(q, d, own, config, 1.0), chunk=chunk, autocast=False)
    return losses, {
        name: parameter.grad for name, parameter in student.named_parameters() if parameter.grad is not None
    }


@pytest.mark.parametrize("are_lists", [False, True], ids=["pairs", "lists"])
@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("dims", [(), (4,)], ids=["whole", "beginnings"])
def test_chunks_give_the_gradients_of_the_whole_batch(*, are_lists: bool, chunk: int, dims: tuple[int, ...]) -> None:
    own, config = batch(are_lists=are_lists), replace(LOSSES, dims=dims)
    losses, whole = gradients(own, config, 0)
    again, chunked = gradients(own, config, chunk)
    expected = {"token", "lists", LOSS} if are_lists else {"token", "ranking", "contrastive", "alignment", LOSS}
    assert set(losses) == set(again) == expected
    assert set(chunked) == set(whole) == {name for name, _ in model().named_parameters()}
    for name, gradient in whole.items():
        assert gradient.abs().max() > 1e-4, name
        torch.testing.assert_close(chunked[name], gradient, atol=1e-5, rtol=1e-5)
    for name, value in losses.items():
        assert again[name].item() == pytest.approx(value.item(), abs=1e-5)


@pytest.mark.slow  # compiling takes a minute
@pytest.mark.filterwarnings("ignore")  # of torch, as it loads its compiler
def test_compiled_layers_and_comparisons_give_the_same_gradients_for_any_shape() -> None:
    eager, student = model(), model()
    compare = compiled(student)
    for n in (N_PAIRS, 4):
        own = made(material(), Chosen(np.arange(n, dtype=np.int32), are_lists=False))
        for each, comparison in ((eager, maxsim), (student, compare)):
            each.zero_grad()
            losses = partial(losses_of, batch=own, config=LOSSES, progress=1.0, compare=comparison)
            add_gradients(each, own, losses, chunk=0, autocast=False)
        for (name, expected), found in zip(eager.named_parameters(), student.parameters(), strict=True):
            torch.testing.assert_close(found.grad, expected.grad, atol=1e-5, rtol=1e-4, msg=name)
    assert student.state_dict().keys() == eager.state_dict().keys()


def test_no_more_texts_are_encoded_with_a_graph_at_once_than_a_chunk_has() -> None:
    own, student, seen = batch(are_lists=False), model(), list[tuple[bool, int]]()
    student.register_forward_hook(lambda _, arguments, vectors: seen.append((vectors.requires_grad, len(vectors))))
    add_gradients(student, own, lambda q, d: losses_of(q, d, own, LOSSES, 1.0), chunk=3, autocast=False)
    assert [n for has_graph, n in seen if has_graph] == [3, 3, 1, 3, 3, 1]
    assert sum(n for has_graph, n in seen if not has_graph) == 2 * N_PAIRS
