"""ZIP archives, opened like folders."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from index.reading.base import Limits, SourceFile
from index.reading.members import Allowance, unpacked
from index.types import Failure
from lfm2_colbert.errors import EncryptedDocumentError, MalformedDocumentError, UnsafeArchiveError

END_OF_DIRECTORY = b"PK\x05\x06"
END_BYTES = 22 + 65_535
DIRECTORY_SIZE = slice(12, 16)
MAX_DIRECTORY_BYTES = 16 * 1024 * 1024
ENCRYPTED = 0x1
UNPACKING_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, ValueError, RuntimeError),
)
"""What the library raises at damage and at methods that it does not know."""


def members(source: SourceFile, limits: Limits) -> Iterator[SourceFile | Failure]:
    """Give the files of an archive (`index.reading.base.Opener`).

    Raises:
        MalformedDocumentError: it is no archive.
        UnsafeArchiveError: it holds more than it may.
    """
    allowance = Allowance(source, limits)
    with _opened(source) as archive:
        allowance.require_entries(len(archive.infolist()))
        files = (entry for entry in archive.infolist() if not entry.is_dir())
        entries = ((entry.filename, partial(_content, archive, entry, allowance)) for entry in files)
        yield from unpacked(source, allowance, entries)


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, allowance: Allowance, member: SourceFile) -> bytes:
    if entry.flag_bits & ENCRYPTED:
        raise EncryptedDocumentError(f"{member.id} asks for a password", help="unpack the archive")
    allowance.take(member, entry.file_size, entry.compress_size)
    try:
        with archive.open(entry) as stream:
            return stream.read(entry.file_size + 1)
    except UNPACKING_ERRORS as error:
        raise MalformedDocumentError(f"{member.id} cannot be unpacked", help="pack it again") from error


@contextmanager
def _opened(source: SourceFile) -> Iterator[zipfile.ZipFile]:
    with source.open() as stream:
        _require_small_directory(stream, source.id)
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise MalformedDocumentError(f"{source.id} is no ZIP archive", help="pack it again") from error
        with archive:
            yield archive


def _require_small_directory(stream: BinaryIO, name: str) -> None:
    """Look at the size of the directory before it is read into memory."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - END_BYTES))
    tail = stream.read()
    end = tail[tail.rfind(END_OF_DIRECTORY) :]
    if int.from_bytes(end[DIRECTORY_SIZE], "little") > MAX_DIRECTORY_BYTES:
        raise UnsafeArchiveError(f"{name} has too many entries", help="unpack it, and index the folder")
    stream.seek(0)
