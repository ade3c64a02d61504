"""API keys: who may do what with which collections.

A token is shown when its key is created and never again; kept is its SHA-256 digest. Tokens have 256 random bits, so
there is nothing to guess, and no reason for a slow hash.
"""

import hmac
import json
import os
import secrets
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import apsw

from index.database import BUSY_MS, READER_PRAGMAS, check_sqlite_version, sqlite_errors
from index.durable import DISK, disk_errors
from index.home import home_folder, new_collection_folder
from lfm2_colbert.errors import CorruptionError, FormatVersionError, InvalidArgumentError

FOLDER = ".service"
"""Below the home; no collection's name begins with a dot."""
FILE = "keys.db"
TOKEN_PREFIX = "lfm2_colbert_"
"""So that a token that got into a repository is found by those who look for leaked ones."""
MAX_NAME_CHARACTERS = 64

APPLICATION_ID = 0x4C464D4B
"""'LFMK' in SQLite's header."""
FORMAT = 1
TABLES = f"""
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    collections TEXT,         -- a JSON list of names; NULL for all there are and will be
    digest BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL  -- seconds since 1970, UTC
);
PRAGMA application_id={APPLICATION_ID};
PRAGMA user_version={FORMAT};
"""
COLUMNS = "id, name, role, collections, created, digest"

Identity = tuple[int, int]
"""Device and inode: another file under the name has another one, as long as the first is held open."""


class Role(StrEnum):
    """What a key may do; each role may do what the one before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def covers(self, other: "Role") -> bool:
        """Say whether whoever has this role may do what `other` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its token.

    Attributes:
        id: what it is revoked by.
        name: for people; two keys may have the same, as while one takes over from the other.
        role: what may be done with it.
        collections: names of those that may be known to exist; None: all there are and will be.
        created: in UTC, to the second.
    """

    id: str
    name: str
    role: Role
    collections: tuple[str, ...] | None
    created: datetime

    def may_see(self, collection: str) -> bool:
        """Say whether a collection of this name exists for the holder of the key."""
        return self.collections is None or collection in self.collections


class Keyring:
    """The keys of a home. What another process creates or revokes holds from the next question on.

    Any number of threads may ask. While no key was ever created, there is no file.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        """Read nothing yet; `home` as in `index.home.home_folder`."""
        self._path = home_folder(home) / FOLDER / FILE
        self._lock = threading.Lock()
        self._reader: _Reader | None = None

    @property
    def is_in_use(self) -> bool:
        """Whether a key was ever made: when the last one is revoked, nobody gets in, rather than everybody."""
        return bool(self._entries()) or (self._reader is not None and self._reader.is_made)

    def all(self) -> list[Key]:
        """Give all keys, the oldest first."""
        return [entry.key for entry in self._entries()]

    def create(self, name: str, role: Role, collections: Sequence[str] | None = None) -> tuple[Key, str]:
        """Make a key, durable when this returns, and give it with its token, which cannot be had again.

        Args:
            name: 1 to 64 characters, none of them a control character.
            role: what may be done with it.
            collections: names of those that may be seen, which need not exist yet; None for all.

        Raises:
            InvalidArgumentError: of the name or a collection's, or there is no collection in the list.
            StorageError: the key did not reach the disk.
        """
        home, created = self._path.parent.parent, datetime.now(UTC).replace(microsecond=0)
        key = Key(secrets.token_hex(6), _name(name), role, _scope(home, collections), created)
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        self._make_file()
        scope = None if key.collections is None else json.dumps(key.collections)
        row = (key.id, key.name, str(key.role), scope, int(key.created.timestamp()), _digest(token.encode()))
        with self._writing() as connection:
            connection.execute(f"INSERT INTO keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)
        return key, token

    def revoke(self, key_id: str) -> bool:
        """Let a key open nothing any more; False if there is none of this id."""
        if key_id not in {entry.key.id for entry in self._entries()}:
            return False
        with self._writing() as connection:
            return bool(list(connection.execute("DELETE FROM keys WHERE id = ? RETURNING id", (key_id,))))

    def authenticate(self, token: bytes) -> Key | None:
        """Give the key of a token, whatever bytes were sent; None if it is nobody's.

        How long this takes tells nothing about the keys but their number.

        Raises:
            CorruptionError: the keys cannot be read, so nobody may be let in.
        """
        digest = _digest(token)
        found = None
        for entry in self._entries():  # to the end, also behind the one that matches
            if hmac.compare_digest(digest, entry.digest):
                found = entry.key
        return found

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _entries(self) -> "tuple[_Entry, ...]":
        with self._lock, disk_errors(self._path), _errors(self._path):
            identity = _identity(self._path)
            if self._reader is not None and self._reader.identity != identity:
                self._let_go()
            if self._reader is None and identity is not None:
                self._reader = _Reader(self._path, identity)
            return self._reader.entries() if self._reader is not None else ()

    def _make_file(self) -> None:
        """Make an empty file that is its owner's alone; SQLite would leave its mode to the umask."""
        folder = self._path.parent
        with disk_errors(self._path):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            try:
                descriptor = DISK.create(self._path)
            except FileExistsError:
                return  # and not opened: closing it would release the locks that SQLite has for this process
            os.close(descriptor)
            for each in (folder, folder.parent):
                DISK.sync_folder(each)

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        """Commit what the block does; a connection that is closed before forgets it."""
        with _errors(self._path), closing(_connect(self._path)) as connection:
            connection.execute("PRAGMA synchronous=EXTRA")  # a revoked key stays revoked, whatever happens to the power
            connection.execute("BEGIN IMMEDIATE")
            if not _is_made(self._path, connection):
                connection.execute(TABLES)
            yield connection
            connection.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key and the digest of its token, 32 bytes."""

    key: Key
    digest: bytes


class _Reader:
    """An open file of keys, which are read again when somebody has committed."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.identity = identity
        self._path, self._connection = path, _connect(path)
        self._version: int | None = None
        self._entries: tuple[_Entry, ...] = ()
        self.is_made = False

    def entries(self) -> tuple[_Entry, ...]:
        # Before the rows: what is committed between the two is seen the next time.
        version = self._connection.pragma("data_version")
        if version != self._version:
            self._entries = self._read()
            self._version = version
        return self._entries

    def close(self) -> None:
        self._connection.close()

    def _read(self) -> tuple[_Entry, ...]:
        self.is_made = _is_made(self._path, self._connection)
        if not self.is_made:
            return ()
        rows = self._connection.execute(f"SELECT {COLUMNS} FROM keys ORDER BY rowid")
        return tuple(_entry(self._path, *row) for row in rows)


def _connect(path: Path) -> apsw.Connection:
    """Open a file that is there; with the right to write, because a commit that was cut short has to be undone."""
    check_sqlite_version(apsw.sqlite_lib_version())
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_MS)
    for pragma in READER_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _is_made(path: Path, connection: apsw.Connection) -> bool:
    """Whether the tables are there: between its creation and the first commit the file is empty."""
    application, found = connection.pragma("application_id"), connection.pragma("user_version")
    if (application, found) == (0, 0):
        return False
    if application != APPLICATION_ID:
        raise FormatVersionError(f"{path} holds no keys of this program", help="choose another --home")
    if found != FORMAT:
        raise FormatVersionError(f"{path} has format {found}, this program reads {FORMAT}", help="upgrade lfm2-colbert")
    return True


