"""SQLite as the only commit point: how it is opened, how a transaction ends, what its errors mean.

Transactions are explicit and checked at both ends, because SQLite may roll back by itself on a full or failing disk; a
library that does not look would go on and acknowledge writes that are never committed.
"""

import json
import struct
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import xxhash

from index.digests import content_digest, row_hash, sum_of
from index.durable import DISK, Disk, disk_errors
from index.home import STORE_FILE
from index.schema import APPLICATION_ID, FIRST_META, FORMAT, GUARDED, hash_of, statements
from lfm2_colbert.errors import (
    CorruptionError,
    DocumentTooLargeError,
    FormatVersionError,
    IndexLockedError,
    InvalidArgumentError,
    Lfm2ColbertError,
    OutdatedLibraryError,
    PermissionDeniedError,
    StorageError,
)

SQLITE_FLOOR = (3, 53, 2)
"""Older ones corrupt a write-ahead log that is reset at the wrong moment, or overflow in full-text search."""

REBUILD = "run `lfm2-colbert verify`: it says what is damaged and how `repair` would mend it"
"""The way out of damage."""

BUSY_MS = 5000
MARK_FILE = "HWM"
MARK = struct.Struct("<QQ")
"""Number of the last acknowledged transaction and its xxh3_64. Written after each commit and not synced: after a power
cut it may be older than the store, never newer."""

FAILED_SYNCS = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)

LIMITS = {
    apsw.SQLITE_LIMIT_LENGTH: 80 * 1024 * 1024,  # the largest document with its metadata, and room
    apsw.SQLITE_LIMIT_SQL_LENGTH: 1024 * 1024,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 2000,
}
READER_PRAGMAS = ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "foreign_keys=ON")
WRITER_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000", *READER_PRAGMAS)

FUNCTIONS: dict[str, Callable[..., Any]] = {"row_hash": row_hash, "content_digest": content_digest}
"""What the tables' triggers and our queries call; no other program can change a store without them."""

Row = tuple[Any, ...]


Fill = Callable[[apsw.Connection], None]


def _leave_empty(connection: apsw.Connection) -> None:
    """Put nothing in."""


class Meaning(NamedTuple):
    """What an error of SQLite is to a person."""

    foreign: type[apsw.Error]
    ours: type[Lfm2ColbertError]
    sentence: str
    help: str


MEANINGS = (
    Meaning(apsw.BusyError, IndexLockedError, "another process is using it", "wait until it is done, then run again"),
    Meaning(apsw.FullError, StorageError, "the disk is full", "free space, then run again"),
    Meaning(apsw.IOError, StorageError, "reading or writing failed", "check the disk, then run again"),
    Meaning(apsw.CantOpenError, StorageError, "it cannot be opened", "check the folder and its rights"),
    Meaning(apsw.ReadOnlyError, PermissionDeniedError, "it may not be written", "check who owns the folder"),
    Meaning(apsw.CorruptError, CorruptionError, "the database is damaged", REBUILD),
    Meaning(apsw.NotADBError, CorruptionError, "it is no database any more", REBUILD),
    Meaning(apsw.TooBigError, DocumentTooLargeError, "a value is too large to store", "split the document"),
    Meaning(apsw.ConstraintError, InvalidArgumentError, "the write contradicts what is stored", "read the state again"),
    Meaning(apsw.ConnectionClosedError, StorageError, "the store is closed", "open it again"),
)


