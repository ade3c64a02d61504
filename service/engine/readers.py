"""Collections open for reading: several readers each, so that threads may search one of them at once.

A collection that another process wrote is read in its new state by the next search, without anything here. One that was
deleted, replaced or rebuilt by another process is opened anew.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from index.collection import Collection
from index.home import STORE_FILE, collection_folder
from index.recall_file import Estimate
from lfm2_colbert.errors import ModelMismatchError

OPEN_COLLECTIONS = 64


@dataclass(slots=True)
class _Reader:
    """One open collection, for one thread at a time."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    collection: Collection | None = None
    identity: tuple[int, int] = (0, 0)

    def close(self) -> None:
        if self.collection is not None:
            self.collection.close()
            self.collection = None


class Readers:
    """Lends open collections; threads may share it."""

    def __init__(self, home: Path | None, n_readers: int, opened: Callable[[str], Collection]) -> None:
        """Open nothing yet.

        Args:
            home: where collections live.
            n_readers: of one collection: so many threads may search it at once.
            opened: opens a collection by its name.
        """
        self._home, self._n_readers, self._opened_anew = home, n_readers, opened
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._readers: OrderedDict[str, list[_Reader]] = OrderedDict()

    def require(self, name: str) -> Path:
        """Give the folder of a collection.

        Raises:
            NotFoundError: there is none.
        """
        folder = self._folders.get(name)
        if folder is None or not os.path.isfile(f"{folder}/{STORE_FILE}"):  # noqa: PTH113 - asked often
            folder = self._folders[name] = collection_folder(self._home, name)
        return folder

    @contextmanager
    def reader(self, name: str, wanted: int | None = None) -> Iterator[tuple[Collection, int]]:
        """Lend a collection for reading, with the number of the reader.

        Args:
            name: the collection.
            wanted: this reader and no other: it holds the state that a cursor goes on in.

        Raises:
            NotFoundError: there is no such collection.
        """
        folder = self.require(name)
        number, reader = self._free_reader(name, wanted)
        try:
            yield self._opened(name, folder, reader), number
        except ModelMismatchError:  # rebuilt by another process: the next one opens it anew
            reader.close()
            raise
        finally:
            reader.lock.release()

    def warm_up(self, name: str) -> None:
        """Open a collection, and map what searches read first."""
        with self.reader(name) as (collection, _):
            collection.warm_up()

    def live_recall(self, name: str) -> list[Estimate]:
        """Give what each reader knows of how much of what exact search finds real queries got."""
        readers = [reader.collection for reader in self._readers.get(name, []) if reader.collection is not None]
        return [found for found in (each.live_recall(wait=False) for each in readers) if found]

    def drop(self, name: str) -> None:
        """Close a collection; searches that run end in peace."""
        with self._lock:
            readers = self._readers.pop(name, [])
        _close(readers)

    def close(self) -> None:
        """Close all collections."""
        with self._lock:
            readers = list(self._readers.values())
            self._readers.clear()
        for own in readers:
            _close(own)

    def _free_reader(self, name: str, wanted: int | None) -> tuple[int, _Reader]:
        """Lock a reader; there are as many as threads that search, so one is free unless a cursor wants another."""
        readers = self._readers_of(name)
        if wanted is not None and wanted < len(readers):
            readers[wanted].lock.acquire()
            return wanted, readers[wanted]
        for number, reader in enumerate(readers):
            if reader.lock.acquire(blocking=False):
                return number, reader
        readers[0].lock.acquire()
        return 0, readers[0]

    def _readers_of(self, name: str) -> list[_Reader]:
        with self._lock:
            readers = self._readers.setdefault(name, [])
            while len(readers) < self._n_readers:
                readers.append(_Reader())
            self._readers.move_to_end(name)
            dropped = [self._readers.popitem(last=False)[1] for _ in range(len(self._readers) - OPEN_COLLECTIONS)]
        for own in dropped:
            _close(own)
        return readers

    def _opened(self, name: str, folder: Path, reader: _Reader) -> Collection:
        status = os.stat(f"{folder}/{STORE_FILE}")  # noqa: PTH116 - each search pays for it
        identity = (status.st_dev, status.st_ino)
        if reader.collection is None or reader.identity != identity:
            reader.close()
            reader.collection, reader.identity = self._opened_anew(name), identity
        return reader.collection


def _close(readers: list[_Reader]) -> None:
    for reader in readers:
        with reader.lock, suppress(OSError):
            reader.close()
