"""Read safetensors files ourselves: the header is checked before a byte of it is believed.

Format: u64 header length, JSON header, tensor bytes. The library of the same name reads no bfloat16 into NumPy.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.errors import UnsafeModelError

MAX_HEADER_BYTES = 16 * 1024 * 1024
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}


class SafetensorsFile:
    """A validated safetensors file; tensors are read as float32 on demand."""

    def __init__(self, path: Path) -> None:
        """Check the header against the file.

        Raises:
            UnsafeModelError: the file is missing, or its header does not describe exactly its bytes.
        """
        self._path = path
        self._entries, self._start = _read_header(path)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give each tensor's shape."""
        return {name: tuple(entry["shape"]) for name, entry in self._entries.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        """Read one tensor as float32."""
        entry = self._entries[name]
        dtype = DTYPES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        stored: NDArray[Any] = np.fromfile(
            self._path, dtype, (end - begin) // dtype.itemsize, offset=self._start + begin
        )
        if entry["dtype"] == "BF16":  # bfloat16 is the upper half of a float32
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.astype(np.float32, copy=False).reshape(entry["shape"])

    def tensors(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Read all tensors, one at a time."""
        return ((name, self.read(name)) for name in self._entries)


def _read_header(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raise UnsafeModelError(f"{path.name}: the header length {length} is impossible")
            header = json.loads(file.read(length), object_pairs_hook=_without_duplicates)
    except FileNotFoundError:
        raise UnsafeModelError(f"{path.parent.name} has no {path.name}") from None
    except (ValueError, RecursionError) as error:
        raise UnsafeModelError(f"{path.name}: the header is not JSON, or names something twice") from error
    if not isinstance(header, dict):
        raise UnsafeModelError(f"{path.name}: the header is not a JSON object")
    header.pop("__metadata__", None)
    _check_entries(path.name, header, size - 8 - length)
    return header, 8 + length


def _check_entries(name: str, entries: dict[str, Any], n_bytes: int) -> None:
    position = 0
    try:
        ordered = sorted(entries.items(), key=lambda item: item[1]["data_offsets"])
        for tensor, entry in ordered:
            begin, end = (_natural(n) for n in entry["data_offsets"])
            count = int(np.prod([_natural(n) for n in entry["shape"]], dtype=object))
            if begin != position or end - begin != count * DTYPES[entry["dtype"]].itemsize:
                raise UnsafeModelError(f"{name}: the bytes of {tensor} do not fit its shape and dtype")
            position = end
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnsafeModelError(
            f"{name}: an entry of the header is malformed, or its dtype is not {', '.join(DTYPES)}"
        ) from error
    if position != n_bytes:
        raise UnsafeModelError(f"{name}: {n_bytes - position} bytes belong to no tensor")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a name stands twice")
    return named


def _natural(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value
