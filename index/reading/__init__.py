"""From files to documents: one file per format, chosen by suffix."""

from collections.abc import Iterator

from index.reading.base import Reader, ReadOptions, SourceFile
from index.types import Document, Failure
from lfm2_colbert.errors import Lfm2ColbertError
from lfm2_colbert.registry import lookup

READERS = {
    ".txt": "index.reading.text:read",
    ".md": "index.reading.markdown:read",
    ".markdown": "index.reading.markdown:read",
    ".html": "index.reading.html:read",
    ".htm": "index.reading.html:read",
    ".jsonl": "index.reading.jsonl:read",
}


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document | Failure]:
    """Read a file's documents; whatever is wrong with it comes as a `Failure` that names it.

    Raises:
        UnknownNameError: no reader knows the suffix (`scan` never gives such a file).
        MissingExtraError: the library that the reader needs is not installed.
    """
    reader: Reader = lookup(READERS, source.suffix, "reader")
    try:
        yield from reader(source, options)
    except Lfm2ColbertError as error:
        yield Failure(source.id, error.code, error.message)
