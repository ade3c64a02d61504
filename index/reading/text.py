"""Plain text: a file is a document, as it stands."""

from collections.abc import Iterator

from index.reading.base import ReadOptions, SourceFile
from index.reading.decoding import decode
from index.types import Document


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the file's text."""
    yield Document(source.id, decode(source.data(), source.id))
