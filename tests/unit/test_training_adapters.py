"""Adapters: they alone learn, a model begins as what it was, and what is merged is what was adapted."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from lfm2_colbert.backbone import Masks  # noqa: E402
from lfm2_colbert.config import BackboneConfig  # noqa: E402
from lfm2_colbert.errors import InvalidConfigError  # noqa: E402
from lfm2_colbert.model import ColBERTModel  # noqa: E402
from lfm2_colbert.training.adapters import add_adapters, merge_adapters  # noqa: E402
from lfm2_colbert.training.optimizers import optimizers_of, set_rates  # noqa: E402
from lfm2_colbert.training.recipe import LoopConfig, LoraConfig  # noqa: E402
from lfm2_colbert.training.state import load_state, save_state  # noqa: E402

pytestmark = pytest.mark.torch

SHAPE = BackboneConfig(50, 16, 24, ("conv", "full_attention"), 2, 1, 8, 3, 1e-5, 1e4, bidirectional=True)
LOOP = LoopConfig(tokens=1000, rate=0.05, warm_up=1)
CONFIG = LoraConfig(rank=3, alpha=6)
RNG = np.random.default_rng(0)
IDS = torch.from_numpy(RNG.integers(0, 50, (4, 7)))
GOAL = torch.from_numpy(RNG.standard_normal((4, 7, 12)).astype(np.float32))


def model() -> ColBERTModel:
    torch.manual_seed(0)
    return ColBERTModel(SHAPE, 12).requires_grad_(False)


def adapted(config: LoraConfig = CONFIG) -> ColBERTModel:
    student = model()
    add_adapters(student, config)
    return student


def vectors(student: ColBERTModel) -> "torch.Tensor":
    present = torch.ones_like(IDS, dtype=torch.bool)
    return student(IDS, Masks(present, present))


def learn(student: ColBERTModel, optimizers: list["torch.optim.Optimizer"], steps: int) -> float:
    for step in range(steps):
        set_rates(optimizers, LOOP, step, 0.0)
        loss = -(vectors(student) * GOAL).sum()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    return loss.item()


def test_a_model_begins_as_what_it_was_and_only_adapters_learn() -> None:
    student, before = adapted(), model()
    torch.testing.assert_close(vectors(student), vectors(before), atol=0, rtol=0)
    (-(vectors(student) * GOAL).sum()).backward()
    with_gradients = {name for name, parameter in student.named_parameters() if parameter.grad is not None}
    layers = {name for name, own in before.backbone.named_modules() if isinstance(own, torch.nn.Linear)}
    assert with_gradients == {f"backbone.{own}.lora_{part}.default.weight" for own in layers for part in "AB"}
    assert {parameter.shape for name, parameter in student.named_parameters() if "w2.lora_A" in name} == {(3, 24)}
    optimizers = optimizers_of(student, LOOP)
    assert learn(student, optimizers, 30) < learn(adapted(), [], 1) - 1
    for name, own in before.state_dict().items():
        layer, _, last = name.rpartition(".")
        kept = student.state_dict()[f"{layer}.base_layer.{last}" if layer.removeprefix("backbone.") in layers else name]
        torch.testing.assert_close(kept, own, atol=0, rtol=0)


def test_the_merged_model_has_the_adapted_ones_vectors() -> None:
    student = adapted()
    learn(student, optimizers_of(student, LOOP), 20)
    expected = vectors(student).detach()
    layer = student.backbone.layers[0].feed_forward.w1
    weight = layer.base_layer.weight + 6 / 3 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    merge_adapters(student)
    assert set(student.state_dict()) == set(model().state_dict())
    assert (expected - vectors(model())).abs().max() > 0.1
    torch.testing.assert_close(vectors(student), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(student.backbone.layers[0].feed_forward.w1.weight, weight, atol=1e-6, rtol=1e-6)


def test_only_the_layers_that_are_named_are_adapted() -> None:
    names = [
        name for name, own in adapted(LoraConfig(modules=("q_proj", "w2"))).named_parameters() if own.requires_grad
    ]
    assert {name.partition(".lora_")[0] for name in names} == {
        "backbone.layers.1.self_attn.q_proj",
        "backbone.layers.0.feed_forward.w2",
        "backbone.layers.1.feed_forward.w2",
    }
    with pytest.raises(InvalidConfigError, match="no linear layer 'q_prj'") as refused:
        adapted(LoraConfig(modules=("q_prj",)))
    assert "did you mean 'q_proj'" in refused.value.help
    with pytest.raises(InvalidConfigError, match="rank"):
        LoraConfig(rank=0)


def test_a_state_holds_what_is_learned_alone_and_a_run_goes_on_from_it(tmp_path: Path) -> None:
    student = adapted()
    optimizers = optimizers_of(student, LOOP)
    learn(student, optimizers, 5)
    save_state(tmp_path / "state.npz", student, optimizers, 5)
    with np.load(tmp_path / "state.npz") as kept:
        assert all("lora_" in name for name in kept.files if name.startswith("model."))
    torch.manual_seed(1)
    other = model()
    torch.manual_seed(2)  # adapters that are drawn otherwise
    add_adapters(other, CONFIG)
    others = optimizers_of(other, LOOP)
    assert load_state(tmp_path / "state.npz", other, others) == 5
    learn(student, optimizers, 5)
    learn(other, others, 5)
    for name, own in student.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], own, atol=0, rtol=0)
