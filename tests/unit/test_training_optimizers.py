"""Own Muon against torch's, and what its iterations are for."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn, optim  # noqa: E402

from lfm2_colbert.training import muon  # noqa: E402
from lfm2_colbert.training.muon import Muon, orthogonal  # noqa: E402
from lfm2_colbert.training.optimizers import optimizers_of, set_rates  # noqa: E402
from lfm2_colbert.training.recipe import LoopConfig  # noqa: E402
from lfm2_colbert.training.state import STATE, load_state, save_state  # noqa: E402

pytestmark = pytest.mark.torch

SHAPES = [(24, 8), (8, 24), (16, 16), (24, 8), (1, 8)]
"""Two of one shape, which are changed together."""


def stepped(optimizer_of: type[Muon] | type[optim.Muon], **settings: Any) -> list[Tensor]:
    """Make three steps with the same weights and gradients."""
    torch.manual_seed(0)
    matrices = [nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    optimizer = optimizer_of([{"params": matrices}], lr=0.1, **settings)
    for _ in range(3):
        for matrix in matrices:
            matrix.grad = torch.randn(matrix.shape)
        optimizer.step()
    return [matrix.detach() for matrix in matrices]


def test_muon_is_torchs_to_the_bit_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "fast_dtype", lambda _: torch.bfloat16)
    theirs = stepped(optim.Muon, weight_decay=0.0, adjust_lr_fn="original")
    assert all(torch.equal(own, other) for own, other in zip(stepped(Muon), theirs, strict=True))


def test_muon_in_float32_is_that_of_bfloat16_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "fast_dtype", lambda _: torch.float32)
    theirs = stepped(optim.Muon, weight_decay=0.0, adjust_lr_fn="original")
    for own, other in zip(stepped(Muon), theirs, strict=True):
        torch.testing.assert_close(own, other, atol=0.02, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_iterations_turn_a_matrix_orthogonal_and_keep_its_directions(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    left, values, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    found = orthogonal((left @ torch.diag(values) @ right)[None], torch.float32)[0]
    turned = left.T @ found @ right.T  # singular values alone, if the directions are kept
    assert torch.diag(turned).sub(1).abs().max() < 0.4
    torch.testing.assert_close(turned, torch.diag(torch.diag(turned)), atol=1e-5, rtol=0)


def test_optimizers_go_on_from_their_state_to_the_same_weights(tmp_path: Path) -> None:
    """A weight has no gradient in one step."""
    loop = LoopConfig(tokens=1, warm_up=2)
    whole, first, second = (_model() for _ in range(3))
    _learn(whole, optimizers_of(whole, loop), loop, range(4))
    own = optimizers_of(first, loop)
    _learn(first, own, loop, range(2))
    save_state(tmp_path / STATE, first, own, 2)
    others = optimizers_of(second, loop)
    assert load_state(tmp_path / STATE, second, others) == 2
    _learn(second, others, loop, range(2, 4))
    for mine, other in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(mine, other)


def _model() -> nn.Module:
    torch.manual_seed(2)
    layers = nn.ModuleList([nn.Linear(6, 4), nn.Linear(4, 6)])
    return nn.ModuleDict({"encoder": nn.ModuleDict({"layers": layers}), "embed_tokens": nn.Embedding(5, 6)})


def _learn(model: nn.Module, optimizers: list[optim.Optimizer], loop: LoopConfig, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        for number, parameter in enumerate(model.parameters()):
            parameter.grad = None if number == step == 1 else torch.randn(parameter.shape)
        set_rates(optimizers, loop, step, step / 8)
        for optimizer in optimizers:
            optimizer.step()
