"""What a collection holds of a folder already: files that need not be read, documents that need not be encoded."""

from collections.abc import Iterable
from pathlib import Path

from index.records import UNFINISHED
from index.store import Store
from index.types import Document


class Known:
    """The files of one root as the collection saw them last; a new collection saw none. Nothing is written."""

    def __init__(self, store: Store | None, path: Path, prefix: str) -> None:
        """Look the root up."""
        self._store = store
        root = None if store is None else store.known_root(str(path.absolute()), prefix)
        self._sources = {} if store is None or root is None else store.sources(root)
        self._waiting = set() if store is None else store.waiting_sources()
        self._moved: set[bytes] = set()

    def listed(self, present: Iterable[str]) -> None:
        """Learn which files are there, to know those that were only renamed."""
        gone = self._sources.keys() - set(present)
        self._moved = {self._sources[path].content_hash for path in gone} - {UNFINISHED}

    def holds_file(self, path: str, digest: bytes) -> bool:
        """Whether the run would pass a file over: it stands there, under this name or another, and is encoded."""
        source = self._sources.get(path)
        if source is None:
            return digest in self._moved
        return source.content_hash == digest and source.key not in self._waiting

    def holds_document(self, document: Document) -> bool:
        """Whether a document stands there with these words, and is encoded."""
        found = None if self._store is None else self._store.document(document.id)
        return found is not None and not found.pending and found.text == document.text
