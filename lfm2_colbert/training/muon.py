"""Muon: momentum, brought to an orthogonal matrix, is the step (Jordan et al., 2024).

As `torch.optim.Muon`, to the bit, where that multiplies as fast as it can. It always takes bfloat16, which a processor
without instructions for it imitates: a step of nano's matrices is 28 times as long there as in float32.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
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
            alike = defaultdict(list)
            for weights in group["params"]:
                if weights.grad is not None:
                    alike[weights.shape].append(weights)
            for own in alike.values():
                self._change(own, group["lr"])

    def _change(self, alike: Sequence[Tensor], rate: float) -> None:
        """Change matrices of one shape, all at once: a GPU is told of a small product for longer than it takes."""
        gradients = torch.stack([weights.grad for weights in alike])  # type: ignore[misc]
        momenta = torch.stack([self._momentum(weights) for weights in alike]).lerp_(gradients, 1 - MOMENTUM)
        ahead = gradients.lerp_(momenta, MOMENTUM)  # Nesterov's
        _, n_out, n_in = ahead.shape
        steps = orthogonal(ahead, fast_dtype(ahead.device))
        for weights, momentum, step in zip(alike, momenta, steps, strict=True):
            self._momentum(weights).copy_(momentum)
            weights.add_(step, alpha=-rate * sqrt(max(1, n_out / n_in)))

    def _momentum(self, weights: Tensor) -> Tensor:
        state = self.state[weights]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weights)
        return state["momentum_buffer"]  # type: ignore[no-any-return]


def orthogonal(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Bring the singular values of ``(n, rows, columns)`` matrices near 1 by Newton-Schulz iterations, in `dtype`."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.to(dtype).mT if is_tall else matrices.to(dtype)
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=LEAST_NORM)
    once, thrice, five_times = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=thrice, alpha=five_times), x, beta=once)
    return x.mT if is_tall else x
