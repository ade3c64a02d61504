"""From files to documents: one file per format, chosen by the file's name."""

from collections.abc import Iterator

from index.reading.base import Read, Reader, ReadOptions, SourceFile, failure_of
from index.reading.formats import READERS
from lfm2_colbert.errors import Lfm2ColbertError
from lfm2_colbert.registry import lookup

VERSION = 2
"""Rises when files give other texts or anchors than before: then they are read again."""


def read(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Read a file's documents in this process; whatever is wrong with it comes as a `Failure` that names it.

    Formats that are not this program's own belong into another process (`index.reading.files.FileReader`).

    Raises:
        UnknownNameError: no reader knows the format (`scan` never gives such a file).
        MissingExtraError: the library that the reader needs is not installed.
    """
    reader: Reader = lookup(READERS, source.format or source.id, "reader")
    try:
        yield from reader(source, options)
    except Lfm2ColbertError as error:
        yield failure_of(source.id, error)
