"""A new database out of what a damaged one still gives: whole documents, the files they came from, and the settings.

Vectors are not carried over. They are a function of the texts, so the documents wait to be encoded again.
"""

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from index.database import FUNCTIONS, MARK_FILE, create_database, keep_sequence, read_mark
from index.digests import content_digest
from index.durable import DISK, Disk
from index.filters.stored import insert_values
from index.home import STORE_FILE
from index.records import FRAME, SETTINGS
from index.state import StoredState
from lfm2_colbert.errors import CorruptionError

NO_METADATA = "{}"
KEPT_NOTES = (SETTINGS, FRAME)
"""What was measured is measured again."""


@dataclass(slots=True)
class Salvage:
    """What came out.

    Attributes:
        kept: documents that were whole.
        restored: ids of documents that were taken from the backup.
        without_metadata: ids of documents whose text was whole and whose metadata was not.
        lost: ids of documents that are gone; "key 17" where not even the id could be read.
    """

    kept: int = 0
    restored: list[str] = field(default_factory=list)
    without_metadata: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A row of `documents` with its text, as far as they could be read."""

    key: int
    row: tuple[Any, ...] | None
    text: str | None
    metadata: str | None

    @property
    def id(self) -> str:
        return str(self.row[0]) if self.row else f"key {self.key}"

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
    with closing(apsw.Connection(str(folder / STORE_FILE), flags=apsw.SQLITE_OPEN_READONLY)) as old:
        for name, function in FUNCTIONS.items():
            old.create_scalar_function(name, function)
        notes = _notes(old, backup)
        result = Salvage()
        numbers = _next_numbers(folder, old)

        def fill(new: apsw.Connection) -> None:
            for counter, value in numbers.items():
                new.execute("UPDATE meta SET v = ? WHERE k = ?", (value, counter))
            _copy_sources(old, new)
            for found in _documents(old):
                _take(new, found, backup, result)
            for table in ("documents", "sources"):
                with suppress(apsw.Error):  # unreadable too: then the highest key that was found is the last one
                    keep_sequence(old, new, table)

        create_database(folder, notes, disk, fill)
    return result


def _take(new: apsw.Connection, found: _Found, backup: StoredState | None, result: Salvage) -> None:
    text, metadata, metadata_hash = found.text, found.metadata, found.row[4] if found.row else None
    other = backup.document(found.id) if backup and not (found.text_is_whole() and found.metadata_is_whole()) else None
    if not found.text_is_whole():
        if other is None:
            result.lost.append(found.id)
            return
        text = other.text
    if not found.metadata_is_whole():
        metadata = NO_METADATA if other is None else json.dumps(other.metadata, ensure_ascii=False)
        metadata_hash = content_digest(found.id, metadata.encode())
        (result.without_metadata if other is None else result.restored).append(found.id)
    elif other is not None:
        result.restored.append(found.id)
    _insert(new, found, str(text), str(metadata), metadata_hash)
    result.kept += 1


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


def _notes(old: apsw.Connection, backup: StoredState | None) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    for name in KEPT_NOTES:
        (row,) = _readable(old, "SELECT value FROM notes WHERE name = ?", (name,)) or [None]
        with suppress(ValueError, TypeError):
            notes[name] = json.loads(row[0]) if row else None
        if notes.get(name) is None and backup is not None:
            notes[name] = backup.note(name)
    if not isinstance(notes.get(SETTINGS), dict):
        raise CorruptionError("the collection's settings cannot be read", help="restore a backup")
    return {name: value for name, value in notes.items() if value is not None}


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
