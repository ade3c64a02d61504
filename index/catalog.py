"""Whole collections: which there are, and how one is renamed or removed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from index.durable import DISK, disk_errors
from index.home import collection_folder, is_collection, list_collections, new_collection_folder
from index.lock import WriterLock
from index.records import Summary as Summary
from index.store import Store
from lfm2_colbert.errors import AlreadyExistsError


def summaries(home: str | Path | None = None) -> Iterator[Summary]:
    """Give all collections in the order of their names."""
    for name in list_collections(home):
        yield summary(home, name)


def summary(home: str | Path | None, name: str) -> Summary:
    """Describe a collection.

    Raises:
        NotFoundError: there is none of this name.
    """
    with Store.open(collection_folder(home, name), writable=False) as store:
        counts = store.counts()
        return Summary(name, counts.documents, counts.bytes, store.settings.encoder)


def remove(folder: Path) -> None:
    """Remove a collection that nobody writes.

    Raises:
        IndexLockedError: another process writes it.
    """
    lock = WriterLock(folder)
    try:
        with disk_errors(folder):
            # Renamed first: half-removed, it must not look like a collection.
            going = folder.with_name(f".{folder.name}.deleted")
            folder.rename(going)
            shutil.rmtree(going)
    finally:
        lock.release()


def rename(home: str | Path | None, name: str, new_name: str) -> None:
    """Give a collection that nobody writes another name.

    Raises:
        NotFoundError: there is no collection of the old name.
        AlreadyExistsError: there is one of the new name.
        IndexLockedError: another process writes it.
    """
    folder, new_folder = collection_folder(home, name), new_collection_folder(home, new_name)
    if is_collection(new_folder):
        raise AlreadyExistsError(f"there is a collection '{new_name}' already", help="choose another name")
    lock = WriterLock(folder)
    try:
        with disk_errors(folder):
            folder.rename(new_folder)
            DISK.sync_folder(new_folder.parent)
    finally:
        lock.release()
