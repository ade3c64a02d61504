"""Stores of earlier formats, brought to today's: a new database beside the old one, and one rename.

The old database stays beside it as ``store.format-N.db``. Segment files have not changed and are left alone.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from index.database import create_database, keep_sequence, sqlite_errors
from index.digests import content_digest
from index.durable import DISK, Disk, disk_errors
from index.filters.stored import insert_values
from index.home import STORE_FILE
from index.lock import WriterLock
from index.schema import FORMAT
from lfm2_colbert.errors import FormatVersionError

USER_VERSION = slice(60, 64)
"""Where SQLite's header keeps it."""


TABLES_OF_2 = (
    *("segments", "codebooks", "lists", "words", "passages", "fields", "field_values", "dead"),
    *("staged_segments", "staged_words", "staged_documents", "staged_passages"),
)
"""Tables of format 2 that are as they were, besides documents and what these belong to; later ones refer to earlier."""


def stored_format(folder: Path) -> int:
    """Read the format of a store without opening it; 0 where there is no header."""
    with disk_errors(folder), (folder / STORE_FILE).open("rb") as file:
        return int.from_bytes(file.read(100)[USER_VERSION], "big")


def upgrade(folder: Path, disk: Disk = DISK) -> None:
    """Bring a store to today's format, if it has an earlier one.

    Raises:
        IndexLockedError: another process writes it.
        FormatVersionError: no step leads from its format.
    """
    if not 0 < stored_format(folder) < FORMAT:
        return
    lock = WriterLock(folder)
    try:
        found = stored_format(folder)
        if found not in STEPS:
            raise FormatVersionError(f"{folder} has format {found}, which this program cannot read", help="index again")
        STEPS[found](folder, disk)
    finally:
        lock.release()


def _from_1(folder: Path, disk: Disk) -> None:
    """Format 1 had one hash for text and metadata, no sums, no tombstones, and the notes among the counters."""
    with _kept(folder, 1, disk) as old:
        meta = dict(old.execute("SELECT k, v FROM meta"))
        notes = {name.removeprefix("note:"): json.loads(value) for name, value in meta.items() if _is_note(name)}
        create_database(folder, notes, disk, lambda new: _fill_from_1(old, new, meta))


def _from_2(folder: Path, disk: Disk) -> None:
    """Format 2 had no anchors, and one failure a file."""
    with _kept(folder, 2, disk) as old:
        notes = {name: json.loads(value) for name, value in old.execute("SELECT name, value FROM notes")}
        create_database(folder, notes, disk, lambda new: _fill_from_2(old, new))


@contextmanager
def _kept(folder: Path, number: int, disk: Disk) -> Iterator[apsw.Connection]:
    """Keep a copy of the old database under its own name, and read the original."""
    path = folder / STORE_FILE
    with sqlite_errors(path), closing(apsw.Connection(str(path))) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with disk_errors(path):
        shutil.copyfile(path, folder / f"store.format-{number}.db")
        disk.sync_folder(folder)
    with sqlite_errors(path), closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as old:
        yield old


def _fill_from_2(old: apsw.Connection, new: apsw.Connection) -> None:
    for table in ("roots", "sources", "documents", "texts", *TABLES_OF_2):
        _copy(old, new, table)
    _keep_counters(new, dict(old.execute("SELECT k, v FROM meta")))
    for table in ("documents", "sources"):
        keep_sequence(old, new, table)


def _is_note(name: str) -> bool:
    return name == "settings" or name.startswith("note:")


def _fill_from_1(old: apsw.Connection, new: apsw.Connection, meta: dict[str, object]) -> None:
    for table in ("roots", "sources"):
        _copy(old, new, table)
    documents = old.execute(
        "SELECT key, id, version, source, text, metadata, pending, characters "
        "FROM documents JOIN texts ON document = key"
    )
    for key, document_id, version, source, text, metadata, pending, characters in documents:
        hashes = [content_digest(document_id, content.encode()) for content in (text, metadata)]
        new.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, document_id, version, source, *hashes, pending, characters),
        )
        new.execute("INSERT INTO texts VALUES (?, ?, ?)", (key, text, metadata))
        insert_values(new.executemany, key, metadata)
    for table in ("segments", "codebooks", "lists", "passages"):
        _copy(old, new, table)
    _keep_counters(new, meta)
    for table in ("documents", "sources"):
        keep_sequence(old, new, table)
    _bury(old, new)


def _keep_counters(new: apsw.Connection, meta: Mapping[str, object]) -> None:
    for counter in ("txid", "next_segment", "next_codebook"):
        new.execute("UPDATE meta SET v = ? WHERE k = ?", (meta[counter], counter))


def _copy(old: apsw.Connection, new: apsw.Connection, table: str) -> None:
    n_columns = len(list(old.execute(f"PRAGMA table_info({table})")))
    new.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * n_columns)})", old.execute(f"SELECT * FROM {table}"))


def _bury(old: apsw.Connection, new: apsw.Connection) -> None:
    """Rows that no passage points to were dead without being named so."""
    for number, n_passages in old.execute("SELECT number, n_passages FROM segments"):
        alive = {row for (row,) in old.execute("SELECT row FROM passages WHERE segment = ?", (number,))}
        dead = [(number, row) for row in range(n_passages) if row not in alive]
        new.executemany("INSERT INTO dead VALUES (?, ?, 0)", dead)


STEPS: dict[int, Callable[[Path, Disk], None]] = {1: _from_1, 2: _from_2}
"""From each earlier format to today's."""
