"""The writing side of a collection: what was acknowledged is here, and nowhere else.

A document is put in one durable transaction and is pending until its passages are published with the segment that holds
their vectors. So the documents are the log of the index: after a crash the pending ones are encoded again.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from index.canonical import CanonicalDocument, canonical, encoded_name
from index.database import Database, create_database
from index.digests import content_digest
from index.durable import DISK, Disk, Folder, disk_errors
from index.home import SETTINGS_FILE, STORE_FILE
from index.lock import WriterLock
from index.records import (
    SETTINGS,
    Change,
    CodebookInfo,
    CollectionSettings,
    ListsInfo,
    Placement,
    SegmentInfo,
    WordsInfo,
)
from index.state import StoredState
from index.types import Document, Failure
from index.upgrade import upgrade
from lfm2_colbert.config import to_json
from lfm2_colbert.errors import AlreadyExistsError, DuplicateIdError, InvalidArgumentError, NotFoundError, StorageError

SEGMENTS_FOLDER = "segs"
WITHIN = "#/"
"""What follows the id of a file in those of its rows, messages and members."""
LEFT_OVER = re.compile(r"\d{10}\.(seg|book|\d{6}\.lists|\d{3}\.words)|.*\.tmp")
"""Files in the segments' folder that are ours to remove when no row names them; anything else is left alone."""


