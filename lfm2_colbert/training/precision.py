"""Which numbers are multiplied in training: bfloat16 where that is fast."""

import torch

from lfm2_colbert.processors import instruction_sets, multiplies_bfloat16


def in_bfloat16(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """Multiply in bfloat16 within the block, on a GPU or a processor that has instructions for it; else in float32."""
    is_fast = device.type == "cuda" or multiplies_bfloat16(instruction_sets())
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and is_fast)
