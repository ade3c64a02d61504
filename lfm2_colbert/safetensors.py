"""Read safetensors files ourselves: the header is checked before a byte of it is believed. And write them in pieces.

Format: u64 header length, JSON header, tensor bytes. The library of the same name reads no bfloat16 into NumPy, and
writes only what is in memory as a whole.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.errors import UnsafeModelError

MAX_HEADER_BYTES = 16 * 1024 * 1024
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2")}
"""Of weights."""
ARRAYS: dict[str, np.dtype[Any]] = {
    "I64": np.dtype("<i8"),
    "F32": DTYPES["F32"],
    "F16": DTYPES["F16"],
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}
"""Of arrays that are taken as they are, the widest first: in this order each begins where its type may."""
Layout = Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]
"""What a file holds: name → type and shape."""


class SafetensorsFile:
    """A validated safetensors file; tensors are read as float32 on demand, or mapped as they are stored."""

    def __init__(self, path: Path, dtypes: Mapping[str, np.dtype[Any]] = DTYPES) -> None:
        """Check the header against the file, which may hold tensors of these types alone.

        Raises:
            UnsafeModelError: the file is missing, or its header does not describe exactly its bytes.
        """
        self._path, self._dtypes = path, dtypes
        self._entries, self._start = _read_header(path, dtypes)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give each tensor's shape."""
        return {name: tuple(entry["shape"]) for name, entry in self._entries.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        """Read one tensor as float32."""
        entry = self._entries[name]
        dtype = self._dtypes[entry["dtype"]]
        begin, end = entry["data_offsets"]
        stored: NDArray[Any] = np.fromfile(
            self._path, dtype, (end - begin) // dtype.itemsize, offset=self._start + begin
        )
        if entry["dtype"] == "BF16":  # bfloat16 is the upper half of a float32
            stored = (stored.astype(np.uint32) << 16).view(np.float32)
        return stored.astype(np.float32, copy=False).reshape(entry["shape"])

    def map(self, name: str) -> NDArray[Any]:
        """Map one tensor, read-only, in the type it is stored in."""
        entry = self._entries[name]
        dtype, shape = self._dtypes[entry["dtype"]], tuple(entry["shape"])
        if not math.prod(shape):  # nothing can be mapped
            return np.empty(shape, dtype)
        return np.memmap(self._path, dtype, "r", self._start + entry["data_offsets"][0], shape)

    def tensors(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Read all tensors, one at a time."""
        return ((name, self.read(name)) for name in self._entries)


class SafetensorsWriter:
    """Writes a file whose shapes are known before its bytes are, some rows at a time; memory holds only these."""

    def __init__(self, path: Path, layout: Layout) -> None:
        """Create the file, and write what it will hold."""
        names = {dtype: name for name, dtype in ARRAYS.items()}
        header: dict[str, dict[str, Any]] = {}
        position = 0
        for tensor in sorted(layout, key=lambda tensor: -layout[tensor][0].itemsize):
            dtype, shape = layout[tensor]
            end = position + math.prod(shape) * dtype.itemsize
            header[tensor] = {"dtype": names[dtype], "shape": list(shape), "data_offsets": [position, end]}
            position = end
        written = json.dumps(header).encode()
        written += b" " * (-len(written) % 8)
        start = 8 + len(written)
        self._places = {name: [start + offset for offset in entry["data_offsets"]] for name, entry in header.items()}
        self._dtypes = {name: dtype for name, (dtype, _) in layout.items()}
        self._file = path.open("xb")
        self._file.write(len(written).to_bytes(8, "little") + written)

    def append(self, name: str, rows: NDArray[Any]) -> None:
        """Write the next rows of a tensor."""
        content = np.ascontiguousarray(rows, self._dtypes[name]).tobytes()
        begin, end = self._places[name]
        if begin + len(content) > end:
            raise ValueError(f"{name} has fewer rows than these")
        self._file.seek(begin)
        self._file.write(content)
        self._places[name][0] = begin + len(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, which has all its rows unless something failed."""
        self._file.close()
        short = [name for name, (begin, end) in self._places.items() if begin != end]
        if short and error is None:
            raise ValueError(f"rows of {', '.join(short)} were never written")


def _read_header(path: Path, dtypes: Mapping[str, np.dtype[Any]]) -> tuple[dict[str, dict[str, Any]], int]:
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
    _check_entries(path.name, header, size - 8 - length, dtypes)
    return header, 8 + length


def _check_entries(name: str, entries: dict[str, Any], n_bytes: int, dtypes: Mapping[str, np.dtype[Any]]) -> None:
    position = 0
    try:
        ordered = sorted(entries.items(), key=lambda item: item[1]["data_offsets"])
        for tensor, entry in ordered:
            begin, end = (_natural(n) for n in entry["data_offsets"])
            count = int(np.prod([_natural(n) for n in entry["shape"]], dtype=object))
            if begin != position or end - begin != count * dtypes[entry["dtype"]].itemsize:
                raise UnsafeModelError(f"{name}: the bytes of {tensor} do not fit its shape and dtype")
            position = end
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UnsafeModelError(
            f"{name}: an entry of the header is malformed, or its dtype is not {', '.join(dtypes)}"
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
