"""TAR archives, compressed or not, opened like folders: read once from their beginning to their end."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from index.reading.base import Limits, SourceFile, failure_of
from index.reading.members import Allowance, member_of
from index.types import Failure
from lfm2_colbert.errors import Lfm2ColbertError, MalformedDocumentError, UnsafeArchiveError


def members(source: SourceFile, limits: Limits) -> Iterator[SourceFile | Failure]:
    """Give the files of an archive (`index.reading.base.Opener`).

    Raises:
        MalformedDocumentError: it is no archive, or breaks off.
        UnsafeArchiveError: it holds more than it may.
    """
    allowance = Allowance(source, limits)
    with source.open() as stream, _malformed(source.id), tarfile.open(fileobj=stream, mode="r|*") as archive:
        for number, entry in enumerate(archive, start=1):
            allowance.require_entries(number)
            if entry.isdir():
                continue
            try:
                yield _member(archive, entry, source, allowance)
            except Lfm2ColbertError as error:
                if allowance.spent:
                    raise
                yield failure_of(f"{source.id}/{entry.name}", error)


def _member(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, source: SourceFile, allowance: Allowance
) -> SourceFile | Failure:
    found = member_of(source, entry.name)
    if isinstance(found, Failure):
        return found
    if not entry.isreg():
        raise UnsafeArchiveError(f"{found.id} is a link or a device", help="links in archives are not followed")
    allowance.take(found, entry.size, entry.size)
    stream = archive.extractfile(entry)
    content = stream.read() if stream else b""
    return SourceFile(source.path, found.id, content)


@contextmanager
def _malformed(name: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise MalformedDocumentError(f"{name} is no whole TAR archive", help="pack it again") from error