def _entry(path: Path, id: str, name: str, role: str, scope: str | None, created: int, digest: bytes) -> _Entry:
    try:
        collections = None if scope is None else tuple(json.loads(scope))
        return _Entry(Key(id, name, Role(role), collections, datetime.fromtimestamp(created, UTC)), digest)
    except (TypeError, ValueError) as error:
        raise CorruptionError(f"{path}: the key '{id}' is damaged") from error


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into ours; the way out of damage is another than that of a collection."""
    try:
        with sqlite_errors(path):
            yield
    except CorruptionError as error:
        raise CorruptionError(error.message, help=f"remove {path} and create the keys anew") from error


def _identity(path: Path) -> Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116  asked at every request
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()


def _name(name: str) -> str:
    is_plain = all(unicodedata.category(each) not in ("Cc", "Cs") for each in name)
    if not is_plain or not 1 <= len(name.strip()) <= MAX_NAME_CHARACTERS:
        raise InvalidArgumentError(
            f"a key's name has 1 to {MAX_NAME_CHARACTERS} characters and no control characters",
            help="name who will use it",
        )
    return name.strip()


def _scope(home: Path, collections: Sequence[str] | None) -> tuple[str, ...] | None:
    if collections is None:
        return None
    if not collections:
        raise InvalidArgumentError("a key that may see no collection opens nothing", help="name at least one, or None")
    for name in collections:
        new_collection_folder(home, name)  # raises where no collection can have the name
    return tuple(dict.fromkeys(collections))
