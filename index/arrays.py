"""Immutable files of arrays, written once and mapped for reading: segments, codebooks, posting lists.

`docs/file-format.md` describes the bytes; the store vouches for each file by size and checksum.
"""

import json
import math
import mmap
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from index.durable import Folder, disk_errors
from index.records import FileInfo
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import (
    CorruptionError,
    FormatVersionError,
    InvalidConfigError,
    StorageError,
)

MAGIC = b"LFM2ARR\n"
FORMAT = (1, 1)
HEADER = struct.Struct("<8sHH52x")
"""Magic, major, minor; padded to one alignment unit."""
TRAILER = struct.Struct("<QQQ8s")
"""TOC offset, TOC length, TOC xxh3_64, magic."""
ALIGNMENT = 64
DTYPES = frozenset({"<f2", "<f4", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"})
"""All a file may name; anything else, objects above all, is damage."""
MAX_EXTENT = 2**40
"""Longest side of an array; larger ones would overflow NumPy's shapes."""


@dataclass(frozen=True, slots=True)
class Section:
    """One array of a segment; offset and length in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int
    xxh3_64: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The table of contents (TOC), written as JSON."""

    kind: str
    number: int
    note: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Pieces:
    """An array that is written piece by piece, and never held whole.

    Attributes:
        dtype: of the array.
        shape: of the whole.
        read: gives its stretches along the first axis, in their order.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[], Iterable[NDArray[Any]]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> "Pieces":
        """Take an array as its only piece."""
        return cls(array.dtype, array.shape, lambda: (array,))

    @property
    def n_bytes(self) -> int:
        """Length of the whole."""
        return math.prod(self.shape) * self.dtype.itemsize

    def contents(self) -> Iterator[memoryview]:
        """Give the bytes of each piece, in little-endian order."""
        for piece in self.read():
            whole = np.ascontiguousarray(piece, dtype=self.dtype.newbyteorder("<"))
            yield whole.reshape(-1).view(np.uint8).data


def write_arrays(
    folder: Folder, name: str, kind: str, number: int, note: str, arrays: Mapping[str, NDArray[Any] | Pieces]
) -> FileInfo:
    """Write arrays durably under a new name; nothing refers to the file before somebody publishes what this gives.

    Args:
        folder: where it goes.
        name: of the file; it must not exist.
        kind: what the arrays are ("segment").
        number: the file's number among its kind.
        note: what a reader must compare (the codec's name).
        arrays: by name, of plain numbers.

    Raises:
        AlreadyExistsError: the name is taken; a file is never rewritten.
        StorageError: the file did not reach the disk; nothing of it is left.
    """
    pieces = {key: array if isinstance(array, Pieces) else Pieces.of(array) for key, array in arrays.items()}
    contents = Contents(kind, number, note, tuple(_planned(pieces)))
    checksum, n_bytes = xxhash.xxh3_128(), _n_bytes(contents)

    def chunks() -> Iterator[memoryview]:
        for chunk in _chunks(contents, pieces):
            checksum.update(chunk)
            yield chunk

    folder.write(name, chunks(), n_bytes)
    return FileInfo(name, n_bytes, checksum.hexdigest())


@dataclass(frozen=True, slots=True, eq=False)
class ArrayFile:
    """A mapped file of arrays.

    Attributes:
        path: the file, for messages.
        info: what it was when it was published.
        arrays: by name, read-only views of the mapping.
    """

    path: Path
    info: FileInfo
    arrays: Mapping[str, NDArray[Any]]
    _bytes: memoryview
    _sections: tuple[Section, ...]

    @classmethod
    def open(cls, folder: Path, info: FileInfo, kind: str, number: int, note: str) -> "ArrayFile":
        """Map a file after checking its size, header, trailer and table of contents, not yet its arrays.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
            FormatVersionError: a newer program wrote it.
        """
        path = folder / info.file
        content = _map(path, info.n_bytes)
        contents = _contents(path, content)
        if (contents.kind, contents.number, contents.note) != (kind, number, note):
            raise damage(path, HEADER.size, f"it is not the {kind} that was published under this number")
        arrays = {section.name: _array(content, section) for section in contents.sections}
        return cls(path, info, arrays, content, contents.sections)

    def release(self) -> None:
        """Let go of the pages that were read: they are mapped again when they are, and until then count as nobody's.

        Who reads a whole collection once, as `optimize` does, would else hold all of it that the system has room for.
        """
        mapping = self._bytes.obj
        if isinstance(mapping, mmap.mmap):
            mapping.madvise(mmap.MADV_DONTNEED)

    def check(self) -> None:
        """Read every byte and compare with the checksums.

        Raises:
            CorruptionError: an array, or the space between arrays, changed.
        """
        for section in self._sections:
            content = self._bytes[section.offset : section.offset + section.length]
            if xxhash.xxh3_64_hexdigest(content) != section.xxh3_64:
                raise damage(self.path, section.offset, f"the array '{section.name}' has another checksum")
        if xxhash.xxh3_128_hexdigest(self._bytes) != self.info.checksum:
            raise damage(self.path, 0, "the file has another checksum")


def check_whole(folder: Path, info: FileInfo) -> None:
    """Read every byte of a file and compare with the checksum it was published with.

    Raises:
        CorruptionError: the file is missing or differs.
    """
    path = folder / info.file
    content = _map(path, info.n_bytes)
    if xxhash.xxh3_128_hexdigest(content) != info.checksum:
        raise damage(path, 0, "the file has another checksum")


NOT_YET = "0" * 16
"""In place of the checksum of an array that has not been read: as long as one."""


def _planned(arrays: Mapping[str, Pieces]) -> Iterator[Section]:
    """Say where each array goes, behind its padding."""
    position = HEADER.size
    for name, array in arrays.items():
        position += -position % ALIGNMENT
        yield Section(name, array.dtype.newbyteorder("<").str, array.shape, position, array.n_bytes, NOT_YET)
        position += array.n_bytes


def _toc(contents: Contents) -> bytes:
    return json.dumps(asdict(contents), separators=(",", ":")).encode()


def _n_bytes(planned: Contents) -> int:
    return _end(planned.sections) + len(_toc(planned)) + TRAILER.size


def _end(sections: Sequence[Section]) -> int:
    return sections[-1].offset + sections[-1].length if sections else HEADER.size


def _chunks(planned: Contents, arrays: Mapping[str, Pieces]) -> Iterator[memoryview]:
    """Lay the file out: header, each array behind its padding, TOC with the checksums of what was read, trailer."""
    yield memoryview(HEADER.pack(MAGIC, *FORMAT))
    sections: list[Section] = []
    for section in planned.sections:
        yield memoryview(bytes(section.offset - _end(sections)))
        digest, length = xxhash.xxh3_64(), 0
        for content in arrays[section.name].contents():
            digest.update(content)
            length += len(content)
            yield content
        if length != section.length:
            raise ValueError(f"the array '{section.name}' has {length} bytes, and {section.length} were announced")
        sections.append(replace(section, xxh3_64=digest.hexdigest()))
    toc = _toc(replace(planned, sections=tuple(sections)))
    yield memoryview(toc)
    yield memoryview(TRAILER.pack(_end(sections), len(toc), xxhash.xxh3_64_intdigest(toc), MAGIC))


def _map(path: Path, n_bytes: int) -> memoryview:
    """Map the file as bytes, its size compared first: reading past the end of a mapping kills the process."""
    try:
        with disk_errors(path), os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found != n_bytes:
                raise damage(path, min(found, n_bytes), f"{n_bytes} bytes were published, {found} are there")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise damage(path, 0, "the file is missing") from error
        raise


def _contents(path: Path, content: memoryview) -> Contents:
    """Read the table of contents, trusting nothing before its checksum holds."""
    if len(content) < HEADER.size + TRAILER.size:
        raise damage(path, 0, "it is too short")
    magic, major, minor = HEADER.unpack(content[: HEADER.size])
    if magic != MAGIC:
        raise damage(path, 0, "it is none of ours")
    if major != FORMAT[0]:
        raise FormatVersionError(
            f"{path} has format {major}.{minor}, this program reads {FORMAT[0]}", help="upgrade lfm2-colbert"
        )
    end = len(content) - TRAILER.size
    offset, length, digest, magic = TRAILER.unpack(content[end:])
    if magic != MAGIC or offset < HEADER.size or offset + length != end:
        raise damage(path, end, "its trailer is damaged")
    toc = content[offset:end]
    if xxhash.xxh3_64_intdigest(toc) != digest:
        raise damage(path, offset, "its table of contents has another checksum")
    try:
        contents = from_mapping(Contents, json.loads(toc.tobytes()))
    except (ValueError, TypeError, AttributeError, InvalidConfigError) as error:
        raise damage(path, offset, "its table of contents cannot be read") from error
    _check_bounds(path, contents.sections, offset)
    return contents


def _check_bounds(path: Path, sections: Sequence[Section], end: int) -> None:
    position = HEADER.size
    for section in sections:
        if section.dtype not in DTYPES or not _is_shape(section.shape):
            raise damage(path, end, f"the array '{section.name}' has an impossible type or shape")
        if section.offset % ALIGNMENT or section.offset < position or section.offset + section.length > end:
            raise damage(path, end, f"the array '{section.name}' lies outside its place")
        if section.length != math.prod(section.shape) * np.dtype(section.dtype).itemsize:
            raise damage(path, end, f"the array '{section.name}' has another length than its shape")
        position = section.offset + section.length


def _is_shape(shape: tuple[Any, ...]) -> bool:
    return 1 <= len(shape) <= 8 and all(type(extent) is int and 0 <= extent < MAX_EXTENT for extent in shape)


def _array(content: memoryview, section: Section) -> NDArray[Any]:
    return np.ndarray(section.shape, section.dtype, buffer=content, offset=section.offset)


def damage(path: Path, offset: int, what: str) -> CorruptionError:
    """Say which file is damaged, where, and what to do."""
    return CorruptionError(
        f"{path}, byte {offset}: {what}",
        help="run `lfm2-colbert repair`: what is damaged is made again from the stored texts",
    )
