"""States of a run, from which a killed one goes on: weights that are learned, optimisers, the step; without pickles.

A state is written beside the last one and takes its place by renaming.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lfm2_colbert.training.archive import read_archive, write_archive

STATE = "state.npz"
STEP = "step"


def save_state(path: Path, model: nn.Module, optimizers: list[Optimizer], step: int) -> None:
    """Write a state."""
    tensors: dict[str, Tensor] = {f"model.{name}": own for name, own in model.named_parameters() if own.requires_grad}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{key}": torch.as_tensor(v) for key, v in values.items()}
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    write_archive(path, arrays | {STEP: np.array(step)})


def load_state(path: Path, model: nn.Module, optimizers: list[Optimizer]) -> int:
    """Take a state up, and give its step; 0 where there is none."""
    if not path.exists():
        return 0
    arrays = read_archive(path)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items() if name != STEP}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(tensors[f"model.{name}"])
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optimizer.{number}."):
                index, key = name.split(".")[2:]
                state.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(arrays[STEP])