class Database:
    """One connection to a store. A writer's is the only one that commits or checkpoints; the caller holds the lock."""

    def __init__(self, folder: Path, *, writable: bool, disk: Disk = DISK) -> None:
        """Open and check ``folder/store.db``.

        Args:
            folder: of the collection.
            writable: whether this connection may commit.
            disk: what it is written with.

        Raises:
            CorruptionError: it is damaged, or (to a writer) older than what was acknowledged.
            FormatVersionError: it is another program's, or a newer format.
            OutdatedLibraryError: this SQLite is too old to be trusted.
        """
        check_sqlite_version(apsw.sqlite_lib_version())
        self.path = folder / STORE_FILE
        self._mark, self._disk = folder / MARK_FILE, disk
        self._writable = writable
        self._failed = self._refuses = False
        self._changes_before = 0
        with sqlite_errors(self.path):
            flags = apsw.SQLITE_OPEN_READWRITE if writable else apsw.SQLITE_OPEN_READONLY
            self._connection = apsw.Connection(str(self.path), flags=flags, vfs=disk.vfs)
        try:
            with sqlite_errors(self.path):
                _configure(self._connection, WRITER_PRAGMAS if writable else READER_PRAGMAS)
            self._check_format()
            if writable:
                self.require_acknowledged()
        except BaseException:
            self._connection.close()
            raise

    def rows(self, sql: str, bindings: Row = ()) -> list[Row]:
        """Run a query to its end."""
        with sqlite_errors(self.path):
            return list(self._connection.execute(sql, bindings))

    def row(self, sql: str, bindings: Row = ()) -> Row | None:
        """Run a query that gives one row or none."""
        return next(iter(self.rows(sql, bindings)), None)

    def value(self, sql: str, bindings: Row = ()) -> Any:
        """Run a query for its first value; None without rows."""
        found = self.row(sql, bindings)
        return found[0] if found else None

    def counter(self, name: str) -> int:
        """Read a counter.

        Raises:
            CorruptionError: it is gone.
        """
        found = self.value("SELECT v FROM meta WHERE k = ?", (name,))
        if not isinstance(found, int):
            raise CorruptionError(f"{self.path}: the counter '{name}' is lost", help=REBUILD)
        return found

    def guarded(self, table: str) -> list[Row]:
        """Read a small table whole, and compare it with its sum.

        Raises:
            CorruptionError: a row was added, lost or changed by something else than a commit.
        """
        columns = ", ".join(GUARDED[table])
        with self.snapshot():  # a commit between both would look like damage
            rows = self.rows(f"SELECT {columns}, {hash_of(table)} FROM {table}")
            expected = self.row("SELECT n, hash FROM sums WHERE name = ?", (table,))
        if expected != (len(rows), sum_of([row[-1] for row in rows])):
            raise CorruptionError(f"{self.path}: the table '{table}' differs from what was stored", help=REBUILD)
        return [row[:-1] for row in rows]

    def each(self, sql: str, bindings: Row = ()) -> Generator[Row, None, None]:
        """Walk a query row by row. The snapshot it reads stays open until the walk ends or is closed."""
        with sqlite_errors(self.path), closing(self._connection.cursor()) as cursor:
            yield from cursor.execute(sql, bindings)

    def write(self, sql: str, bindings: Row = ()) -> list[Row]:
        """Change something inside `transaction`, and give what the statement returns."""
        self._require_transaction()
        try:
            return self.rows(sql, bindings)
        except Lfm2ColbertError:
            self._failed = True  # half an operation must not be committed, even if the caller goes on
            raise

    def write_many(self, sql: str, bindings: Iterable[Row]) -> None:
        """Run one changing statement for each row, inside `transaction`."""
        self._require_transaction()
        try:
            with sqlite_errors(self.path):
                self._connection.executemany(sql, bindings)
        except Lfm2ColbertError:
            self._failed = True
            raise

    @contextmanager
    def transaction(self, before_commit: Callable[[], None]) -> Iterator[None]:
        """Commit all writes of the block durably, or none of them.

        Args:
            before_commit: makes durable what the commit refers to.

        Raises:
            InvalidArgumentError: the store is open for reading, or a transaction is running.
            StorageError: the disk refused; nothing was acknowledged.
        """
        self._begin()
        try:
            yield
            before_commit()
            txid = self._commit()
        except BaseException:
            self._roll_back()
            raise
        with disk_errors(self._mark):
            write_mark(self._mark, txid, self._disk)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see one state, whatever others commit meanwhile."""
        with sqlite_errors(self.path):
            if self._connection.in_transaction:  # a writer inside its transaction sees one state anyway
                yield
                return
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._roll_back()

    def close(self) -> None:
        """Fold the write-ahead log into the database and close; a second call does nothing."""
        if self._writable:
            # What was committed is safe in the log already: readers or a full disk may keep it there.
            with suppress(apsw.Error):
                self._connection.set_busy_timeout(0)
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(apsw.Error):  # the last connection folds the log once more
            self._connection.close()

    def _begin(self) -> None:
        if not self._writable:
            raise InvalidArgumentError("the store is open for reading only", help="open it with writable=True")
        if self._refuses:
            raise StorageError(f"{self.path}: the disk failed to sync a commit", help="open the collection again")
        with sqlite_errors(self.path):
            if self._connection.in_transaction:
                raise InvalidArgumentError("a transaction is running already", help="end it first: they do not nest")
            self._connection.execute("BEGIN IMMEDIATE")
            self._failed = False
            self._changes_before = self._connection.total_changes()

    def _commit(self) -> int:
        self._require_transaction()
        if self._failed:
            raise StorageError("a write in this transaction failed", help="run it again as a whole")
        with sqlite_errors(self.path):
            changed = self._connection.total_changes() != self._changes_before
            if changed:
                self._connection.execute("UPDATE meta SET v = v + 1 WHERE k = 'txid'")
            txid = self.counter("txid")
            try:
                self._connection.execute("COMMIT")
            except apsw.IOError as error:
                # After a failed sync the kernel may have dropped pages of the log: only a new opening knows which.
                self._refuses = getattr(error, "extendedresult", FAILED_SYNCS[0]) in FAILED_SYNCS
                raise
        if self._connection.in_transaction:
            raise StorageError("the commit did not end the transaction", help="open the store again")
        return txid

    def _roll_back(self) -> None:
        """End whatever is running; a connection that cannot is closed, so that nothing is written through it."""
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
                return
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.close()

    def _require_transaction(self) -> None:
        with sqlite_errors(self.path):
            if not self._connection.in_transaction:
                raise StorageError(
                    "no transaction is running: it was not begun, or SQLite ended it", help="run it again"
                )

    def _check_format(self) -> None:
        application, found = self.value("PRAGMA application_id"), self.value("PRAGMA user_version")
        if application != APPLICATION_ID:
            raise FormatVersionError(f"{self.path} is no store of this program", help="choose another --home")
        if found != FORMAT:
            raise FormatVersionError(
                f"{self.path} has format {found}, this program reads {FORMAT}", help="upgrade lfm2-colbert"
            )
        with sqlite_errors(self.path):
            whole = _schema(self._connection) == _expected_schema()
        if not whole:
            raise CorruptionError(f"{self.path}: its tables are not those of format {FORMAT}", help=REBUILD)

    def require_acknowledged(self) -> None:
        """Refuse a store that lost acknowledged transactions, for example by damage in its log.

        Raises:
            CorruptionError: some are missing.
        """
        with disk_errors(self._mark):
            acknowledged = read_mark(self._mark)  # before the store: a writer may go on meanwhile
        found = self.counter("txid")
        if acknowledged > found:
            raise CorruptionError(
                f"{self.path}: the acknowledged transactions {found + 1}..{acknowledged} are missing",
                help="restore a backup, or accept the loss with `lfm2-colbert repair --apply --accept-loss`",
            )


def create_database(folder: Path, notes: Mapping[str, Any], disk: Disk = DISK, fill: Fill = _leave_empty) -> None:
    """Make ``folder/store.db``: whole under its name, or not there at all.

    Args:
        folder: of the collection.
        notes: JSON values to begin with.
        disk: what it is written with.
        fill: puts rows into the new tables, in the same transaction.

    Raises:
        StorageError: it could not be written.
    """
    check_sqlite_version(apsw.sqlite_lib_version())
    path, new = folder / STORE_FILE, folder / f"{STORE_FILE}.new"
    with disk_errors(path):
        for left in (new.name, f"{new.name}-journal"):  # remains of an interrupted creation
            disk.remove(folder / left)
    with sqlite_errors(path), closing(apsw.Connection(str(new), vfs=disk.vfs)) as connection:
        _configure(connection, ("synchronous=FULL", *READER_PRAGMAS))
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements():
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list(FIRST_META.items()))
        connection.executemany("INSERT INTO notes VALUES (?, ?)", [(n, json.dumps(v)) for n, v in notes.items()])
        fill(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.execute("COMMIT")
    with disk_errors(path):
        for left in (f"{path.name}-wal", f"{path.name}-shm", MARK_FILE):  # of another store: a log would be replayed
            disk.remove(folder / left)
        disk.rename(new, path)
        disk.sync_folder(folder)


def keep_sequence(old: apsw.Connection, new: apsw.Connection, table: str) -> None:
    """Never give a key of `table` again that the old database gave."""
    given = max((seq for (seq,) in old.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))), default=0)
    if not new.execute("SELECT 1 FROM sqlite_sequence WHERE name = ?", (table,)).fetchone():
        new.execute("INSERT INTO sqlite_sequence VALUES (?, 0)", (table,))
    new.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (given, table))


def accept_loss(folder: Path, disk: Disk = DISK) -> None:
    """Take the state that is there for the last one, although later transactions were acknowledged."""
    with closing(Database(folder, writable=False)) as database:
        txid = database.counter("txid")
    with disk_errors(folder):
        write_mark(folder / MARK_FILE, txid, disk)


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite about `path` into ours; those that are defects of this program pass through."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise CorruptionError(f"{path}: a text in it is no Unicode any more", help=REBUILD) from error
    except apsw.Error as error:
        for meaning in MEANINGS:
            if isinstance(error, meaning.foreign):
                raise meaning.ours(f"{path}: {meaning.sentence} ({error})", help=meaning.help) from error
        raise


def check_sqlite_version(found: str) -> None:
    """Refuse a SQLite that loses data.

    Raises:
        OutdatedLibraryError: it is older than 3.53.2.
    """
    if tuple(int(part) for part in found.split(".")) < SQLITE_FLOOR:
        raise OutdatedLibraryError(
            f"SQLite {found} has known defects that lose data", help="pip install --upgrade 'apsw>=3.53.2'"
        )


def read_mark(path: Path) -> int:
    """Read the highest acknowledged transaction; 0 where the file is missing or its checksum does not hold."""
    content = path.read_bytes() if path.exists() else b""
    if len(content) != MARK.size:
        return 0
    txid, digest = MARK.unpack(content)
    return int(txid) if digest == _digest(txid) else 0


def write_mark(path: Path, txid: int, disk: Disk = DISK) -> None:
    """Note a committed transaction."""
    disk.overwrite(path, MARK.pack(txid, _digest(txid)))


def _schema(connection: apsw.Connection) -> list[Row]:
    return list(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"))


@cache
def _expected_schema() -> list[Row]:
    """What the tables of today's format look like to SQLite: a damaged or foreign trigger must never run."""
    with closing(apsw.Connection(":memory:")) as connection:
        _configure(connection, ())
        for statement in statements():
            connection.execute(statement)
        return _schema(connection)


def has_expected_schema(path: Path) -> bool:
    """Whether a database file has the tables of today's format, as far as it can be read."""
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            return _schema(connection) == _expected_schema()
    except (apsw.Error, UnicodeDecodeError):
        return False


def _digest(txid: int) -> int:
    return xxhash.xxh3_64_intdigest(txid.to_bytes(8, "little"))


def _configure(connection: apsw.Connection, pragmas: Iterable[str]) -> None:
    connection.set_busy_timeout(BUSY_MS)
    for name, function in FUNCTIONS.items():
        connection.create_scalar_function(name, function, deterministic=True, flags=apsw.SQLITE_INNOCUOUS)
    for limit, most in LIMITS.items():
        connection.limit(limit, most)
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
