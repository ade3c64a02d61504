"""Muon: momentum, brought to an orthogonal matrix, is the step (Jordan et al., 2024).

As `torch.optim.Muon`, to the bit, where that multiplies as fast as it can. It always takes bfloat16, which a processor
without instructions for it imitates: a step of nano's matrices is 28 times as long there as in float32.
"""

from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lfm2_colbert.training.precision import fast_dtype

MOMENTUM = 0.95
ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of x, x³ and x⁵: chosen by Jordan for a steep rise at 0; singular values end between .7 and 1.2."""
LEAST_NORM = 1e-7


class Muon(Optimizer):
    """Steps of one size in every direction, for matrices: ``W ← W - rate · sqrt(max(1, n_out / n_in)) · O``."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Change each matrix that has a gradient; `closure` is the base class's, and none is taken."""
        assert closure is None, "the loop computes gradients itself"
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self._change(weights, group["lr"])

    def _change(self, weights: Tensor, rate: float) -> None:
        state = self.state[weights]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weights)
        momentum = state["momentum_buffer"].lerp_(weights.grad, 1 - MOMENTUM)
        ahead = weights.grad.lerp(momentum, MOMENTUM)  # type: ignore[union-attr]  # Nesterov's
        n_out, n_in = weights.shape
        weights.add_(orthogonal(ahead, fast_dtype(weights.device)), alpha=-rate * sqrt(max(1, n_out / n_in)))


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Bring a matrix's singular values near 1 by Newton-Schulz iterations, in `dtype`."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.to(dtype).T if is_tall else matrix.to(dtype)
    x = x / x.norm().clamp(min=LEAST_NORM)
    once, thrice, five_times = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=thrice, alpha=five_times), x, beta=once)
    return x.T if is_tall else x
