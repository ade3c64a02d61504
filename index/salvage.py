"""A new database out of what a damaged one still gives: whole documents, the files they came from, and the settings.

Vectors are not carried over. They are a function of the texts, so the documents wait to be encoded again.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from index.anchors import is_place
from index.canonical import canonical_metadata
from index.database import FUNCTIONS, MARK_FILE, create_database, has_expected_schema, keep_sequence, read_mark
from index.digests import content_digest
from index.durable import DISK, Disk, disk_errors
from index.filters.stored import insert_values
from index.home import SETTINGS_FILE, STORE_FILE
from index.records import FRAME, SETTINGS, CollectionSettings
from index.state import StoredState
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import CorruptionError, InvalidConfigError

NO_METADATA = "{}"
SIZE_IN_PAGES = slice(28, 32)
"""Where SQLite's header keeps it."""
KEPT_NOTES = (SETTINGS, FRAME)
"""What was measured is measured again."""


@dataclass(slots=True)
class Salvage:
    """What came out.

    Attributes:
        kept: documents that were whole.
        restored: ids of documents that were taken from the backup.
        without_metadata: ids of documents whose text was whole and whose metadata was not.
        lost: ids of documents that are gone.
        unreadable: documents that there were besides, whose ids cannot be read.
    """

    kept: int = 0
    restored: list[str] = field(default_factory=list)
    without_metadata: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """A row of `documents` with its text, as far as they could be read."""

    key: int
    row: tuple[Any, ...] | None
    text: str | None
    metadata: str | None

    @property
    def id(self) -> str:
        return str(self.row[0]) if self.row else ""

    def text_is_whole(self) -> bool:
        return self.row is not None and _is_whole(self.id, self.text, self.row[3])

    def metadata_is_whole(self) -> bool:
        return self.row is not None and _is_whole(self.id, self.metadata, self.row[4])


def salvage(folder: Path, backup: StoredState | None, disk: Disk = DISK) -> Salvage:
    """Put a new ``store.db`` in the place of the damaged one, which the caller has put into quarantine.

    Args:
        folder: of the collection; the caller holds its lock.
        backup: where documents are looked up that are damaged here.
        disk: what is written with.

    Raises:
        CorruptionError: not even the settings can be read; nothing was changed.
    """
    with _readable_copy(folder) as old:
        notes = _notes(folder, old, backup)
        result = Salvage()
        numbers = _next_numbers(folder, old)

        def fill(new: apsw.Connection) -> None:
            for counter, value in numbers.items():
                new.execute("UPDATE meta SET v = ? WHERE k = ?", (value, counter))
            _copy_sources(old, new)
            for found in _documents(old):
                _take(new, found, backup, result)
                _copy_anchors(old, new, found.key)
            result.unreadable = max(_expected(old) - result.kept - len(result.lost), result.unreadable)
            if result.unreadable and backup is not None:
                _take_missing(new, backup, result)
            for table in ("documents", "sources"):
                with suppress(apsw.Error):  # unreadable too: then the highest key that was found is the last one
                    keep_sequence(old, new, table)

        create_database(folder, notes, disk, fill)
    return result


@contextmanager
def _readable_copy(folder: Path) -> Iterator[apsw.Connection]:
    """Open a copy of the database, with a new table of its tables if its own is damaged.

    That table never changes after the creation of a store, so its pages are those of an empty store.
    """
    copy = folder / f"{STORE_FILE}.damaged"
    wal = copy.with_name(f"{copy.name}-wal")
    with disk_errors(copy):
        shutil.copyfile(folder / STORE_FILE, copy)
        if (folder / f"{STORE_FILE}-wal").exists():
            shutil.copyfile(folder / f"{STORE_FILE}-wal", wal)
    try:
        if not has_expected_schema(copy):
            _transplant_schema(copy)
        with closing(apsw.Connection(str(copy))) as connection:
            for name, function in FUNCTIONS.items():
                connection.create_scalar_function(name, function)
            yield connection
    finally:
        for path in (copy, wal, copy.with_name(f"{copy.name}-shm")):
            path.unlink(missing_ok=True)


