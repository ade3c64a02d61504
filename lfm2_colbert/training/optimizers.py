"""Who changes which weights: Muon the matrices of the layers, AdamW the table and the rest, by one schedule.

Muon: Jordan et al., 2024 (`torch.optim.Muon`). AdamW: Loshchilov and Hutter, 2019.
"""

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


def set_rates(optimizers: list[Optimizer], loop: LoopConfig, step: int, steps: int) -> None:
    """Let rates rise over the warm-up, then fall to 0 at the last step, all on straight lines."""
    share = min((step + 1) / max(loop.warm_up, 1), (steps - step) / max(steps - loop.warm_up, 1))
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
