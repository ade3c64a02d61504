"""The public face of the index: documents in, hits out; the one place where encoder, store and search meet."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from index.built import mismatch, opened, settings_of
from index.calibration import stored_calibration
from index.codebook import Codebook
from index.codecs import CODECS
from index.codecs.frame import Frame
from index.coding import Coding
from index.damage import set_damaged_aside
from index.drift import drift_notices
from index.effort import Effort
from index.evidence import Evidence
from index.filters.stored import Field
from index.fusion import Fusion, Mode
from index.home import collection_folder, is_collection, new_collection_folder
from index.indexing import IndexingReport, OnProgress, Stopped, index_pending, never, publish_vectors
from index.intake import Intake, OnFile, Scan, put_all
from index.maintenance import OnClustered, OptimizeReport, needs_optimize, optimize
from index.merging import merge_tiers
from index.pooling import require_factor
from index.queries import Question
from index.reading.base import ReadOptions
from index.rebuilding import encode_anew
from index.recall_file import Estimate, keep
from index.records import Change, CollectionSettings, StoreCounts, StoredDocument
from index.request import Request
from index.run_report import report_of
from index.searcher import Searcher
from index.selection import FacetValue, Where
from index.snapshot import load_codebook
from index.store import Store
from index.types import Document, Hit, IndexReport, Notice, Passage, SearchOptions, SearchResult
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.processors import usable_processors
from lfm2_colbert.registry import lookup

DEFAULT_ENCODER = "nano"
DEFAULT_CODEC = "scalar4"
EVERY_DOCUMENT = SearchOptions()


def _ignore(*progress: object) -> None:
    """Show no progress."""


class Collection:
    """A named set of documents that can be searched. One thread at a time may use an object of this class.

    Opening takes no lock. The first write takes the collection's lock and keeps it until `close`; meanwhile others may
    read and search, and see what was committed.

    Example:
        >>> import tempfile
        >>> home = tempfile.mkdtemp()
        >>> with Collection.open("pets", create=True, encoder="hashing", home=home) as pets:
        ...     report = pets.add([Document("de", "Der Hund schläft."), Document("en", "The cat sleeps.")])
        ...     [hit.document_id for hit in pets.search("Hund", k=1)]
        ['de']
    """

    def __init__(
        self, name: str, store: Store, encoder: Encoder | Callable[[], Encoder], threads: int | None = None
    ) -> None:
        """Wrap an open store; `Collection.open` is the way in."""
        self.name = name
        self._threads = threads or usable_processors()
        self._store = store
        self._writable = False
        self._encoder_source = encoder
        self._encoder: Encoder | None = None
        self._coding = Coding(store)
        self._searcher = Searcher(store, lambda: self.encoder, self._threads)

    @classmethod
    def open(
        cls,
        name: str,
        *,
        create: bool = False,
        encoder: str | Encoder | None = None,
        codec: str | None = None,
        pool: int | None = None,
        home: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
    ) -> "Collection":
        """Open a collection by name, or make it.

        Args:
            name: 1 to 64 letters, digits, ".", "_" or "-".
            create: make it where it does not exist.
            encoder: a name for `lfm2_colbert.load_encoder`, or a loaded encoder; None: the one it was built with, and
                ``nano`` for a new one. It is loaded when it is first needed.
            codec: how the collection stores vectors; None: as it was built, and ``scalar4`` for a new one.
            pool: 2 or 3 to store about a half or a third of each passage's vectors, 1 for all of them; None: as it was
                built, and 1 for a new one.
            home: where collections live; None: ``LFM2_COLBERT_HOME``, else the user's data folder.
            device: ``auto``, ``cpu`` or ``cuda``.
            threads: of encoder and search; None takes the processors this process may use.

        Raises:
            NotFoundError: it does not exist and was not to be created.
            ModelMismatchError: it was built with another encoder than the one asked for.
            InvalidArgumentError: it was built with another codec or pooling factor, or there is no such factor.
            UnknownNameError: there is no such encoder or codec.
            CorruptionError: it is damaged.
        """
        if codec is not None:
            lookup(CODECS, codec, "codec")
        if pool is not None:
            require_factor(pool)
        folder = new_collection_folder(home, name) if create else collection_folder(home, name)
        load = partial(load_encoder, device=device, threads=threads)
        if create and not is_collection(folder):
            encoder = load(encoder or DEFAULT_ENCODER) if encoder is None or isinstance(encoder, str) else encoder
            Store.create(folder, settings_of(encoder, codec or DEFAULT_CODEC, int(pool or 1))).close()
        store = opened(name, folder, encoder, codec, pool)
        own = partial(load, store.settings.encoder) if encoder is None or isinstance(encoder, str) else encoder
        return cls(name, store, own, threads)

    def close(self) -> None:
        """Close and release the lock; a second call does nothing."""
        estimate = self._searcher.live.estimate()  # what is being asked again is not waited for
        if estimate:
            keep(self._store.folder, estimate)
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def encoder(self) -> Encoder:
        """The encoder, loaded on first use; ModelMismatchError if its files are others than the collection's."""
        if self._encoder is None:
            source = self._encoder_source
            loaded = source if isinstance(source, Encoder) else source()
            if loaded.fingerprint != self._store.settings.fingerprint:
                raise mismatch(self.name, self._store.settings.encoder, loaded.name)
            self._encoder = loaded
        return self._encoder

    @property
    def settings(self) -> CollectionSettings:
        """What it was built with."""
        return self._store.settings

    def counts(self) -> StoreCounts:
        """Count documents, passages, tokens, bytes, languages, pending documents and failed files."""
        return self._store.counts()

    @property
    def n_passages(self) -> int:
        """Passages that can be found; `counts` takes longer and knows more."""
        return self._store.n_rows("passages")

    def get(self, document_id: str) -> StoredDocument | None:
        """Look a document up by its id."""
        return self._store.document(document_id)

    def passages(self, document_id: str) -> list[Passage]:
        """List the searchable passages of a document in their order; none where it is not there."""
        return self._store.passages_of(document_id)

    @property
    def calibrated(self) -> bool:
        """Whether scores have a meaning (`optimize`)."""
        return stored_calibration(self._store) is not None

    def documents(self, *, after: str = "", limit: int = 100) -> list[StoredDocument]:
        """Give documents in the order of their ids: those behind the id `after`, `limit` at most."""
        with self._store.snapshot():
            found = (self._store.document(each) for each in self._store.ids_after(after, limit))
            return [document for document in found if document]

    def ids(self) -> list[str]:
        """List the ids of all documents, in order."""
        return self._store.all_ids()

    def add(
        self,
        documents: Iterable[Document],
        *,
        vectors: MultiVectors | None = None,
        on_progress: OnProgress = _ignore,
    ) -> IndexReport:
        """Store documents, replacing those of the same id, and make them searchable.

        All documents are durable before the first is encoded: whatever happens then, `index_pending` finishes the work.

        Args:
            documents: in any number.
            vectors: one item a document, if they are encoded already; each document is then a single passage. They are
                pooled as the collection's own.
            on_progress: called during encoding.

        Raises:
            InvalidArgumentError: a document cannot be stored, or vectors do not fit. Batches before it are stored.
            IndexLockedError: another process writes the collection.
        """
        started = time.perf_counter()
        store = self.writer()
        given = list(documents)
        if vectors is not None and (len(vectors) != len(given) or vectors.dim != store.settings.dim):
            raise InvalidArgumentError(
                f"{len(given)} documents of {store.settings.dim} dimensions, but {len(vectors)} items of {vectors.dim}"
            )
        intake, unchanged = put_all(store, given)
        if vectors is not None:
            publish_vectors(
                store, self._coding.for_vectors, self._codebook(), [document.id for document in given], vectors
            )
        return self._report(intake, unchanged, self.index_pending(on_progress), started, _ignore)

    def add_files(
        self,
        path: str | Path,
        *,
        prefix: str = "",
        text_field: str = "text",
        on_file: OnFile = _ignore,
        on_progress: OnProgress = _ignore,
        on_clustered: OnClustered = _ignore,
        stopped: Stopped = never,
    ) -> IndexReport:
        """Bring the collection up to date with a folder or file: encode what changed, remove what disappeared.

        Args:
            path: a folder, or a single file. A document's id is its path below the folder.
            prefix: put before the ids with a "/", where two folders hold the same names.
            text_field: field of a JSONL row that holds its text.
            on_file: called after each file.
            on_progress: called during encoding.
            on_clustered: called where so much was added that centroids are trained (`optimize`).
            stopped: asked between files and batches; if it says so, the rest waits for the next run.

        Raises:
            NotFoundError: there is nothing at `path`; nothing is removed then.
            IndexLockedError: another process writes the collection.
        """
        started, store = time.perf_counter(), self.writer()
        scan = Scan(store, Path(path), prefix, ReadOptions(text_field))
        scan.run(on_file, stopped)
        unchanged = store.count_under(scan.root) - scan.intake.added - scan.intake.changed
        encoded = self.index_pending(on_progress, stopped)
        if stopped():
            return report_of(store, scan.intake, unchanged, encoded, time.perf_counter() - started)
        return self._report(scan.intake, unchanged, encoded, started, on_clustered)

    def put(self, documents: Sequence[Document]) -> list[Change]:
        """Store documents in one durable transaction and leave their encoding to `index_pending`.

        Raises:
            InvalidArgumentError: a document cannot be stored; then none was.
            DocumentTooLargeError: a document exceeds 64 MiB; then none was stored.
            IndexLockedError: another process writes the collection.
        """
        with (store := self.writer()).transaction():
            return [store.put(document, None) for document in documents]

    def index_pending(self, on_progress: OnProgress = _ignore, stopped: Stopped = never) -> IndexingReport:
        """Encode documents that were stored and not yet encoded, as after a kill or a `put`."""
        store = self.writer()
        if not store.pending_characters():
            return IndexingReport()
        if self._coding.stored() is None and self.encoder.mean is not None:
            self._coding.freeze(Frame(self.encoder.mean))
        return index_pending(store, self.encoder, self._coding.for_vectors, self._codebook(), on_progress, stopped)

    def delete(self, document_id: str) -> bool:
        """Remove a document; say whether there was one. Its file brings it back only when it changes."""
        store = self.writer()
        with store.transaction():
            return store.delete(document_id)

    def rebuild(
        self, encoder: str | Encoder | None = None, *, codec: str | None = None, on_progress: OnProgress = _ignore
    ) -> IndexingReport:
        """Encode every document anew from its stored text, beside the present index, which serves until it is done.

        A rebuild that was interrupted goes on where it stopped when it is asked for again. Documents whose vectors were
        given to `add` get vectors of the encoder.

        Args:
            encoder: what the collection shall be encoded with from now on; None: the encoder it has.
            codec: how vectors shall be stored; None: as they are.
            on_progress: called during encoding.
        """
        if codec is not None:
            lookup(CODECS, codec, "codec")
        store = self.writer()
        encoder = encoder or self.encoder
        new = encoder if isinstance(encoder, Encoder) else load_encoder(encoder, threads=self._threads)
        report = encode_anew(store, new, codec or store.settings.codec, on_progress)
        self._encoder_source, self._encoder = new, None
        self._use(store)
        self.maintain()
        return report

    def maintain(self, on_clustered: OnClustered = _ignore) -> list[Notice]:
        """Do after an intake what pays: train centroids, or merge small segments; say what should be done besides."""
        store = self.writer()
        if needs_optimize(store):
            self.optimize(on_clustered=on_clustered)
        elif codec := self._coding.stored():
            merge_tiers(store, codec)
            return drift_notices(store, codec)
        return []

    def optimize(self, seed: int = 0, on_clustered: OnClustered = _ignore) -> OptimizeReport:
        """Merge small segments, train centroids and measure recall; `add` and `add_files` do it when it pays.

        Args:
            seed: of sampling and training.
            on_clustered: called with the tokens that have found their centroid, and all.
        """
        store = self.writer()
        if self._coding.stored() is None:
            return OptimizeReport(0, 0, 0, None)
        return optimize(store, self._coding.required(), seed, on_clustered)

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        effort: str = Effort.BALANCED,
        mode: str = Mode.HYBRID,
        fusion: str = Fusion.CONVEX,
        where: Where | None = None,
        highlight: bool = True,
        explain: bool = True,
        options: SearchOptions = EVERY_DOCUMENT,
    ) -> SearchResult:
        """Find the documents whose best passage answers the query best.

        Args:
            query: in any language.
            k: documents wanted, 1 to 1000.
            effort: ``fast``, ``balanced``, or ``exact``: every passage with every stored bit.
            mode: ``hybrid``; ``semantic``: by vectors alone; ``lexical``: by words alone, which needs no encoder.
            fusion: of a hybrid search: ``convex`` weighs scores, ``rrf`` ranks.
            where: a filter, ``lang = "de" and year >= 2024``, or its JSON form (docs/guides/filtering.md).
            highlight: whether hits say which of their words matched.
            explain: whether they also say where each token of the query was found (`Hit.matches`).
            options: groups, near-duplicates, languages in turn, and the page.

        Raises:
            InvalidArgumentError: the query is empty, a number is out of range, or the cursor is another question's.
            QueryTooLongError: the query has more than 8,192 characters.
            CursorExpiredError: the state that the cursor belongs to is held no more.
            InvalidFilterError: the filter cannot be read, or asks for what no document has.
            UnknownNameError: there is no such effort, mode or fusion.
        """
        return self._searcher.search(query, Request(k, effort, mode, fusion, where, highlight, options, explain))

    def answer(self, question: Question, request: Request) -> SearchResult:
        """Do what `search` does for a question that was encoded elsewhere, by this collection's model.

        Raises:
            ModelMismatchError: it was another model; and all that `search` raises.
        """
        return self._searcher.answer(question, request)

    def search_batch(
        self,
        queries: Sequence[str],
        *,
        k: int = 10,
        effort: str = Effort.BALANCED,
        mode: str = Mode.HYBRID,
        fusion: str = Fusion.CONVEX,
        where: Where | None = None,
        highlight: bool = False,
        options: SearchOptions = EVERY_DOCUMENT,
    ) -> Iterator[SearchResult]:
        """Find documents for many queries, encoded some at a time; results come in their order, as they are made.

        Args:
            queries: in any language; all are looked at before the first is encoded.
            k: documents wanted for each, 1 to 1000.
            effort: as in `search`.
            mode: as in `search`.
            fusion: as in `search`.
            where: a filter for all.
            highlight: whether hits say which of their words matched.
            options: as in `search`, without a cursor.

        Raises:
            InvalidArgumentError: as in `search`, or there is a cursor.
            QueryTooLongError: a query has more than 8,192 characters.
        """
        return self._searcher.search_batch(queries, Request(k, effort, mode, fusion, where, highlight, options))

    def search_vectors(
        self,
        query: NDArray[np.float32],
        *,
        k: int = 10,
        effort: str = Effort.BALANCED,
        where: Where | None = None,
        candidates: str | None = None,
    ) -> list[tuple[str, float]]:
        """Find documents by query vectors that were made elsewhere: ids and MaxSim, best first.

        Args:
            query: ``(n_q, dim)``.
            k: documents wanted, 1 to 1000.
            effort: ``fast``, ``balanced`` or ``exact``.
            where: a filter, as in `search`.
            candidates: a name in `index.candidates.CANDIDATES`, to compare; None takes what costs least.

        Raises:
            InvalidArgumentError: the query has no vectors or another width, or `k` is out of range.
            NonFiniteVectorError: a value is NaN or infinite.
            InvalidFilterError: the filter cannot be read, or asks for what no document has.
            UnknownNameError: there is no such effort, or no such candidate generator.
        """
        return self._searcher.search_vectors(query, k, effort, candidates, where)

    def fields(self) -> list[Field]:
        """List what documents can be filtered by, in the order of names, with types and numbers of documents."""
        with self._store.snapshot():
            return self._store.fields.all()

    def facets(self, field: str, *, where: Where | None = None, limit: int = 10) -> list[FacetValue]:
        """Count the searchable documents by the values of a field, most first.

        Args:
            field: its name; dates are counted as they are written.
            where: a filter: only documents with a passage that it matches count.
            limit: values given at most, 1 or more.

        Raises:
            InvalidArgumentError: the limit is below 1.
            InvalidFilterError: no document has this field, or the filter is wrong.
        """
        return self._searcher.facets(field, where, limit)

    def live_recall(self, *, wait: bool = True) -> Estimate | None:
        """Estimate from real queries how much of what exact search finds they got.

        Of a hundred searches that let centroids choose, one is asked again exactly in the background, as long as that
        takes less than a fiftieth of the time. None before the first; `status` shows what the last process that
        searched left. `wait` lets what is being asked again come to its end.
        """
        if wait:
            self._searcher.live.wait()
        return self._searcher.live.estimate()

    def evidence(self, hits: Sequence[Hit]) -> list[Evidence | None]:
        """Give the stored vectors of passages found, in the hits' order; None where one has changed since."""
        return self._searcher.evidence(hits)

    def warm_up(self) -> int:
        """Map what searches read first, as a service does before it answers; give how many bytes that are."""
        return self._searcher.warm_up()

    def _codebook(self) -> Codebook | None:
        with self._store.snapshot():
            return load_codebook(self._store, self._store.segments_folder, self._searcher.snapshot)

    def writer(self) -> Store:
        """Take the collection's lock, if it has none yet, and give the store, open for writing."""
        if not self._writable:
            writer = Store.open(self._store.folder, writable=True)
            set_damaged_aside(writer)
            self._store.close()
            self._use(writer)
            self._writable = True
        return self._store

    def _use(self, store: Store) -> None:
        self._store, self._coding = store, Coding(store)
        self._searcher = Searcher(store, lambda: self.encoder, self._threads, self._searcher)

    def _report(
        self, intake: Intake, unchanged: int, encoded: IndexingReport, started: float, on_clustered: OnClustered
    ) -> IndexReport:
        intake.notices += self.maintain(on_clustered)
        return report_of(self._store, intake, unchanged, encoded, time.perf_counter() - started)
