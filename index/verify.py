"""Is a collection what was committed? Every row and every byte against what vouches for it.

Reading never changes anything, so a collection may be verified while others search and write it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NamedTuple

from index.arrays import check_whole
from index.codebook import Codebook
from index.database import Database
from index.digests import sum_of
from index.lexical.postings import SegmentWords
from index.lists import SegmentLists
from index.records import FRAME, CollectionSettings, FileInfo, SegmentInfo
from index.schema import GUARDED, hash_of
from index.segment import Segment
from index.state import StoredState
from index.store import LEFT_OVER, SEGMENTS_FOLDER
from lfm2_colbert.errors import CorruptionError

MAX_LISTED = 20
"""Findings of one kind that are named; the rest are counted."""


class Part(StrEnum):
    """Which part of a collection a finding is about, from what can be made again to what cannot."""

    LEFT_OVER = "left_over"
    LISTS = "lists"
    WORDS = "words"
    CODEBOOK = "codebook"
    SEGMENT = "segment"
    TABLE = "table"
    DOCUMENT = "document"
    TRANSACTIONS = "transactions"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was committed; left-over files alone do no harm.

    Attributes:
        part: what it is about.
        name: of the file or table, the number of a segment, or the id of a document.
        message: what was expected and what was found.
    """

    part: Part
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` read, in bytes and seconds, and what it found."""

    findings: tuple[Finding, ...]
    documents: int
    segments: int
    bytes_read: int
    seconds: float

    @property
    def damage(self) -> tuple[Finding, ...]:
        """Give all findings but left-over files."""
        return tuple(finding for finding in self.findings if finding.part is not Part.LEFT_OVER)


OnVerified = Callable[[int, int], None]
"""Told how many bytes have been read, of how many."""


def _ignore(done: int, total: int) -> None:
    """Show no progress."""


class _File(NamedTuple):
    """A published file, and what opens it with all checks but those of its arrays' bytes."""

    part: Part
    info: FileInfo
    open: Callable[[], object]


def verify(folder: Path, *, full: bool = True, on_verified: OnVerified = _ignore) -> VerifyReport:
    """Check a collection.

    Args:
        folder: of the collection.
        full: read every text and every byte of every file; otherwise the tables, and sizes and contents of files.
        on_verified: called after each file.

    Raises:
        FormatVersionError: another version wrote it.
        StorageError: the disk does not give its bytes.
    """
    started = time.perf_counter()
    try:
        with closing(Database(folder, writable=False)) as database, database.snapshot():
            verification = _Verification(folder, database, full, on_verified)
            findings = tuple(verification.findings())
            return VerifyReport(
                findings,
                verification.n_documents,
                verification.n_segments,
                verification.bytes_read,
                time.perf_counter() - started,
            )
    except CorruptionError as error:  # nothing of it can be read
        found = (Finding(Part.DATABASE, "store.db", error.message),)
        return VerifyReport(found, 0, 0, 0, time.perf_counter() - started)


class _Verification:
    """One pass over a collection, in one snapshot of its database."""

    def __init__(self, folder: Path, database: Database, full: bool, on_verified: OnVerified) -> None:
        self._folder, self._database, self._full, self._on_verified = folder, database, full, on_verified
        self._files = folder / SEGMENTS_FOLDER
        self.n_documents = self.n_segments = self.bytes_read = 0

    def findings(self) -> Iterator[Finding]:
        """Check one thing after the other; what depends on a damaged thing is left out."""
        damaged = list(self._database_findings())
        yield from damaged
        if damaged:
            return
        tables = list(self._table_findings())
        yield from tables
        if self._full:
            yield from self._text_findings()
        if tables:
            return
        state = StoredState(self._database)
        self.n_documents = state.n_rows("documents")
        yield from self._counter_findings()
        yield from self._row_findings(state)
        yield from self._file_findings(state)
        yield from self._left_over(state)

    def _database_findings(self) -> Iterator[Finding]:
        pragma = "integrity_check" if self._full else "quick_check"
        for (message,) in self._database.rows(f"PRAGMA {pragma}({MAX_LISTED})"):
            if message != "ok":
                yield Finding(Part.DATABASE, "store.db", message)
        for table, key, parent, _ in self._database.rows("PRAGMA foreign_key_check")[:MAX_LISTED]:
            yield Finding(Part.TABLE, table, f"row {key} belongs to no row of {parent}")
        try:
            self._database.require_acknowledged()
        except CorruptionError as error:
            yield Finding(Part.TRANSACTIONS, "HWM", error.message)

    def _table_findings(self) -> Iterator[Finding]:
        for table in GUARDED:
            expected = self._database.row("SELECT n, hash FROM sums WHERE name = ?", (table,))
            hashes = [value for (value,) in self._database.each(f"SELECT {hash_of(table)} FROM {table}")]
            found = (len(hashes), sum_of(hashes))
            if found != expected:
                count = f"{expected[0]} rows were stored, {found[0]} are there" if expected else "it has no sum"
                differ = count if expected is None or found[0] != expected[0] else "a row differs from what was stored"
                yield Finding(Part.TABLE, table, differ)

    def _text_findings(self) -> Iterator[Finding]:
        for document_id, size, whole in self._database.each(
            "SELECT d.id, coalesce(length(CAST(t.text AS BLOB)), 0) + coalesce(length(t.metadata), 0), "
            "content_digest(d.id, CAST(t.text AS BLOB)) = d.text_hash "
            "AND content_digest(d.id, CAST(t.metadata AS BLOB)) = d.metadata_hash "
            "FROM documents d LEFT JOIN texts t ON t.document = d.key"
        ):
            self.bytes_read += size
            if not whole:
                yield Finding(Part.DOCUMENT, document_id, "its text or metadata differ from what was stored")
        stray = self._database.value("SELECT count(*) FROM texts WHERE document NOT IN (SELECT key FROM documents)")
        if stray:
            yield Finding(Part.TABLE, "texts", f"{stray} texts belong to no document")

    def _counter_findings(self) -> Iterator[Finding]:
        for counter, table, column in (
            ("next_segment", "segments", "number"),
            ("next_codebook", "codebooks", "number"),
        ):
            (given,) = self._database.rows("SELECT v FROM meta WHERE k = ?", (counter,)) or [(0,)]
            used = self._database.value(f"SELECT coalesce(max({column}), 0) FROM {table}")
            if given[0] <= used:
                yield Finding(Part.TABLE, "meta", f"{counter} is {given[0]}, but {used} was given already")

    def _row_findings(self, state: StoredState) -> Iterator[Finding]:
        for info in state.segments():
            live, least, most = self._database.rows(
                "SELECT count(*), coalesce(min(row), 0), coalesce(max(row), 0) FROM passages WHERE segment = ?",
                (info.number,),
            )[0]
            dead = self._database.value(
                "SELECT count(*) FROM dead WHERE segment = ? AND row < ?", (info.number, info.n_passages)
            )
            both = self._database.value(
                "SELECT count(*) FROM dead d JOIN passages p USING (segment, row) WHERE d.segment = ?", (info.number,)
            )
            if live + dead != info.n_passages or both or least < 0 or most > max(info.n_passages - 1, 0):
                yield Finding(
                    Part.SEGMENT, info.file, f"of {info.n_passages} rows {live} are alive, {dead} dead, {both} both"
                )

    def _file_findings(self, state: StoredState) -> Iterator[Finding]:
        files = list(self._published(state))
        if self.n_segments and state.note(FRAME) is None:
            yield Finding(Part.TABLE, "notes", "there are segments and no frame to read them in")
        total = sum(file.info.n_bytes for file in files) + self.bytes_read
        for file in files:
            try:
                file.open()
                if self._full:
                    check_whole(self._files, file.info)
                    self.bytes_read += file.info.n_bytes
            except CorruptionError as error:
                yield Finding(file.part, file.info.file, error.message)
            self._on_verified(self.bytes_read, total)

    def _published(self, state: StoredState) -> Iterator[_File]:
        for segment in state.segments():
            self.n_segments += 1
            yield _File(Part.SEGMENT, segment.as_file(), partial(self._open_segment, state.settings, segment))
        codebook = state.codebook()
        if codebook:
            yield _File(Part.CODEBOOK, codebook.file, partial(Codebook.open, self._files, codebook))
        for lists in state.lists():
            yield _File(Part.LISTS, lists.file, partial(SegmentLists.open, self._files, lists))
        for words in state.words():
            yield _File(Part.WORDS, words.file, partial(SegmentWords.open, self._files, words))

    def _open_segment(self, settings: CollectionSettings, info: SegmentInfo) -> None:
        if (info.dim, info.codec) != (settings.dim, settings.codec):
            made = f"{info.codec} of {info.dim} dimensions"
            raise CorruptionError(f"{info.file} holds {made}, the collection {settings.codec} of {settings.dim}")
        Segment.open(self._files, info)

    def _left_over(self, state: StoredState) -> Iterator[Finding]:
        for name in left_over_files(self._files, state):
            yield Finding(Part.LEFT_OVER, name, "no commit names this file; the next writer removes it")


def left_over_files(folder: Path, state: StoredState) -> list[str]:
    """Name the files of ours in the segments' folder that no commit names."""
    published = state.published_files()
    if not folder.is_dir():
        return []
    names = sorted(path.name for path in folder.iterdir() if not path.is_dir())
    return [name for name in names if LEFT_OVER.fullmatch(name) and name not in published]
