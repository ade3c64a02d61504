"""What every reader gets and gives, so that a new format is one file and one line in the table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import xxhash

from index.types import MAX_DOCUMENT_BYTES, Document, Failure
from lfm2_colbert.errors import DocumentTooLargeError, NotFoundError, PermissionDeniedError, ReadFailedError

HASH_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read; its bytes are fetched when asked for and never kept.

    Attributes:
        path: where it lies.
        id: its path below the scanned folder, with "/" between names; the document's id where it holds one document.
    """

    path: Path
    id: str

    @property
    def suffix(self) -> str:
        """The lower-case suffix that chooses the reader, with its dot."""
        return self.path.suffix.lower()

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the file for reading bytes.

        Raises:
            NotFoundError: it vanished since it was listed.
            PermissionDeniedError: the operating system refuses.
            ReadFailedError: the disk gave another error.
        """
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
            size = self.path.stat().st_size
            if size > MAX_DOCUMENT_BYTES:
                raise too_large(self.id, size)
            data = stream.read(MAX_DOCUMENT_BYTES + 1)
        if len(data) > MAX_DOCUMENT_BYTES:  # it grew in between, or its size is not known beforehand (/proc)
            raise too_large(self.id, len(data))
        return data

    def content_hash(self) -> str:
        """Hash the file's bytes (xxh3, 128 bits, hexadecimal).

        Take it before reading: if the file changes in between, the next run sees another hash and reads it again.
        """
        digest = xxhash.xxh3_128()
        with self.open() as stream:
            while block := stream.read(HASH_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may be told.

    Attributes:
        text_field: the field of a JSONL row that holds its text.
    """

    text_field: str = "text"


class Reader(Protocol):
    """A callable that turns one file into documents."""

    def __call__(self, source: SourceFile, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield the file's documents in order, and a `Failure` for each part that could not become one.

        Raises:
            Lfm2ColbertError: the file as a whole cannot be read; the code says why.
        """


def too_large(name: str, size: int) -> DocumentTooLargeError:
    """Say how large it is and how large it may be."""
    return DocumentTooLargeError(
        f"{name} holds {size:,} bytes; a document may hold {MAX_DOCUMENT_BYTES:,}",
        help="split it into several files, or into rows of a .jsonl file",
    )
