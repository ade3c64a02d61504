"""Which numbers are multiplied in training: bfloat16 where that is fast."""

import torch

from lfm2_colbert.processors import instruction_sets, multiplies_bfloat16


def fast_dtype(device: torch.device) -> torch.dtype:
    """Give bfloat16 for a GPU or a processor that has instructions for it, else float32."""
    is_fast = device.type == "cuda" or multiplies_bfloat16(instruction_sets())
    return torch.bfloat16 if is_fast else torch.float32


def in_bfloat16(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """Multiply in bfloat16 within the block where that is fast; else in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and fast_dtype(device) == torch.bfloat16)
