"""Who changes which weights: Muon the matrices of the layers, AdamW the table and the rest, by one schedule.

Muon: Jordan et al., 2024 (`torch.optim.Muon`). AdamW: Loshchilov and Hutter, 2019.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from lfm2_colbert.training.recipe import LoopConfig

BETAS = (0.9, 0.98)


def optimizers_of(model: nn.Module, loop: LoopConfig) -> list[Optimizer]:
    """Share the weights of an encoder out."""
    matrices, table, rest = [], [], []
    for name, parameter in model.named_parameters():
        if "embed_tokens" in name:
            table.append(parameter)
        elif parameter.ndim == 2 and ".layers." in name:
            matrices.append(parameter)
        else:
            rest.append(parameter)
    return [
        Muon(matrices, lr=loop.matrix_rate, weight_decay=0.0, adjust_lr_fn="original"),
        AdamW(table, lr=loop.table_rate, betas=BETAS, weight_decay=0.0),
        AdamW(rest, lr=loop.rate, betas=BETAS, weight_decay=0.0),
    ]


def set_rates(optimizers: Sequence[Optimizer], loop: LoopConfig, step: int, progress: float) -> None:
    """Let rates rise over the steps of the warm-up, and fall to 0 with the last token, on straight lines."""
    share = min((step + 1) / max(loop.warm_up, 1), 1 - progress)
    for optimizer, rate in zip(optimizers, (loop.matrix_rate, loop.table_rate, loop.rate), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * share


def average(model: nn.Module) -> None:
    """Bring the gradients of all processes to their mean."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()
