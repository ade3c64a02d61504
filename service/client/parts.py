"""Any number of documents, cut into bodies of lines that can be kept until the server has stored them.

Nothing is read from a source ahead of what the server has acknowledged, so a source may be larger than memory; and a
part that was lost on the way is sent again.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field

from index.canonical import canonical
from index.types import Document, Failure
from lfm2_colbert.errors import DataError, UsageError

DOCUMENTS_PER_PART = 1000
BYTES_PER_PART = 4 * 1024 * 1024


@dataclass(slots=True)
class Part:
    """Documents as lines of JSON.

    Attributes:
        lines: one a document.
        ids: of these documents, in their order.
        failed: documents that can be stored nowhere, and why; they are no lines.
        n_bytes: of all lines.
    """

    lines: list[bytes] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    n_bytes: int = 0

    @property
    def body(self) -> bytes:
        """The lines as they are sent."""
        return b"".join(self.lines)

    @property
    def is_full(self) -> bool:
        """Whether it is to be sent before another document is read."""
        return len(self.lines) + len(self.failed) >= DOCUMENTS_PER_PART or self.n_bytes >= BYTES_PER_PART

    def add(self, document: Document) -> None:
        """Take a document in, or note why it can be stored nowhere."""
        try:
            line = line_of(document)
        except (UsageError, DataError) as error:
            message = f"{error.message}; {error.help}" if error.help else error.message
            self.failed.append(Failure(document.id, error.code, message))
            return
        self.lines.append(line)
        self.ids.append(document.id)
        self.n_bytes += len(line)


def line_of(document: Document) -> bytes:
    """Write a document as a line.

    Raises:
        InvalidArgumentError: as `index.Collection.add`.
        DocumentTooLargeError: as there.
    """
    checked = canonical(document)
    anchors = ",".join(f'{{"start":{start},"place":{place}}}' for start, place in checked.anchors)
    head = f'"id":{_quoted(checked.id)},"text":{_quoted(checked.text)},"metadata":{checked.metadata}'
    return f'{{{head},"anchors":[{anchors}]}}\n'.encode() if anchors else f"{{{head}}}\n".encode()


def parts(documents: Iterable[Document]) -> Iterator[Part]:
    """Cut documents into parts; the next is begun when it is asked for."""
    part = Part()
    for document in documents:
        part.add(document)
        if part.is_full:
            yield part
            part = Part()
    if part.lines or part.failed:
        yield part


async def parts_as_they_come(documents: Iterable[Document] | AsyncIterable[Document]) -> AsyncIterator[Part]:
    """Do the same where documents may have to be waited for."""
    if not isinstance(documents, AsyncIterable):
        for part in parts(documents):
            yield part
        return
    part = Part()
    async for document in documents:
        part.add(document)
        if part.is_full:
            yield part
            part = Part()
    if part.lines or part.failed:
        yield part


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
