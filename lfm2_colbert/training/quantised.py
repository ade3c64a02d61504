"""Weights in few bits, for the way to and from another machine.

Four bits as ggml's Q4_0: blocks of 32 along the last axis, a float16 scale each, by which the largest value becomes −8.
Eight bits by rows, as `export/onnx.py` stores tables, so that nothing is lost that the export would keep.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CODES, SCALES = ".codes", ".scales"
"""Ends of the names under which a quantised tensor lies in an archive."""
BLOCK = 32
LOWEST, HIGHEST = -8, 7
ROW_SCALE = 127

Floats = NDArray[np.float32]
Decoded = Callable[[NDArray[Any], NDArray[Any]], Floats]
"""Codes and scales → values."""


def to_four_bits(values: Floats) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Quantise ``(n, k)``, k a multiple of 32, to codes ``(n, k / 2)``, two in a byte, and scales ``(n, k / 32)``."""
    blocks = values.reshape(len(values), -1, BLOCK)
    places = np.abs(blocks).argmax(axis=-1)[..., None]
    scales = (np.take_along_axis(blocks, places, axis=-1)[..., 0] / LOWEST).astype(np.float16)
    divisors = np.where(scales == 0, 1, scales).astype(np.float32)[..., None]
    codes = (np.clip(np.rint(blocks / divisors), LOWEST, HIGHEST) - LOWEST).astype(np.uint8).reshape(values.shape)
    packed: NDArray[np.uint8] = codes[:, 0::2] | codes[:, 1::2] << 4
    return packed, scales


def from_four_bits(codes: NDArray[np.uint8], scales: NDArray[np.float16]) -> Floats:
    """Give back ``(n, k)``."""
    both = np.stack([codes & 15, codes >> 4], axis=-1).reshape(len(codes), -1, BLOCK).astype(np.float32) + LOWEST
    values: Floats = (both * scales.astype(np.float32)[..., None]).reshape(len(codes), -1)
    return values


def to_rows(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Quantise ``(n, k)`` to int8 and a scale for each row, ``(n, 1)``."""
    scales = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-12) / ROW_SCALE
    return np.rint(values / scales).astype(np.int8), scales.astype(np.float32)


def from_rows(codes: NDArray[np.int8], scales: Floats) -> Floats:
    """Give back ``(n, k)``."""
    values: Floats = codes * scales
    return values


def restored(
    kept: Mapping[str, NDArray[Any]], decoded: Callable[[NDArray[Any], NDArray[Any]], Floats]
) -> dict[str, Floats]:
    """Give tensors back as float32: those of codes and scales by `decoded`, those in sixteen bits as they are."""
    found: dict[str, Floats] = {}
    for name, values in kept.items():
        if name.endswith(CODES):
            plain = name.removesuffix(CODES)
            found[plain] = decoded(values, kept[plain + SCALES])
        elif not name.endswith(SCALES):
            found[name] = values.astype(np.float32)
    return found
