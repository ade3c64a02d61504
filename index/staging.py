"""A second index of the same documents, made beside the present one and invisible until it takes its place.

It has tables of its own in the same database, so a rebuild that was interrupted goes on where it stopped, documents
that change meanwhile are noticed by their version, and the exchange is one transaction.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, astuple
from typing import Any

from index.durable import Folder
from index.records import (
    FRAME,
    SETTINGS,
    CollectionSettings,
    ListsInfo,
    PendingDocument,
    Placement,
    SegmentInfo,
    WordsInfo,
)
from index.store import Store

PREFIX = "staged:"
WAITING = (
    "documents d LEFT JOIN staged_documents s ON s.document = d.key AND s.version = d.version WHERE s.document IS NULL"
)


class Staging:
    """Takes what `index.indexing` writes, as a store does, and keeps it apart.

    Attributes:
        settings: what the new index is built with.
        folder: of the collection.
        segments_folder: where segments lie.
        segment_files: where they are written.
    """

    def __init__(self, store: Store, settings: CollectionSettings) -> None:
        """Go on with a rebuild that was begun with these settings, or begin; one with others is given up."""
        self._store, self._database, self.settings = store, store.database, settings
        self.folder, self.segments_folder = store.folder, store.segments_folder
        self.segment_files: Folder = store.segment_files
        if self.note(SETTINGS) != asdict(settings):
            with store.transaction():
                self._clear()
                self.set_note(SETTINGS, asdict(settings))
            store.clean()

    def transaction(self) -> AbstractContextManager[None]:
        """Make all writes of the block durable together, as `Store.transaction` does."""
        return self._store.transaction()

    def next_segment_number(self) -> int:
        """Give a number that no segment of the collection had."""
        return self._store.next_segment_number()

    def note(self, name: str) -> Any:
        """Give what was kept under a name; None where nothing was."""
        return self._store.note(PREFIX + name)

    def set_note(self, name: str, value: Any) -> None:
        """Keep a JSON value."""
        self._store.set_note(PREFIX + name, value)

    def pending(self, limit_characters: int) -> list[PendingDocument]:
        """Give documents that the new index has not in their present version, at least one if there is any."""
        keys: list[int] = []
        total = 0
        for key, characters in self._database.rows(f"SELECT d.key, d.characters FROM {WAITING} ORDER BY d.key"):
            total += characters
            if keys and total > limit_characters:
                break
            keys.append(key)
        return [document for key in keys for document in self._store.document_to_encode(key)]

    def pending_characters(self) -> int:
        """Add up the lengths of the texts that wait, in code points."""
        return int(self._database.value(f"SELECT coalesce(sum(d.characters), 0) FROM {WAITING}"))

    def publish(self, segments: Sequence[SegmentInfo], placements: Sequence[Placement]) -> int:
        """Note passages of the new index and the segments that hold their vectors; count the documents."""
        for info in segments:
            self._database.write("INSERT INTO staged_segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(info))
            self._store.number_is_given(info.number)
        for placement in placements:
            self._database.write("DELETE FROM staged_passages WHERE document = ?", (placement.document,))
            self._database.write("DELETE FROM staged_documents WHERE document = ?", (placement.document,))
            self._database.write("INSERT INTO staged_documents VALUES (?, ?)", (placement.document, placement.version))
            self._database.write_many(
                "INSERT INTO staged_passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (placement.document, p.ordinal, p.start, p.end, p.tokens, p.language, placed.segment, placed.row)
                    for placed in placement.passages
                    for p in (placed.passage,)
                ],
            )
        return len(placements)

    def add_lists(self, lists: Sequence[ListsInfo]) -> None:
        """A new index has no centroids yet; `optimize` makes them when it is in place."""
        if lists:
            raise ValueError("a rebuild has no codebook")

    def add_words(self, words: Sequence[WordsInfo]) -> None:
        """Note the words of segments of the new index."""
        self._database.write_many(
            "INSERT INTO staged_words VALUES (?, ?, ?, ?, ?)",
            [(i.segment, i.analysis, i.file.file, i.file.n_bytes, i.file.checksum) for i in words],
        )

    def commit(self) -> None:
        """Put the new index in the place of the present one; the files of that go."""
        frame = self.note(FRAME)
        with self._store.transaction():
            for table in ("passages", "segments", "codebooks"):
                self._database.write(f"DELETE FROM {table}")
            for statement in EXCHANGE:
                self._database.write(statement)
            self._store.bury(self._store.segments())
            self._clear()
            self._store.set_note(SETTINGS, asdict(self.settings))
            if frame is not None:
                self._store.set_note(FRAME, frame)
        self._store.settings = self.settings
        self._store.keep_settings()
        self._store.clean()

    def _clear(self) -> None:
        for table in ("staged_passages", "staged_documents", "staged_words", "staged_segments"):
            self._database.write(f"DELETE FROM {table}")
        self._database.write("DELETE FROM notes WHERE name GLOB ?", (PREFIX + "*",))


EXCHANGE = (
    "INSERT INTO segments SELECT * FROM staged_segments",
    "INSERT INTO words SELECT * FROM staged_words",
    "INSERT INTO passages SELECT p.* FROM staged_passages p JOIN staged_documents s ON s.document = p.document "
    "JOIN documents d ON d.key = s.document AND d.version = s.version",
    "UPDATE documents SET pending = 0 WHERE pending AND EXISTS "
    "(SELECT 1 FROM staged_documents s WHERE s.document = key AND s.version = documents.version)",
    "UPDATE documents SET pending = 1 WHERE NOT pending AND NOT EXISTS "
    "(SELECT 1 FROM staged_documents s WHERE s.document = key AND s.version = documents.version)",
    "DELETE FROM notes WHERE name IN ('trained', 'recall', 'drift', 'calibration')",
)
