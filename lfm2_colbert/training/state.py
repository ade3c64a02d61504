"""States of a run, from which a killed one goes on: weights, optimisers and the step, without pickles.

A state is written beside the last one and takes its place by renaming.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

STATE = "state.safetensors"
STEP = "step"


def save_state(path: Path, model: nn.Module, optimizers: list[Optimizer], step: int) -> None:
    """Write a state."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{key}": torch.as_tensor(v) for key, v in values.items()}
    unfinished = path.with_suffix(".part")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished, {STEP: json.dumps(step)})
    unfinished.replace(path)


def load_state(path: Path, model: nn.Module, optimizers: list[Optimizer]) -> int:
    """Take a state up, and give its step; 0 where there is none."""
    if not path.exists():
        return 0
    tensors = load_file(path)
    model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    for number, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith(f"optimizer.{number}."):
                index, key = name.split(".")[2:]
                state.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return _step_of(path)


def _step_of(path: Path) -> int:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return int(json.loads(file.metadata()[STEP]))
