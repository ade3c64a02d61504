"""What every reader gets and gives, so that a new format is one file and one line in the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

import xxhash

from index.reading.formats import format_of
from index.types import MAX_DOCUMENT_BYTES, Document, Failure, Notice
from lfm2_colbert.errors import (
    DocumentTooLargeError,
    Lfm2ColbertError,
    NotFoundError,
    PermissionDeniedError,
    ReadFailedError,
)

HASH_BLOCK_BYTES = 1024 * 1024
MAX_SIDECAR_BYTES = 1024 * 1024
SIDECAR = ".meta.json"
"""Ends the name of a file that holds fields for another one, a JSON object: ``report.pdf.meta.json``."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read; its bytes are fetched when asked for and never kept.

    Attributes:
        path: where it lies.
        id: its path below the scanned folder, with "/" between names; the document's id where it holds one document.
        content: its bytes, where it lies within another file; `path` is then that file's.
    """

    path: Path
    id: str
    content: bytes | None = None

    @property
    def format(self) -> str | None:
        """The format that its name says (`index.reading.formats`); None where no reader knows it."""
        return format_of(self.id)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading bytes; what is given can seek.

        Raises:
            NotFoundError: it vanished since it was listed.
            PermissionDeniedError: the operating system refuses.
            ReadFailedError: the disk gave another error.
        """
        if self.content is not None:
            yield BytesIO(self.content)
            return
        try:
            with self.path.open("rb") as stream:
                yield stream
        except FileNotFoundError as error:
            raise NotFoundError(f"{self.id} is gone", help="run the command again") from error
        except PermissionError as error:
            raise PermissionDeniedError(
                f"{self.id} may not be read", help=f"give yourself access: {self.path}"
            ) from error
        except OSError as error:
            raise ReadFailedError(f"{self.id} cannot be read: {error.strerror}", help="check the disk") from error

    def data(self) -> bytes:
        """Read the whole file.

        Raises:
            DocumentTooLargeError: it holds more than `MAX_DOCUMENT_BYTES`; found out before anything is read.
        """
        with self.open() as stream:
            size = stream.seek(0, SEEK_END)
            if size > MAX_DOCUMENT_BYTES:
                raise too_large(self.id, size)
            stream.seek(0)
            data = stream.read(MAX_DOCUMENT_BYTES + 1)
        if len(data) > MAX_DOCUMENT_BYTES:  # it grew in between, or its size is not known beforehand (/proc)
            raise too_large(self.id, len(data))
        return data

    def sidecar(self) -> bytes | None:
        """Give the content of the file beside it that holds fields for it; None where there is none."""
        if self.content is not None:
            return None
        try:
            with self.path.with_name(f"{self.path.name}{SIDECAR}").open("rb") as stream:
                return stream.read(MAX_SIDECAR_BYTES)
        except OSError:
            return None

    def content_hash(self) -> str:
        """Hash the bytes of the file and of its sidecar (xxh3, 128 bits, hexadecimal).

        Take it before reading: if the file changes in between, the next run sees another hash and reads it again.
        """
        digest = xxhash.xxh3_128()
        with self.open() as stream:
            while block := stream.read(HASH_BLOCK_BYTES):
                digest.update(block)
        if fields := self.sidecar():
            digest.update(b"\0")
            digest.update(fields)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may be told.

    Attributes:
        text_field: the field of a row that holds its text, in JSON Lines and tables.
    """

    text_field: str = "text"


Read = Document | Failure | Notice
"""What a file gives: documents, what of it gave none, and what else a person should know."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a file may take.

    Attributes:
        memory_bytes: of the process that parses files of others.
        cpu_seconds: of the processor, for each document of a file.
        seconds: from the question to each part of the answer.
        entries: of an archive.
        archive_bytes: of an archive, unpacked.
        ratio: of an entry's size to what it takes in its archive.
    """

    memory_bytes: int = 1 << 30
    cpu_seconds: int = 30
    seconds: float = 50.0
    entries: int = 10_000
    archive_bytes: int = 1 << 30
    ratio: int = 200


UPLOADS = Limits(entries=1_000, archive_bytes=200 << 20, ratio=20)
"""Of a file that came over the network."""


class Reader(Protocol):
    """A callable that turns one file into documents."""

    def __call__(self, source: SourceFile, options: ReadOptions) -> Iterator[Read]:
        """Yield the file's documents in order, and a `Failure` for each part that could not become one.

        Raises:
            Lfm2ColbertError: the file as a whole cannot be read; the code says why.
        """


class Opener(Protocol):
    """A callable that opens an archive like a folder."""

    def __call__(self, source: SourceFile, limits: Limits) -> Iterator[SourceFile | Failure]:
        """Yield its files in their order, and a `Failure` for each that is not given.

        Raises:
            Lfm2ColbertError: the archive cannot be read, or, from here on, holds more than it may.
        """


def failure_of(path: str, error: Lfm2ColbertError) -> Failure:
    """Give the failure of a file, or of what lies at a path in it, with the way out."""
    return Failure(path, error.code, f"{error.message}; {error.help}" if error.help else error.message)


def too_large(name: str, size: int) -> DocumentTooLargeError:
    """Say how large it is and how large it may be."""
    return DocumentTooLargeError(
        f"{name} holds {size:,} bytes; a document may hold {MAX_DOCUMENT_BYTES:,}",
        help="split it into several files, or into rows of a .jsonl file",
    )
