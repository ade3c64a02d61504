"""What may come out of an archive: files with honest names, and no more of them than was meant."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from index.reading.base import Limits, SourceFile, failure_of
from index.reading.formats import ARCHIVES, SHOWN
from index.reading.names import badly_named
from index.types import MAX_DOCUMENT_BYTES, Failure
from lfm2_colbert.errors import DocumentTooLargeError, Lfm2ColbertError, UnsafeArchiveError, UnsupportedFileError

SMALL_BYTES = 64 * 1024
"""What unpacks to less is no bomb, however well it was packed."""
UNPACK = "unpack it, and index the folder"


class Allowance:
    """How much an archive may still give."""

    def __init__(self, source: SourceFile, limits: Limits) -> None:
        """Begin with all of it."""
        self._source, self._limits = source, limits
        self._left = limits.archive_bytes

    @property
    def spent(self) -> bool:
        """Whether it has given more than it may: then the rest of it is not read."""
        return self._left < 0

    def require_entries(self, number: int) -> None:
        """Refuse an archive of too many entries.

        Raises:
            UnsafeArchiveError: it has more.
        """
        if number > self._limits.entries:
            self._left = -1
            raise UnsafeArchiveError(f"{self._source.id} has more than {self._limits.entries:,} entries", help=UNPACK)

    def take(self, member: SourceFile, size: int, packed: int) -> None:
        """Take a member of a size from the allowance.

        Raises:
            DocumentTooLargeError: no document may be so large.
            UnsafeArchiveError: it is packed as no document is, or the allowance is spent.
        """
        self._left -= size
        if self.spent:
            most = f"{self._limits.archive_bytes:,} bytes"
            raise UnsafeArchiveError(f"{self._source.id} unpacks to more than {most}", help=UNPACK)
        if size > MAX_DOCUMENT_BYTES:
            raise DocumentTooLargeError(f"{member.id} holds {size:,} bytes", help="split it into several files")
        if size > SMALL_BYTES and size > self._limits.ratio * max(packed, 1):
            raise UnsafeArchiveError(f"{member.id} unpacks to {size:,} bytes out of {packed:,}", help=UNPACK)


Content = Callable[[SourceFile], bytes]
"""Gives the bytes of a member that may be read, or raises what is wrong with it."""


def unpacked(
    source: SourceFile, allowance: Allowance, entries: Iterable[tuple[str, Content]]
) -> Iterator[SourceFile | Failure]:
    """Give the files of an archive from their names and contents, and a failure for each that is not given.

    Raises:
        UnsafeArchiveError: the allowance is spent.
    """
    for name, content in entries:
        found = member_of(source, name)
        if isinstance(found, Failure):
            yield found
            continue
        try:
            found = replace(found, content=content(found))
        except Lfm2ColbertError as error:
            if allowance.spent:
                raise
            yield failure_of(found.id, error)
            continue
        yield found


def member_of(source: SourceFile, name: str) -> SourceFile | Failure:
    """Give a member that may be read, still without its bytes, or why it may not."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[:1]:
        return Failure(
            f"{source.id}/{path.name}", UnsafeArchiveError.code, f"{source.id}: a name leads out of the archive"
        )
    member = SourceFile(source.path, f"{source.id}/{path}", b"")
    if named := badly_named(member.id):
        return named
    refusal = _refusal(member, path)
    return Failure(member.id, UnsupportedFileError.code, f"{member.id} {refusal}") if refusal else member


def _refusal(member: SourceFile, path: PurePosixPath) -> str:
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return "is hidden"
    if member.format in ARCHIVES:
        return "is an archive in an archive; unpack the outer one"
    return "" if member.format else f"has a format that no reader knows; known: {SHOWN}"
