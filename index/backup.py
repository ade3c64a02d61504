"""A copy of a collection as one commit left it, made while others search and write; and the way back.

A backup is a folder: ``store.db``, the files it names, and ``MANIFEST.json`` with the SHA-256 of each. It appears under
its name when all of it is durable; what an interrupted backup leaves behind is no backup.
"""

import hashlib
import json
import shutil
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import apsw

from index.database import MARK_FILE, sqlite_errors, write_mark
from index.durable import DISK, disk_errors
from index.home import STORE_FILE
from index.schema import FORMAT
from index.store import SEGMENTS_FOLDER, Store
from index.verify import verify
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import (
    AlreadyExistsError,
    CorruptionError,
    FormatVersionError,
    InvalidConfigError,
    NotFoundError,
    StorageError,
)

MANIFEST = "MANIFEST.json"
MANIFEST_VERSION = 1
ATTEMPTS = 10
MAX_MANIFEST_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds.

    Attributes:
        version: of this file.
        format: of the store.
        collection: its name when it was backed up.
        txid: the transaction it stands for.
        documents: it holds.
        files: SHA-256 and size of each, by path below the backup.
    """

    version: int
    format: int
    collection: str
    txid: int
    documents: int
    files: dict[str, list[str]]


def backup(folder: Path, destination: Path) -> Manifest:
    """Copy a collection's present state to a folder that does not exist yet.

    Raises:
        AlreadyExistsError: there is something at the destination.
        StorageError: it could not be written; nothing lies under its name.
        CorruptionError: a file of the collection is missing.
    """
    if destination.exists():
        raise AlreadyExistsError(f"{destination} exists already", help="choose another folder")
    growing = destination.with_name(f"{destination.name}.partial")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            manifest = _copy(folder, growing)
            break
        except CorruptionError:
            if attempt == ATTEMPTS or not _changed(folder, growing):  # else a merge replaced files meanwhile
                raise
    with disk_errors(destination):
        growing.rename(destination)
        DISK.sync_folder(destination.absolute().parent)
    return manifest


def restore(source: Path, folder: Path) -> Manifest:
    """Put a backup in a place where there is no collection.

    Raises:
        NotFoundError: the source is no backup.
        AlreadyExistsError: there is a collection already.
        CorruptionError: a file of the backup differs from what was backed up; nothing was put in place.
    """
    manifest = read_manifest(source)
    if folder.exists() and any(folder.iterdir()):
        raise AlreadyExistsError(
            f"{folder} is not empty", help="restore under another name, or delete that collection first"
        )
    growing = folder.with_name(f".{folder.name}.restoring")
    with disk_errors(folder):
        shutil.rmtree(growing, ignore_errors=True)
        (growing / SEGMENTS_FOLDER).mkdir(mode=0o700, parents=True)
        for name, (digest, _) in manifest.files.items():
            if _copied(source / name, growing / name) != digest:
                raise CorruptionError(f"{source / name} differs from what was backed up", help="use another backup")
        write_mark(growing / MARK_FILE, manifest.txid)
        DISK.sync_tree(growing)
    _require_whole(growing)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        growing.rename(folder)
        DISK.sync_folder(folder.parent)
    return manifest


def read_manifest(source: Path) -> Manifest:
    """Read what a backup says that it holds, trusting no path that leads out of it.

    Raises:
        NotFoundError: there is no manifest.
        FormatVersionError: a newer program made the backup.
        CorruptionError: the manifest cannot be read.
    """
    path = source / MANIFEST
    if not path.is_file():
        raise NotFoundError(f"{source} is no backup: it has no {MANIFEST}", help="name the folder `backup` made")
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("it is too large")
        stored = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(stored, dict) and stored.get("version", 0) > MANIFEST_VERSION:
            raise FormatVersionError(f"{source} was made by a newer version", help="upgrade lfm2-colbert")
        manifest = from_mapping(Manifest, stored)
    except (ValueError, RecursionError, InvalidConfigError) as error:
        raise CorruptionError(f"{path} cannot be read: {error}", help="use another backup") from error
    if manifest.format > FORMAT:
        raise FormatVersionError(
            f"{source} has format {manifest.format}, this program reads up to {FORMAT}", help="upgrade lfm2-colbert"
        )
    for name, facts in manifest.files.items():
        if not _is_plain(name) or len(facts) != 2 or not all(isinstance(fact, str) for fact in facts):
            raise CorruptionError(f"{path} names '{name}', which no backup holds", help="use another backup")
    return manifest


def _is_plain(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name == STORE_FILE or (len(parts) == 2 and parts[0] == SEGMENTS_FOLDER and parts[1] not in (".", ".."))


def _copy(folder: Path, growing: Path) -> Manifest:
    """Copy the database as one transaction left it, then the files which that state names."""
    with disk_errors(growing):
        shutil.rmtree(growing, ignore_errors=True)
        (growing / SEGMENTS_FOLDER).mkdir(mode=0o700, parents=True)
    _copy_database(folder / STORE_FILE, growing / STORE_FILE)
    with Store.open(growing, writable=False) as state:
        names = sorted(state.published_files())
        txid, documents = state.changes(), state.n_rows("documents")
    files = {STORE_FILE: _facts(growing / STORE_FILE, _digest(growing / STORE_FILE))}
    for name in names:
        relative = f"{SEGMENTS_FOLDER}/{name}"
        files[relative] = _facts(growing / relative, _copied(folder / relative, growing / relative))
    manifest = Manifest(MANIFEST_VERSION, FORMAT, folder.name, txid, documents, files)
    with disk_errors(growing):
        content = json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n"
        (growing / MANIFEST).write_text(content, encoding="utf-8")
        write_mark(growing / MARK_FILE, txid)
        DISK.sync_tree(growing)
    return manifest


def _copy_database(path: Path, target: Path) -> None:
    with (
        sqlite_errors(path),
        closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as source,
        closing(apsw.Connection(str(target))) as copy,
    ):
        source.set_busy_timeout(5000)
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(-1)  # all pages in one step: one state, whatever the writer does meanwhile
        copy.execute("PRAGMA journal_mode=DELETE")  # a single file


def _copied(path: Path, target: Path) -> str:
    """Copy a file and give the SHA-256 of the copy."""
    if path.is_symlink():
        raise CorruptionError(f"{path} is a link, not a file", help="use another backup")
    try:
        with disk_errors(path):
            shutil.copyfile(path, target, follow_symlinks=False)
            target.chmod(0o600)
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise CorruptionError(f"{path} is missing", help="run `lfm2-colbert verify`") from error
        raise
    return _digest(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: Path, digest: str) -> list[str]:
    return [digest, str(path.stat().st_size)]


def _changed(folder: Path, growing: Path) -> bool:
    with Store.open(folder, writable=False) as now, Store.open(growing, writable=False) as then:
        return now.changes() != then.changes()


def _require_whole(folder: Path) -> None:
    damage = verify(folder).damage
    if damage:
        raise CorruptionError(f"the backup is damaged: {damage[0].message}", help="use another backup")
