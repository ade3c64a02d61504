"""Segments: the encoded vectors of many passages, in one immutable file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import HEADER, ArrayFile, Pieces, damage, write_arrays
from index.codecs.base import Codec
from index.durable import Folder
from index.records import SegmentInfo
from index.spans import StoredSpans, read
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.multivectors import MultiVectors

KIND = "segment"
OFFSETS = "offsets"
ORIGINS = "origins"
SPANS = "spans"
"""Only where vectors are the encoder's own: what somebody else computed need not stand for its tokens."""


def write_segment(
    folder: Folder,
    number: int,
    codec: Codec,
    vectors: MultiVectors,
    origins: NDArray[np.uint16] | None = None,
    spans: StoredSpans | None = None,
) -> SegmentInfo:
    """Encode vectors and make them durable as ``folder/<number>.seg``; the store publishes them after this.

    Args:
        folder: of the segments.
        number: of the segment.
        codec: of the collection.
        vectors: one item a passage.
        origins: ``(n_tokens,)``, where they are pooled (`index.pooling.Pooled`).
        spans: ``(n_tokens, 2)``, where the encoder's are known (`index.spans`).

    Raises:
        AlreadyExistsError: the number is taken; a segment is never rewritten.
        NonFiniteVectorError: a value is NaN or infinite.
        StorageError: the file did not reach the disk; nothing of it is left.
    """
    arrays = codec.encode(vectors.vectors.astype(np.float32, copy=False))
    arrays |= {} if origins is None else {ORIGINS: origins}
    arrays |= {} if spans is None else {SPANS: spans}
    return write_encoded(folder, number, codec.name, vectors.dim, arrays, vectors.offsets)


def write_encoded(
    folder: Folder,
    number: int,
    codec: str,
    dim: int,
    arrays: Mapping[str, NDArray[Any] | Pieces],
    offsets: NDArray[np.int64],
) -> SegmentInfo:
    """Write arrays of a row a token that are encoded already, as a merge has them (`Segment.token_arrays`)."""
    name = f"{number:010d}.seg"
    written = write_arrays(folder, name, KIND, number, _note(codec, dim), {**arrays, OFFSETS: offsets})
    return SegmentInfo(
        number=number,
        file=name,
        n_bytes=written.n_bytes,
        checksum=written.checksum,
        n_passages=len(offsets) - 1,
        n_tokens=int(offsets[-1]),
        dim=dim,
        codec=codec,
    )


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Segment:
    """A mapped segment.

    Row ``i`` is a passage; it owns the tokens ``offsets[i]:offsets[i + 1]`` of every array. A token is a vector here:
    in a pooled collection it stands for several of the encoder's.

    Attributes:
        info: what the store knows of it.
        arrays: the codec's arrays, ``(n_tokens, …)`` each, read-only views of the mapping.
        offsets: ``(n_passages + 1,)``, int64.
        origins: ``(n_tokens,)`` uint16, the place in its passage of the encoder's token that each stands for; None
            where nothing was pooled.
        spans: ``(n_tokens, 2)`` uint16, the stretch of its passage that each stands for; None where it is not known.
    """

    info: SegmentInfo
    arrays: Mapping[str, NDArray[Any]]
    offsets: NDArray[np.int64]
    origins: NDArray[np.uint16] | None
    spans: StoredSpans | None
    _file: ArrayFile

    @classmethod
    def open(cls, folder: Path, info: SegmentInfo) -> "Segment":
        """Map the file after checking everything but its arrays' bytes.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
            FormatVersionError: a newer program wrote it.
        """
        file = ArrayFile.open(folder, info.as_file(), KIND, info.number, _note(info.codec, info.dim))
        arrays = dict(file.arrays)
        offsets = arrays.pop(OFFSETS, None)
        origins, spans = arrays.pop(ORIGINS, None), arrays.pop(SPANS, None)
        if offsets is None or not _fits(info, offsets, origins, spans, arrays):
            raise damage(file.path, HEADER.size, "it is not the segment that was published under this number")
        return cls(info, arrays, offsets, origins, spans, file)

    @property
    def token_arrays(self) -> Mapping[str, NDArray[Any]]:
        """All arrays of a row a token: the codec's, and origins and spans if there are any."""
        beside = {ORIGINS: self.origins, SPANS: self.spans}
        return {**self.arrays, **{name: array for name, array in beside.items() if array is not None}}

    def places(self, row: int) -> NDArray[np.intp]:
        """Give the place in its passage of the encoder's token that each vector of a row stands for, ``(n,)``."""
        first, last = self.offsets[row : row + 2]
        return np.arange(last - first) if self.origins is None else self.origins[first:last].astype(np.intp)

    def spans_of(self, row: int, text: str) -> Spans | None:
        """Give the span of each vector of a row in its passage's text, ``(n, 2)``, (-1, -1) for no text.

        None where they are not known, or where the text ends before them and is not what was encoded.
        """
        if self.spans is None:
            return None
        spans = read(self.spans[slice(*self.offsets[row : row + 2])])
        return spans if spans.max(initial=-1) <= len(text) else None

    def release(self) -> None:
        """Let go of the pages that were read (`ArrayFile.release`)."""
        self._file.release()

    def check(self) -> None:
        """Read every byte and compare with the checksums.

        Raises:
            CorruptionError: an array, or the space between arrays, changed.
        """
        self._file.check()


def common(segments: Iterable[Segment]) -> list[str]:
    """Name the arrays of a row a token that all segments have; of segments of one collection, all but spans."""
    names = [list(segment.token_arrays) for segment in segments]
    return [name for name in names[0] if all(name in own for own in names)] if names else []


def _note(codec: str, dim: int) -> str:
    return f"{codec}/{dim}"


def _fits(
    info: SegmentInfo,
    offsets: NDArray[Any],
    origins: NDArray[Any] | None,
    spans: NDArray[Any] | None,
    arrays: Mapping[str, NDArray[Any]],
) -> bool:
    return (
        offsets.dtype == np.int64
        and offsets.shape == (info.n_passages + 1,)
        and offsets[0] == 0
        and offsets[-1] == info.n_tokens
        and bool((np.diff(offsets) >= 0).all())
        and (origins is None or (origins.dtype == np.uint16 and origins.shape == (info.n_tokens,)))
        and (spans is None or (spans.dtype == np.uint16 and spans.shape == (info.n_tokens, 2)))
        and all(len(array) == info.n_tokens for array in arrays.values())
    )