class Store(StoredState):
    """One collection's database, open for reading, or for writing under the collection's lock.

    Writes happen inside ``with store.transaction():``, and all that a transaction did is durable when it ends. One
    thread at a time may use a store.

    Attributes:
        folder: the collection's folder.
        segment_files: where segment files are written; a commit is preceded by a sync of their names.
        database: what statements go through that are not the store's own (`index.staging`).
    """

    def __init__(self, folder: Path, database: Database, lock: WriterLock | None, disk: Disk = DISK) -> None:
        """Wrap an open database; `Store.create` and `Store.open` are the ways in."""
        super().__init__(database)
        self.folder, self.database, self._disk = folder, database, disk
        self._lock = lock
        self._next_segment = 0
        self.segment_files = Folder(folder / SEGMENTS_FOLDER, disk)

    @classmethod
    def create(cls, folder: Path, settings: CollectionSettings, disk: Disk = DISK) -> "Store":
        """Make an empty collection and open it for writing.

        Raises:
            AlreadyExistsError: the folder holds a collection.
            IndexLockedError: somebody else is making one there.
            StorageError: the disk refused.
        """
        with disk_errors(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            disk.sync_folder(folder.parent)
        lock = WriterLock(folder)
        try:
            if (folder / STORE_FILE).exists():
                raise AlreadyExistsError(f"{folder} holds a collection already", help="open it, or choose another name")
            create_database(folder, {SETTINGS: asdict(settings)}, disk)
        finally:
            lock.release()
        return cls.open(folder, writable=True, disk=disk)

    @classmethod
    def open(cls, folder: Path, *, writable: bool, disk: Disk = DISK) -> "Store":
        """Open a collection.

        A writer takes the lock and removes what an interrupted run left among the segments. Readers need no lock. A
        store of an earlier format is upgraded first.

        Raises:
            NotFoundError: the folder holds no collection.
            IndexLockedError: another process writes it.
            FormatVersionError: another program or a newer version made it.
            CorruptionError: it is damaged, or lost transactions that were acknowledged.
        """
        if not (folder / STORE_FILE).is_file():
            raise NotFoundError(f"no collection in {folder}", help="index something first")
        upgrade(folder, disk)
        lock = WriterLock(folder) if writable else None
        try:
            database = Database(folder, writable=writable, disk=disk)
            try:
                store = cls(folder, database, lock, disk)
                if writable:
                    store.clean()
                    store.keep_settings()
                return store
            except BaseException:
                database.close()
                raise
        except BaseException:
            if lock:
                lock.release()
            raise

    def close(self) -> None:
        """Close, and let others write; a second call does nothing."""
        self._database.close()
        if self._lock:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def segments_folder(self) -> Path:
        """Where segment files lie."""
        return self.folder / SEGMENTS_FOLDER

    def transaction(self) -> AbstractContextManager[None]:
        """Make all writes of the block durable together when it ends, or, after any exception, none of them.

        Raises:
            InvalidArgumentError: the store is open for reading, or a transaction is running.
            StorageError: the disk refused; nothing was acknowledged.
            CorruptionError: the database is damaged.
        """
        return self._database.transaction(before_commit=self.segment_files.sync)

    def put(self, document: Document, source: int | None) -> Change:
        """Store a document under its id; new words make it pending and take its old passages away at once.

        Args:
            document: what to store.
            source: the file it comes from (`set_source`); None: a program added it. A program may replace any document
                and owns it then; a file may replace only documents that it gave itself.

        Raises:
            InvalidArgumentError: the document cannot be stored, or there is no such source. Nothing was written.
            DocumentTooLargeError: text and metadata exceed 64 MiB. Nothing was written.
            DuplicateIdError: the id is owned elsewhere. Nothing was written.
        """
        checked = canonical(document)
        self._require_source(source)
        found = self._database.row(
            "SELECT key, text_hash, metadata_hash, source FROM documents WHERE id = ?", (document.id,)
        )
        if found is None:
            self._insert(checked, source)
            return Change.ADDED
        key, text_hash, metadata_hash, owner = found
        if source is not None and source != owner:
            raise self._duplicate(document.id, owner, source)
        if owner != source:
            self._database.write("UPDATE documents SET source = ? WHERE key = ?", (source, key))
        stays = text_hash == checked.text_hash and self.stored_anchors(key) == checked.anchors
        if stays and metadata_hash == checked.metadata_hash:
            return Change.UNCHANGED
        if text_hash != checked.text_hash:
            self._replace_text(key, checked)
        if not stays:
            self._database.write("DELETE FROM anchors WHERE document = ?", (key,))
            self._insert_anchors(key, checked)
        self._replace_metadata(key, checked)
        return Change.CHANGED

    def delete(self, document_id: str) -> bool:
        """Remove a document and its passages; say whether there was one. Its unchanged file does not bring it back."""
        return bool(self._database.write("DELETE FROM documents WHERE id = ? RETURNING key", (document_id,)))

    def root(self, path: str, prefix: str) -> int:
        """Give the key of an indexed folder or file with its prefix, noting it where it is new."""
        found = self.known_root(path, prefix)
        if found is not None:
            return found
        encoded_name(path, "the path of a root")
        ((key,),) = self._database.write("INSERT INTO roots (path, prefix) VALUES (?, ?) RETURNING key", (path, prefix))
        return int(key)

    def set_source(self, root: int, path: str, content_hash: bytes, failure: Failure | None) -> int:
        """Note how a file was last seen, and, if it gave no document, why; give its key.

        Raises:
            InvalidArgumentError: the path is no Unicode, or there is no such root.
        """
        code, message = (failure.code, failure.message) if failure else (None, None)
        seen = (content_hash, code, message)
        found = self._database.row(
            "SELECT key, content_hash, code, message FROM sources WHERE root = ? AND path = ?", (root, path)
        )
        if found is None:
            encoded_name(path, "the path of a file")
            ((key,),) = self._database.write(
                "INSERT INTO sources (root, path, content_hash, code, message) VALUES (?, ?, ?, ?, ?) RETURNING key",
                (root, path, *seen),
            )
            return int(key)
        if found[1:] != seen:
            self._database.write(
                "UPDATE sources SET content_hash = ?, code = ?, message = ? WHERE key = ?", (*seen, found[0])
            )
        return int(found[0])

    def set_failures(self, source: int, failures: Iterable[Failure]) -> None:
        """Note what of a file gave no document, in place of what was noted before; of a path the last counts."""
        self._database.write("DELETE FROM failures WHERE source = ?", (source,))
        last = {failure.path: (source, failure.path, failure.code, failure.message) for failure in failures}
        self._database.write_many("INSERT INTO failures VALUES (?, ?, ?, ?)", last.values())

    def may_move(self, source: int, beside: int, old_id: str, new_id: str) -> bool:
        """Whether no document has an id that `move_source` would give, but those of the file and of one beside it."""
        taken = "SELECT 1 FROM documents WHERE id = ? AND (source IS NULL OR source NOT IN (?, ?))"
        ids = (renamed for _, renamed in self._renamed(source, old_id, new_id))
        return all(self._database.row(taken, (each, source, beside)) is None for each in ids)

    def move_source(self, source: int, path: str, old_id: str, new_id: str) -> None:
        """Call a file, and its documents whose ids come from its own, by another name; vectors stay."""
        self._database.write("UPDATE sources SET path = ? WHERE key = ?", (path, source))
        for key, renamed in self._renamed(source, old_id, new_id):
            contents = self._database.rows("SELECT text, metadata FROM texts WHERE document = ?", (key,))[0]
            hashes = [content_digest(renamed, content.encode()) for content in contents]
            self._database.write(
                "UPDATE documents SET id = ?, version = version + 1, text_hash = ?, metadata_hash = ? WHERE key = ?",
                (renamed, *hashes, key),
            )

    def _renamed(self, source: int, old_id: str, new_id: str) -> list[tuple[int, str]]:
        """Give the documents of a file whose ids are its own, or begin with it, and what they are called by another."""
        owned = self._database.rows("SELECT key, id FROM documents WHERE source = ?", (source,))
        own = ((key, each.removeprefix(old_id)) for key, each in owned if each.startswith(old_id))
        return [(key, new_id + rest) for key, rest in own if not rest or rest[0] in WITHIN]

    def prune_source(self, source: int, keep_ids: Collection[str]) -> int:
        """Remove the documents of a file whose ids it no longer holds; count them."""
        keep = frozenset(keep_ids)
        owned = self._database.rows("SELECT key, id FROM documents WHERE source = ?", (source,))
        gone = [(key,) for key, document_id in owned if document_id not in keep]
        if gone:
            self._database.write_many("DELETE FROM documents WHERE key = ?", gone)
        return len(gone)

    def remove_source(self, source: int) -> int:
        """Forget a file and remove its documents; count them."""
        removed = self.prune_source(source, ())
        self._database.write("DELETE FROM sources WHERE key = ?", (source,))
        return removed

    def publish(self, segments: Sequence[SegmentInfo], placements: Sequence[Placement]) -> int:
        """Make passages searchable together with the segments that hold their vectors.

        Documents that changed or went since they were read are passed over: their rows are dead, and they stay pending.

        Returns:
            How many documents were placed.

        Raises:
            InvalidArgumentError: a segment's number was used before, or a passage points outside the segments.
        """
        rows = {info.number: info.n_passages for info in (*self.segments(), *segments)}
        for placed in (passage for placement in placements for passage in placement.passages):
            if not 0 <= placed.row < rows.get(placed.segment, 0):
                raise InvalidArgumentError(f"segment {placed.segment} has no row {placed.row}")
        for info in sorted(segments, key=lambda info: info.number):
            self._add_segment(info)
        n_placed = sum(self._place(placement) for placement in placements)
        self.bury(segments)
        return n_placed

    def add_lists(self, lists: Sequence[ListsInfo]) -> None:
        """Publish posting lists of segments, in place of those they had under the same codebook."""
        self._database.write_many("DELETE FROM lists WHERE segment = ?", [(info.segment,) for info in lists])
        self._database.write_many(
            "INSERT INTO lists VALUES (?, ?, ?, ?, ?)",
            [(i.segment, i.codebook, i.file.file, i.file.n_bytes, i.file.checksum) for i in lists],
        )

    def add_words(self, words: Sequence[WordsInfo]) -> None:
        """Publish the words of segments, in place of those they had."""
        self._database.write_many("DELETE FROM words WHERE segment = ?", [(info.segment,) for info in words])
        self._database.write_many(
            "INSERT INTO words VALUES (?, ?, ?, ?, ?)",
            [(i.segment, i.analysis, i.file.file, i.file.n_bytes, i.file.checksum) for i in words],
        )

    def add_codebook(self, info: CodebookInfo) -> None:
        """Publish a codebook and put it in use; earlier ones and their lists are forgotten."""
        self._database.write("DELETE FROM codebooks")
        self._database.write(
            "INSERT INTO codebooks VALUES (?, ?, ?, ?)",
            (info.number, info.file.file, info.file.n_bytes, info.file.checksum),
        )
        self._database.write("UPDATE meta SET v = ? WHERE k = 'next_codebook'", (info.number + 1,))

    def next_codebook_number(self) -> int:
        """Give a number for a new codebook, larger than any that was published."""
        return self._database.counter("next_codebook")

    def replace_segments(
        self, old: Sequence[int], new: Sequence[SegmentInfo], moves: Iterable[tuple[int, int, int, int]]
    ) -> None:
        """Put merged segments in the place of others.

        Args:
            old: numbers of the segments that go.
            new: segments that come.
            moves: for each live row: new segment, new row, old segment, old row.

        Raises:
            InvalidArgumentError: a live row of an old segment was not moved.
        """
        for info in sorted(new, key=lambda info: info.number):
            self._add_segment(info)
        self._database.write_many("UPDATE passages SET segment = ?, row = ? WHERE segment = ? AND row = ?", moves)
        self._database.write_many("DELETE FROM segments WHERE number = ?", [(number,) for number in old])
        self.bury(new)

    def forget_files(self, names: Iterable[str]) -> None:
        """Take files out of the state, by name: documents of segments wait again, lists, words, codebooks go."""
        for name in names:
            for (number,) in self._database.rows("SELECT number FROM segments WHERE file = ?", (name,)):
                self._forget_segment(number)
            self._database.write("DELETE FROM lists WHERE file = ?", (name,))
            self._database.write("DELETE FROM words WHERE file = ?", (name,))
            self._database.write("DELETE FROM codebooks WHERE file = ?", (name,))

    def _forget_segment(self, number: int) -> None:
        documents = "(SELECT document FROM passages WHERE segment = ?)"
        self._database.write(f"UPDATE documents SET pending = 1 WHERE key IN {documents}", (number,))
        self._database.write("DELETE FROM passages WHERE document IN (SELECT key FROM documents WHERE pending)")
        self._database.write("DELETE FROM segments WHERE number = ?", (number,))

    def set_note(self, name: str, value: Any) -> None:
        """Keep a JSON value under a name."""
        self._database.write(
            "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )

    def forget_note(self, name: str) -> None:
        """Keep nothing under a name any more."""
        self._database.write("DELETE FROM notes WHERE name = ?", (name,))

    def next_segment_number(self) -> int:
        """Give a number for a new segment, larger than any that was published or given to this process."""
        stored = self._database.counter("next_segment")
        number = max(stored, self._next_segment)
        self._next_segment = number + 1
        return number

    def _require_source(self, source: int | None) -> None:
        if source is not None and self._root_of(source) is None:
            raise InvalidArgumentError(f"there is no source {source}", help="note the file with set_source first")

    def _root_of(self, source: int | None) -> int | None:
        root: int | None = self._database.value("SELECT root FROM sources WHERE key = ?", (source,))
        return root

    def _duplicate(self, document_id: str, owner: int | None, source: int) -> DuplicateIdError:
        if owner is None:
            whose, way_out = "a document that a program added", "index this folder with --prefix NAME"
        elif self._root_of(owner) == self._root_of(source):
            path = self._database.value("SELECT path FROM sources WHERE key = ?", (owner,))
            whose, way_out = f"the file {path}", "give the rows different ids"
        else:
            path = self._database.value("SELECT path FROM roots WHERE key = ?", (self._root_of(owner),))
            whose, way_out = f"the documents of {path}", "index this folder with --prefix NAME"
        return DuplicateIdError(f"the id '{document_id}' belongs to {whose}", help=way_out)

    def _insert(self, document: CanonicalDocument, source: int | None) -> None:
        ((key,),) = self._database.write(
            "INSERT INTO documents (id, version, source, text_hash, metadata_hash, pending, characters) "
            "VALUES (?, 1, ?, ?, ?, 1, ?) RETURNING key",
            (document.id, source, document.text_hash, document.metadata_hash, len(document.text)),
        )
        self._database.write("INSERT INTO texts VALUES (?, ?, ?)", (key, document.text, document.metadata))
        self._insert_anchors(key, document)
        self.fields.insert(key, document.metadata)

    def _insert_anchors(self, key: int, document: CanonicalDocument) -> None:
        self._database.write_many("INSERT INTO anchors VALUES (?, ?, ?)", [(key, *each) for each in document.anchors])

    def _replace_text(self, key: int, document: CanonicalDocument) -> None:
        self._database.write(
            "UPDATE documents SET text_hash = ?, pending = 1, characters = ? WHERE key = ?",
            (document.text_hash, len(document.text), key),
        )
        self._database.write("UPDATE texts SET text = ? WHERE document = ?", (document.text, key))
        self._database.write("DELETE FROM passages WHERE document = ?", (key,))

    def _replace_metadata(self, key: int, document: CanonicalDocument) -> None:
        """Keep new metadata, and count the change; vectors stand for the text alone."""
        self._database.write(
            "UPDATE documents SET version = version + 1, metadata_hash = ? WHERE key = ?", (document.metadata_hash, key)
        )
        self._database.write("UPDATE texts SET metadata = ? WHERE document = ?", (document.metadata, key))
        self.fields.replace(key, document.metadata)

    def _add_segment(self, info: SegmentInfo) -> None:
        stored = self._database.counter("next_segment")
        if info.number < stored:
            raise InvalidArgumentError(f"the segment number {info.number} was used before", help="take the next one")
        self._database.write(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                info.number,
                info.file,
                info.n_bytes,
                info.checksum,
                info.n_passages,
                info.n_tokens,
                info.dim,
                info.codec,
            ),
        )
        self.number_is_given(info.number)

    def number_is_given(self, number: int) -> None:
        """Never give a segment's number again."""
        self._database.write("UPDATE meta SET v = max(v, ?) WHERE k = 'next_segment'", (number + 1,))

    def _place(self, placement: Placement) -> bool:
        current = self._database.write(
            "UPDATE documents SET pending = 0 WHERE key = ? AND version = ? RETURNING key",
            (placement.document, placement.version),
        )
        if not current:
            return False
        self._database.write("DELETE FROM passages WHERE document = ?", (placement.document,))
        self._database.write_many(
            "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (placement.document, p.ordinal, p.start, p.end, p.tokens, p.language, placed.segment, placed.row)
                for placed in placement.passages
                for p in (placed.passage,)
            ],
        )
        return True

    def bury(self, segments: Sequence[SegmentInfo]) -> None:
        """Mark the rows of new segments dead whose documents changed or went before they were published."""
        self._database.write_many(
            "WITH RECURSIVE rows(row) AS (SELECT 0 WHERE ?2 > 0 UNION ALL SELECT row + 1 FROM rows WHERE row + 1 < ?2) "
            "INSERT INTO dead SELECT ?1, row, (SELECT v + 1 FROM meta WHERE k = 'txid') FROM rows "
            "WHERE (SELECT count(*) FROM passages WHERE segment = ?1) < ?2 "
            "AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.segment = ?1 AND p.row = rows.row)",
            [(info.number, info.n_passages) for info in segments],
        )

    def keep_settings(self) -> None:
        """Keep a copy of the settings beside the database: with it, texts can be saved from one that lost its own.

        Where the disk does not take it, the next writer tries again: nothing needs it as long as the database is whole.
        """
        content = to_json(self.settings).encode()
        path = self.folder / SETTINGS_FILE
        with suppress(StorageError), disk_errors(path):
            if not path.exists() or path.read_bytes() != content:
                Folder(self.folder, self._disk).replace(SETTINGS_FILE, content)

    def clean(self) -> None:
        """Remove files that no commit names: those of an interrupted run, and those that a commit replaced.

        Readers that have mapped a file keep it; one that was about to reads the later state instead.
        """
        published = self.published_files()
        with disk_errors(self.segments_folder):
            if not self.segments_folder.is_dir():
                self.segments_folder.mkdir(mode=0o700)
                self._disk.sync_folder(self.folder)
            for path in self.segments_folder.iterdir():
                if LEFT_OVER.fullmatch(path.name) and path.name not in published and not path.is_dir():
                    self._disk.remove(path)
