"""All collections of a home, open as long as they are used: readers and at most one writer each, and the encoders."""

import threading
from collections.abc import Callable
from pathlib import Path

from index.catalog import remove
from index.collection import Collection
from index.home import is_collection, list_collections, new_collection_folder
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder, resolve
from lfm2_colbert.errors import AlreadyExistsError
from service.engine.encoding import RememberingEncoder
from service.engine.jobs import Jobs
from service.engine.readers import Readers
from service.engine.writer import Writer


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
        self._encoder_threads, self._device = encoder_threads, device
        self.readers = Readers(home, readers, self._open)
        self._lock = threading.Lock()
        self._writers: dict[str, Writer] = {}
        self._encoders: dict[str, RememberingEncoder] = {}
        self._encoder_names: dict[str, str] = {}
        self._loading = threading.Lock()

    def names(self) -> list[str]:
        """List all collections."""
        return list_collections(self.home)

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
        folder = self.readers.require(name)
        with self._lock:
            writer = self._writers.pop(name, None)
        if writer is not None:
            writer.stop()
        self.readers.drop(name)
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
            with Collection.open(name, home=self.home) as asked:
                self._encoder_names[name] = asked.settings.encoder
        return self.encoder(self._encoder_names[name])

    def knows_encoder_of(self, name: str) -> bool:
        """Whether `encoder_of` answers at once."""
        return self._encoder_names.get(name) in self._encoders

    def forget_encoder_of(self, name: str) -> None:
        """Look again which encoder a collection has: another process may have rebuilt it."""
        self._encoder_names.pop(name, None)

    def writer(self, name: str) -> Writer:
        """Give the writer of a collection.

        Raises:
            NotFoundError: there is no such collection.
        """
        self.readers.require(name)
        with self._lock:
            if name not in self._writers:
                self._writers[name] = Writer(name, lambda before: self._open(name, before), self.jobs)
            return self._writers[name]

    def index_pending(self) -> None:
        """Have all documents encoded that wait, as after a kill."""
        for name in self.names():
            with self.readers.reader(name) as (collection, _):
                pending = collection.counts().pending
            if pending:
                self.writer(name).index()

    def close(self) -> None:
        """Stop all writers and close everything."""
        with self._lock:
            writers = list(self._writers.values())
            self._writers.clear()
        for writer in writers:
            writer.stop()
        self.readers.close()

    def _open(self, name: str, before: Callable[[Encoder], Encoder] = lambda encoder: encoder) -> Collection:
        """Open a collection with its own encoder, something standing before it, one thread for a search."""
        with Collection.open(name, home=self.home) as asked:
            built = self._encoder_names[name] = asked.settings.encoder
        return Collection.open(name, encoder=before(self.encoder(built)), home=self.home, threads=1)
