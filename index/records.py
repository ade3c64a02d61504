"""What the store hands out and takes in: frozen rows without NumPy, so that looking up a document stays cheap."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from index.types import Failure, Passage

SETTINGS, FRAME, TRAINED, RECALL = "settings", "frame", "trained", "recall"
DRIFT, CALIBRATION = "drift", "calibration"
"""Notes that a store keeps: what the collection was built with, the frame of the codes, what centroids were trained on,
how well they find, how well they still fit, and what scores mean."""


@dataclass(frozen=True, slots=True)
class CollectionSettings:
    """What a collection was built with, fixed for its life.

    Attributes:
        encoder: full name of the encoder.
        fingerprint: of that encoder; another one's vectors are refused.
        dim: width of a vector.
        codec: name in `index.codecs.CODECS`.
        created_by: program and version.
        pool: factor by which the vectors of a passage are pooled (`index.pooling`); 1, as in collections made before
            there was a choice: every token keeps its own.
    """

    encoder: str
    fingerprint: str
    dim: int
    codec: str
    created_by: str
    pool: int = 1


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of arrays as it was when it was published; `checksum` is xxh3_128, hexadecimal."""

    file: str
    n_bytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class ListsInfo:
    """The centroids of one segment's tokens, and the posting lists made of them."""

    segment: int
    codebook: int
    file: FileInfo


@dataclass(frozen=True, slots=True)
class WordsInfo:
    """The words of one segment's passages, as a certain analysis finds them (`index.lexical.analysis.ANALYSIS`)."""

    segment: int
    analysis: int
    file: FileInfo


@dataclass(frozen=True, slots=True)
class CodebookInfo:
    """A codebook; the one with the largest number is in use."""

    number: int
    file: FileInfo


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A segment file as the store vouches for it.

    Attributes:
        number: never used twice in a collection.
        file: name inside the segments' folder.
        n_bytes: size of the file.
        checksum: xxh3_128 of the whole file, hexadecimal.
        n_passages: rows.
        n_tokens: vectors.
        dim: width of a vector.
        codec: name in `index.codecs.CODECS`.
    """

    number: int
    file: str
    n_bytes: int
    checksum: str
    n_passages: int
    n_tokens: int
    dim: int
    codec: str

    def as_file(self) -> FileInfo:
        """Give what vouches for its bytes."""
        return FileInfo(self.file, self.n_bytes, self.checksum)


class Change(StrEnum):
    """What putting a document did."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


UNFINISHED = b""
"""In place of the content hash of a file that has to be read, or read again."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A file as it was last seen; `failure` says why it gave no document, if so."""

    key: int
    path: str
    content_hash: bytes
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as it was put. `source` is None where it was added by a program; `pending`: not searchable yet."""

    key: int
    id: str
    version: int
    text: str
    metadata: Mapping[str, Any]
    source: int | None
    pending: bool


@dataclass(frozen=True, slots=True)
class PendingDocument:
    """A document that waits for its vectors."""

    key: int
    version: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacedPassage:
    """A passage and the row of a segment that holds its vectors."""

    passage: Passage
    segment: int
    row: int


@dataclass(frozen=True, slots=True)
class Placement:
    """All passages of one version of a document; none where the document holds nothing to search."""

    document: int
    version: int
    passages: tuple[PlacedPassage, ...]


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its words, its document's name, the row of a segment that holds its vectors, and its place."""

    document_id: str
    passage: Passage
    text: str
    metadata: Mapping[str, Any]
    segment: int
    row: int
    anchor: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """How much a collection holds.

    Attributes:
        documents: all of them, searchable or pending.
        passages: searchable ones.
        tokens: of the searchable passages, as their encoder counts them.
        bytes: database (without its write-ahead log) and segments.
        languages: passages by language code.
        pending: documents that wait for their vectors.
        failed: files that gave no document.
    """

    documents: int
    passages: int
    tokens: int
    bytes: int
    languages: Mapping[str, int]
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A collection in a list; `bytes` as in `StoreCounts`."""

    name: str
    documents: int
    bytes: int
    encoder: str