def _transplant_schema(path: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        create_database(Path(scratch), {})
        whole = (Path(scratch) / STORE_FILE).read_bytes()
        with closing(apsw.Connection(str(Path(scratch) / STORE_FILE))) as empty:
            roots = {root for (root,) in empty.execute("SELECT rootpage FROM sqlite_schema")}
            size = empty.pragma("page_size")
    content = bytearray(path.read_bytes())
    content.extend(bytes(-len(content) % size))
    for page in range(1, len(whole) // size + 1):
        if page not in roots:  # an empty store has no other pages than roots and those of the table of tables
            content[(page - 1) * size : page * size] = whole[(page - 1) * size : page * size]
    content[SIZE_IN_PAGES] = (len(content) // size).to_bytes(4, "big")
    path.write_bytes(content)


def _take(new: apsw.Connection, found: _Found, backup: StoredState | None, result: Salvage) -> None:
    if found.row is None:
        result.unreadable += 1
        return
    text, metadata, metadata_hash = found.text, found.metadata, found.row[4]
    other = backup.document(found.id) if backup and not (found.text_is_whole() and found.metadata_is_whole()) else None
    if not found.text_is_whole():
        if other is None:
            result.lost.append(found.id)
            return
        text = other.text
    if not found.metadata_is_whole():
        metadata = NO_METADATA if other is None else canonical_metadata(found.id, other.metadata)
        metadata_hash = content_digest(found.id, metadata.encode())
        (result.without_metadata if other is None else result.restored).append(found.id)
    elif other is not None:
        result.restored.append(found.id)
    _insert(new, found, str(text), str(metadata), metadata_hash)
    result.kept += 1


def _expected(old: apsw.Connection) -> int:
    return sum(_number(n) for (n,) in _readable(old, "SELECT n FROM sums WHERE name = 'documents'"))


def _take_missing(new: apsw.Connection, backup: StoredState, result: Salvage) -> None:
    """Take documents from the backup that are not here, as many as there were once."""
    here = {document_id for (document_id,) in new.execute("SELECT id FROM documents")}
    highest = max((key for (key,) in new.execute("SELECT max(key) FROM documents") if key), default=0)
    for document_id in backup.all_ids():
        document = backup.document(document_id)
        if document is None or document_id in here or document_id in result.lost or not result.unreadable:
            continue
        highest = max(highest + 1, document.key)
        metadata = canonical_metadata(document_id, document.metadata)
        row = (document_id, document.version, None, None, None)
        digest = content_digest(document_id, metadata.encode())
        _insert(new, _Found(highest, row, document.text, metadata), document.text, metadata, digest)
        result.restored.append(document_id)
        result.kept += 1
        result.unreadable -= 1


def _insert(new: apsw.Connection, found: _Found, text: str, metadata: str, metadata_hash: bytes | None) -> None:
    assert found.row is not None  # a document without an id has no whole text
    document_id, version, source = found.row[:3]
    known = new.execute("SELECT 1 FROM sources WHERE key = ?", (source,)).fetchone()
    new.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, 1, ?)",
        (
            found.key, document_id, version + 1, source if known else None,
            content_digest(document_id, text.encode()), metadata_hash, len(text),
        ),
    )  # fmt: skip
    new.execute("INSERT INTO texts VALUES (?, ?, ?)", (found.key, text, metadata))
    insert_values(new.executemany, found.key, metadata)


def _notes(folder: Path, old: apsw.Connection, backup: StoredState | None) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    for name in KEPT_NOTES:
        (row,) = _readable(old, "SELECT value FROM notes WHERE name = ?", (name,)) or [None]
        with suppress(ValueError, TypeError):
            notes[name] = json.loads(row[0]) if row else None
        if notes.get(name) is None and backup is not None:
            notes[name] = backup.note(name)
    if not _are_settings(notes.get(SETTINGS)):
        notes[SETTINGS] = _kept_settings(folder)
    if not _are_settings(notes[SETTINGS]):
        raise CorruptionError("the collection's settings cannot be read", help="restore a backup")
    return {name: value for name, value in notes.items() if value is not None}


def _kept_settings(folder: Path) -> Any:
    with suppress(OSError, ValueError):
        return json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    return None


def _are_settings(stored: Any) -> bool:
    try:
        from_mapping(CollectionSettings, stored)
    except InvalidConfigError:
        return False
    return True


def _next_numbers(folder: Path, old: apsw.Connection) -> dict[str, int]:
    """Give counters that no earlier transaction and no file that lies there can have had."""
    stored = dict(_readable(old, "SELECT k, v FROM meta"))
    names = [path.name.split(".")[0] for path in (folder / "segs").glob("*")]
    used = max((int(name) for name in names if name.isdigit()), default=0)
    txid = max(_number(stored.get("txid")), read_mark(folder / MARK_FILE)) + 1
    return {
        "txid": txid,
        "next_segment": max(_number(stored.get("next_segment")), used + 1),
        "next_codebook": max(_number(stored.get("next_codebook")), used + 1),
    }


def _number(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0


def _copy_sources(old: apsw.Connection, new: apsw.Connection) -> None:
    for key in _keys(old, "roots"):
        for row in _readable(old, "SELECT key, path, prefix FROM roots WHERE key = ?", (key,)):
            _insert_if_sound(new, "INSERT INTO roots VALUES (?, ?, ?)", row)
    for key in _keys(old, "sources"):
        columns = "key, root, path, content_hash, code, message"
        for row in _readable(old, f"SELECT {columns} FROM sources WHERE key = ?", (key,)):
            _insert_if_sound(new, "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?)", row)


def _copy_anchors(old: apsw.Connection, new: apsw.Connection, key: int) -> None:
    """Nothing vouches for a single anchor: what is no place any more is left out."""
    for start, place in _readable(old, "SELECT start, place FROM anchors WHERE document = ?", (key,)):
        if isinstance(start, int) and _is_place(place):
            _insert_if_sound(new, "INSERT INTO anchors VALUES (?, ?, ?)", (key, start, place))


def _is_place(place: object) -> bool:
    with suppress(ValueError):
        return isinstance(place, str) and is_place(json.loads(place))
    return False


def _insert_if_sound(new: apsw.Connection, sql: str, row: tuple[Any, ...]) -> None:
    """A root or file that damage made impossible is forgotten: the next `index` of its folder notes it again."""
    with suppress(apsw.ConstraintError):
        new.execute(sql, row)


def _documents(old: apsw.Connection) -> Iterator[_Found]:
    """Look every key up by itself: a page that cannot be read then costs the documents on it, not those behind it."""
    seen: set[Any] = set()
    for key in _keys(old, "documents"):
        rows = _readable(
            old,
            "SELECT id, version, source, text_hash, metadata_hash FROM documents NOT INDEXED WHERE key = ?",
            (key,),
        )
        texts = _readable(old, "SELECT text, metadata FROM texts WHERE document = ?", (key,))
        row = rows[0] if rows and _is_sound(rows[0], seen) else None
        if row is None and not texts:
            continue
        if row:
            seen.add(row[0])
        yield _Found(key, row, *(texts[0] if texts else (None, None)))


def _is_sound(row: tuple[Any, ...], seen: set[Any]) -> bool:
    document_id, version, source, *_ = row
    return isinstance(document_id, str) and document_id not in seen and isinstance(version, int) and (
        source is None or isinstance(source, int)
    )  # fmt: skip


def _keys(old: apsw.Connection, table: str) -> range:
    """All keys that a table can have had."""
    highest = [
        _number(value)
        for sql in (f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'", f"SELECT max(key) FROM {table}")
        for (value,) in _readable(old, sql)
    ]
    return range(1, max(highest, default=0) + 1)


def _readable(old: apsw.Connection, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
    """Run a query, and give nothing where the database cannot be read."""
    with suppress(apsw.Error, UnicodeDecodeError):
        return list(old.execute(sql, bindings))
    return []


def _is_whole(document_id: str, content: object, digest: object) -> bool:
    try:
        return isinstance(content, str) and content_digest(document_id, content.encode()) == digest
    except UnicodeEncodeError:
        return False
