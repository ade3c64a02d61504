"""TAR archives, compressed or not, opened like folders: read once from their beginning to their end."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from index.reading.base import Limits, SourceFile
from index.reading.members import Allowance, Content, unpacked
from index.types import Failure
from lfm2_colbert.errors import MalformedDocumentError, UnsafeArchiveError


def members(source: SourceFile, limits: Limits) -> Iterator[SourceFile | Failure]:
    """Give the files of an archive (`index.reading.base.Opener`).

    Raises:
        MalformedDocumentError: it is no archive, or breaks off.
        UnsafeArchiveError: it holds more than it may.
    """
    allowance = Allowance(source, limits)
    with source.open() as stream, _malformed(source.id), tarfile.open(fileobj=stream, mode="r|*") as archive:
        yield from unpacked(source, allowance, _entries(archive, allowance))


def _entries(archive: tarfile.TarFile, allowance: Allowance) -> Iterator[tuple[str, Content]]:
    for number, entry in enumerate(archive, start=1):
        allowance.require_entries(number)
        if not entry.isdir():
            yield entry.name, partial(_content, archive, entry, allowance)


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo, allowance: Allowance, member: SourceFile) -> bytes:
    if not entry.isreg():
        raise UnsafeArchiveError(f"{member.id} is a link or a device", help="links in archives are not followed")
    allowance.take(member, entry.size, entry.size)
    stream = archive.extractfile(entry)
    return stream.read() if stream else b""


@contextmanager
def _malformed(name: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise MalformedDocumentError(f"{name} is no whole TAR archive", help="pack it again") from error
