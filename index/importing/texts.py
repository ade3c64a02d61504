"""Texts that others made, on their way into the document table."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from index.importing.base import Source
from index.indexing import Stopped
from index.intake import CHARACTERS_PER_COMMIT, DOCUMENTS_PER_COMMIT, Intake
from index.records import Change
from index.store import Store
from index.types import Document, Failure
from lfm2_colbert.errors import DataError, DuplicateIdError, EmptyDocumentError, UsageError

OnDocuments = Callable[[int], None]
"""Told how many documents have been looked at."""


class Texts:
    """A file of texts, of which the first was read already: what is nothing at all is refused before anything is made.

    Attributes:
        items: its documents, and what could not become one; they can be walked once.
        beside: what lies beside the file and is no document; "" where nothing does.
    """

    def __init__(self, path: Path, read: Source, text_field: str) -> None:
        """Read the first row.

        Raises:
            EmptyDocumentError: there is none.
            Lfm2ColbertError: the file as a whole cannot be read.
        """
        items = iter(read(path, text_field))
        first = list(islice(items, 1))
        if not first:
            raise EmptyDocumentError(f"{path} has no rows", help="name a file of texts")
        self.items: Iterator[Document | Failure] = chain(first, items)
        self.beside = f"queries and judgements beside {path.name}" if (path.parent / "queries.jsonl").is_file() else ""


def put_each(
    store: Store, items: Iterable[Document | Failure], on_documents: OnDocuments, stopped: Stopped
) -> tuple[Intake, int]:
    """Store documents as they come, a few hundred a commit; give what changed or failed, and how many did not.

    An id that occurs again is a failure; the first document of that id stays. It may be stopped between two commits.
    """
    intake, unchanged, seen, n_items = Intake(), 0, set[str](), 0
    for batch in _batches(items):
        if stopped():
            break
        with store.transaction():
            for item in batch:
                change = item if isinstance(item, Failure) else _put(store, item, seen)
                if isinstance(change, Failure):
                    intake.failed.append(change)
                intake.added += change is Change.ADDED
                intake.changed += change is Change.CHANGED
                unchanged += change is Change.UNCHANGED
        n_items += len(batch)
        on_documents(n_items)
    return intake, unchanged


def _put(store: Store, document: Document, seen: set[str]) -> Change | Failure:
    if document.id in seen:
        return Failure(document.id, DuplicateIdError.code, f"the id '{document.id}' occurs twice")
    try:
        change = store.put(document, None)
    except (UsageError, DataError) as error:  # about this document; the disk and the lock are not
        return Failure(document.id, error.code, error.message)
    seen.add(document.id)
    return change


def _batches(items: Iterable[Document | Failure]) -> Iterator[list[Document | Failure]]:
    batch: list[Document | Failure] = []
    n_characters = 0
    for item in items:
        batch.append(item)
        n_characters += len(item.text) if isinstance(item, Document) else 0
        if len(batch) >= DOCUMENTS_PER_COMMIT or n_characters >= CHARACTERS_PER_COMMIT:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch
