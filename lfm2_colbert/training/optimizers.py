"""Who changes which weights: Muon the matrices of the layers, AdamW the table and the rest, by one schedule.

Adapters are AdamW's, as in their paper: orthogonal steps would raise all directions of so low a rank alike.
AdamW: Loshchilov and Hutter, 2019.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from lfm2_colbert.training.muon import Muon
from lfm2_colbert.training.recipe import LoopConfig

BETAS = (0.9, 0.98)
ADAPTER = "lora_"
"""Part of the names of adapters' weights (`adapters.py`)."""
RATE = "highest_rate"
"""Under this name a group of weights keeps what its rate rises to."""


def optimizers_of(model: nn.Module, loop: LoopConfig) -> list[Optimizer]:
    """Share out the weights of an encoder that are learned; each optimiser has at least one."""
    matrices, table, rest = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if "embed_tokens" in name:
            table.append(parameter)
        elif parameter.ndim == 2 and ".layers." in name and ADAPTER not in name:
            matrices.append(parameter)
        else:
            rest.append(parameter)
    found: list[Optimizer] = []
    if matrices:
        group = {"params": matrices, RATE: loop.matrix_rate}
        found.append(Muon([group], lr=loop.matrix_rate))
    for parameters, rate in ((table, loop.table_rate), (rest, loop.rate)):
        if parameters:
            group = {"params": parameters, RATE: rate}
            found.append(AdamW([group], lr=rate, betas=BETAS, weight_decay=0.0, fused=True))
    return found


def set_rates(optimizers: Sequence[Optimizer], loop: LoopConfig, step: int, progress: float) -> None:
    """Let rates rise over the steps of the warm-up, and fall to 0 with the last token, on straight lines."""
    share = min((step + 1) / max(loop.warm_up, 1), 1 - progress)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group[RATE] * share


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
