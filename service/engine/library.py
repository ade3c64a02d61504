"""All collections of a home, open as long as they are used: several readers each, and at most one writer.

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

from index.catalog import remove
from index.collection import Collection
from index.home import STORE_FILE, collection_folder, is_collection, list_collections, new_collection_folder
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder, resolve
from lfm2_colbert.errors import AlreadyExistsError, ModelMismatchError
from service.engine.encoding import RememberingEncoder
from service.engine.jobs import Jobs
from service.engine.writer import Writer

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


class Library:
    """Hands out collections; threads may share it."""

    def __init__(self, home: Path | None, model: str, *, readers: int, encoder_threads: int, device: str) -> None:
        """Open nothing yet.

        Args:
            home: where collections live.
            model: encoder of new collections.
            readers: of one collection: so many threads may search it at once.
            encoder_threads: of a forward pass.
            device: of encoders.
        """
        self.home, self.model, self.jobs = home, model, Jobs()
        self._n_readers, self._encoder_threads, self._device = readers, encoder_threads, device
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._readers: OrderedDict[str, list[_Reader]] = OrderedDict()
        self._writers: dict[str, Writer] = {}
        self._encoders: dict[str, RememberingEncoder] = {}
        self._encoder_names: dict[str, str] = {}
        self._loading = threading.Lock()

    def names(self) -> list[str]:
        """List all collections."""
        return list_collections(self.home)

    def require(self, name: str) -> Path:
        """Give the folder of a collection.

        Raises:
            NotFoundError: there is none.
        """
        folder = self._folders.get(name)
        if folder is None or not os.path.isfile(f"{folder}/{STORE_FILE}"):  # noqa: PTH113 - asked often
            folder = self._folders[name] = collection_folder(self.home, name)
        return folder

    def create(self, name: str, codec: str | None, pool: int | None) -> None:
        """Make a collection with the encoder that the operator chose.

        Raises:
            AlreadyExistsError: there is one of this name.
        """
        with self._lock:
            if is_collection(new_collection_folder(self.home, name)):
                raise AlreadyExistsError("there is a collection of this name", help="choose another name")
            Collection.open(
                name, create=True, encoder=self.encoder(self.model), codec=codec, pool=pool, home=self.home
            ).close()

    def remove(self, name: str) -> None:
        """Delete a collection with all its documents; searches that run end in peace."""
        folder = self.require(name)
        with self._lock:
            writer, readers = self._writers.pop(name, None), self._readers.pop(name, [])
        if writer is not None:
            writer.stop()
        _close(readers)
        remove(folder)

    def encoder(self, name: str) -> RememberingEncoder:
        """Give a loaded encoder by the name that the operator or a collection has for it."""
        full = resolve(name).name
        with self._loading:
            if full not in self._encoders:
                loaded = load_encoder(full, device=self._device, threads=self._encoder_threads)
                self._encoders[full] = RememberingEncoder(loaded)
            return self._encoders[full]

    def loaded_encoders(self) -> list[str]:
        """Name the encoders that are in memory."""
        return sorted(self._encoders)

    def encoder_of(self, name: str) -> RememberingEncoder:
        """Give the encoder of a collection.

        Raises:
            NotFoundError: there is no such collection.
        """
        if name not in self._encoder_names:
            with self.reader(name):
                pass
        return self.encoder(self._encoder_names[name])

    def knows_encoder_of(self, name: str) -> bool:
        """Whether `encoder_of` answers at once."""
        return self._encoder_names.get(name) in self._encoders

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

    def live_recall(self, name: str) -> float | None:
        """Give the share of what exact search finds that real queries got here, where some were asked again."""
        readers = [reader.collection for reader in self._readers.get(name, []) if reader.collection is not None]
        known = [found for found in (each.live_recall(wait=False) for each in readers) if found]
        n_queries = sum(each.queries for each in known)
        return sum(each.recall_at_10 * each.queries for each in known) / n_queries if n_queries else None

    def writer(self, name: str) -> Writer:
        """Give the writer of a collection.

        Raises:
            NotFoundError: there is no such collection.
        """
        self.require(name)
        with self._lock:
            if name not in self._writers:
                self._writers[name] = Writer(name, lambda before: self._open(name, before), self.jobs)
            return self._writers[name]

    def index_pending(self) -> None:
        """Have all documents encoded that wait, as after a kill."""
        for name in self.names():
            with self.reader(name) as (collection, _):
                pending = collection.counts().pending
            if pending:
                self.writer(name).index()

    def close(self) -> None:
        """Stop all writers and close everything."""
        with self._lock:
            writers, readers = list(self._writers.values()), list(self._readers.values())
            self._writers.clear()
            self._readers.clear()
        for writer in writers:
            writer.stop()
        for own in readers:
            _close(own)

    def _open(self, name: str, before: Callable[[Encoder], Encoder] = lambda encoder: encoder) -> Collection:
        """Open a collection with its own encoder, something standing before it, one thread for a search."""
        with Collection.open(name, home=self.home) as asked:
            built = self._encoder_names[name] = asked.settings.encoder
        return Collection.open(name, encoder=before(self.encoder(built)), home=self.home, threads=1)

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
            reader.collection, reader.identity = self._open(name), identity
        return reader.collection


def _close(readers: list[_Reader]) -> None:
    for reader in readers:
        with reader.lock, suppress(OSError):
            reader.close()
