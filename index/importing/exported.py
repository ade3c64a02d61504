"""An export of ours, checked before anything of it is believed: documents, passages, and what was stored of them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.codecs import CODECS
from index.codecs.base import Codec
from index.codecs.frame import Frame
from index.exporting.manifest import ANOTHER, MANIFEST, read_manifest, require_whole
from index.exporting.rows import CODES, DOCUMENTS, OFFSETS, PASSAGES, DocumentRow, PassageRow
from index.indexing import CHARACTERS_PER_BATCH, PASSAGES_PER_SEGMENT
from index.segment import ORIGINS, SPANS
from index.types import MAX_DOCUMENT_BYTES, Document, Passage
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import (
    CorruptionError,
    InvalidArgumentError,
    InvalidConfigError,
    UnsafeModelError,
    UnsupportedFileError,
)
from lfm2_colbert.registry import lookup
from lfm2_colbert.safetensors import ARRAYS, SafetensorsFile

NEEDED = (DOCUMENTS, PASSAGES, CODES)
"""What is read of an export; the decoded vectors are for others."""

MAX_LINE_BYTES = 8 * MAX_DOCUMENT_BYTES
"""JSON takes six bytes for some characters."""

Line = TypeVar("Line", DocumentRow, PassageRow)


@dataclass(frozen=True, slots=True)
class ExportedDocument:
    """A document, its passages, and the number of the first of these in the export; None where it had none yet."""

    document: Document
    passages: tuple[Passage, ...] | None
    first: int


class Exported:
    """An export as JSON Lines that is whole.

    Attributes:
        folder: of the export.
        manifest: what it says of itself.
        built: what the collection was built with.
    """

    def __init__(self, folder: Path) -> None:
        """Read every byte that an import needs.

        Raises:
            FormatVersionError: a newer program made the export.
            UnsupportedFileError: it was made for another program.
            CorruptionError: something is missing, or differs from what was exported.
        """
        self.folder, self.manifest = folder, read_manifest(folder)
        self.built = self.manifest.built
        if self.manifest.form != "jsonl":
            raise UnsupportedFileError(
                f"{folder} was exported for {self.manifest.form}, and nothing is imported from that",
                help="export the collection again, with --to jsonl",
            )
        require_whole(folder, self.manifest, NEEDED)
        try:
            self._codes = SafetensorsFile(folder / CODES, ARRAYS)
        except UnsafeModelError as error:
            raise self._damage(CODES, error.message) from error
        self._offsets = self._read_offsets()

    def codec(self) -> Codec:
        """Give the codec of the vectors, once these are found to be such as it makes.

        Raises:
            CorruptionError: they are not.
        """
        frame = self._frame()
        try:
            codec: Codec = lookup(CODECS, self.built.codec, "codec")(frame)
        except InvalidArgumentError as error:
            raise self._damage(CODES, error.message) from error
        wanted = {name: array[:0] for name, array in codec.encode(np.zeros((0, self.built.dim), np.float32)).items()}
        if self.built.pool > 1:
            wanted[ORIGINS] = np.zeros(0, np.uint16)
        found = self._arrays()
        if SPANS in found:
            wanted[SPANS] = np.zeros((0, 2), np.uint16)
        for name in wanted.keys() | found.keys():
            fits = name in wanted and name in found and found[name].dtype == wanted[name].dtype
            if not fits or found[name].shape != (self.manifest.vectors, *wanted[name].shape[1:]):
                raise self._damage(CODES, f"'{name}' is not what the codec {self.built.codec} makes")
        return codec

    def stored(self, documents: list[ExportedDocument]) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        """Gather what was stored of the passages of some documents, and offsets from 0.

        Raises:
            CorruptionError: a value is not finite.
        """
        stretches = [slice(*self._offsets[i : i + 2]) for each in documents for i in _numbers(each)]
        arrays = {
            name: np.concatenate([array[:0], *(array[stretch] for stretch in stretches)])
            for name, array in self._arrays().items()
        }
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise self._damage(CODES, "a value is not finite")
        lengths = [int(stretch.stop - stretch.start) for stretch in stretches]
        return arrays, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    def batches(self) -> Iterator[list[ExportedDocument]]:
        """Walk all documents, as many at a time as make a segment."""
        batch: list[ExportedDocument] = []
        n_passages = n_characters = 0
        for each in self.documents():
            batch.append(each)
            n_passages += len(each.passages or ())
            n_characters += len(each.document.text)
            if n_passages >= PASSAGES_PER_SEGMENT or n_characters >= CHARACTERS_PER_BATCH:
                yield batch
                batch, n_passages, n_characters = [], 0, 0
        if batch:
            yield batch

    def documents(self) -> Iterator[ExportedDocument]:
        """Walk all documents in the order of their ids.

        Raises:
            CorruptionError: a line is not what an export holds.
        """
        first, last = 0, ""
        with ExitStack() as files:
            lines = files.enter_context((self.folder / DOCUMENTS).open("rb"))
            passages = files.enter_context((self.folder / PASSAGES).open("rb"))
            for line in _lines(lines):
                row = self._row(line, DOCUMENTS, DocumentRow)
                if row.id <= last or not 0 <= (row.passages or 0) <= len(self._offsets) - 1 - first:
                    raise self._damage(DOCUMENTS, f"'{row.id}' stands in the wrong place, or has too many passages")
                own = None if row.passages is None else self._passages(passages, row)
                yield ExportedDocument(row.document(), own, first)
                first, last = first + (row.passages or 0), row.id
            if passages.readline() or first != len(self._offsets) - 1:
                raise self._damage(PASSAGES, "there are passages of no document")

    def _passages(self, lines: BinaryIO, row: DocumentRow) -> tuple[Passage, ...]:
        own = [self._row(line, PASSAGES, PassageRow) for line in islice(_lines(lines), row.passages)]
        for ordinal, each in enumerate(own):
            inside = 0 <= each.start <= each.end <= len(row.text) and each.tokens >= 0
            if (each.document_id, each.passage) != (row.id, ordinal) or not inside:
                raise self._damage(PASSAGES, f"passage {ordinal} of '{row.id}' is not there, or not inside its text")
        if len(own) != row.passages:
            raise self._damage(PASSAGES, f"'{row.id}' lacks passages")
        return tuple(each.as_passage() for each in own)

    def _row(self, line: bytes, name: str, kind: type[Line]) -> Line:
        try:
            return from_mapping(kind, json.loads(line))
        except (ValueError, RecursionError, InvalidConfigError) as error:
            raise self._damage(name, f"a line is none of an export: {error}") from error

    def _read_offsets(self) -> NDArray[np.int64]:
        shapes = self._codes.shapes()
        offsets = self._codes.map(OFFSETS) if OFFSETS in shapes else np.zeros(0, np.int64)
        if offsets.dtype != np.int64 or offsets.shape != (self.manifest.passages + 1,):
            raise self._damage(CODES, "it has not the offsets of its passages")
        if offsets[0] != 0 or offsets[-1] != self.manifest.vectors or (np.diff(offsets) < 0).any():
            raise self._damage(CODES, "its offsets do not follow one another")
        return offsets

    def _arrays(self) -> Mapping[str, NDArray[Any]]:
        return {name: self._codes.map(name) for name in self._codes.shapes() if name != OFFSETS}

    def _frame(self) -> Frame:
        try:
            frame = Frame.of_json(self.manifest.frame or {})
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._damage(MANIFEST, "its frame is none") from error
        if frame.mean.shape != (self.built.dim,) or not np.isfinite(frame.mean).all():
            raise self._damage(MANIFEST, "its frame is none")
        return frame

    def _damage(self, name: str, what: str) -> CorruptionError:
        return CorruptionError(f"{self.folder / name}: {what}", help=ANOTHER)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Walk the lines; one that no document fills is cut, and then no JSON."""
    return iter(lambda: file.readline(MAX_LINE_BYTES), b"")


def _numbers(each: ExportedDocument) -> range:
    return range(each.first, each.first + len(each.passages or ()))
