"""Asking one collection: a query in, hits out, all read in one committed state."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from index.asked import Asked, word_scores
from index.calibration import Calibration, stored_calibration
from index.coding import Coding
from index.database import REBUILD
from index.effort import Effort
from index.evidence import Evidence, stored_evidence
from index.filters.syntax import Filter
from index.fusion import Mode
from index.live_recall import LiveRecall
from index.paging import Cursor, HeldRankings, Listing, expired, read_cursor, require_reachable
from index.queries import QUERIES_PER_BATCH, Question, by_words, encode_questions, require_query
from index.request import Request, require_page
from index.search import Names, Scored, Trace, search_snapshot
from index.selection import FacetValue, Selections, Where, facet_values, read_filter
from index.showing import Found, Showing, meaning_of, score_notices
from index.snapshot import EMPTY, Snapshot, View, load_snapshot, touch
from index.store import Store
from index.types import Hit, Notice, SearchResult
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import (
    CorruptionError,
    InvalidArgumentError,
    ModelMismatchError,
    NonFiniteVectorError,
)

PENDING = Notice("pending_documents", "some documents are stored but not encoded yet: index again to finish")
GONE = ""
"""Id of a document that went after the state in which it was found; it is passed over."""
LEXICAL_INCOMPLETE = Notice(
    "lexical_incomplete", "some passages are not found by their words yet: optimize the collection once"
)


class Searcher:
    """Searches a store; what it mapped for one state it keeps for the next.

    Attributes:
        snapshot: the state that was searched last.
        live: what is known about the recall of real queries.
    """

    def __init__(
        self, store: Store, encoder: Callable[[], Encoder], threads: int, before: "Searcher | None" = None
    ) -> None:
        """Search `store`; `encoder` is called when a query must be encoded; what `before` has mapped is taken over."""
        self._store, self._encoder, self._threads = store, encoder, threads
        self._coding = Coding(store)
        self._selections = Selections()
        self._showing = Showing(store, self._coding, encoder)
        self._held: HeldRankings[tuple[Asked, Listing]] = HeldRankings()
        self.snapshot: Snapshot = before.snapshot if before else EMPTY
        self._calibration: Calibration | None = before._calibration if before else None
        self.live: LiveRecall = before.live if before else LiveRecall()

    def search(self, query: str, request: Request) -> SearchResult:
        """Find documents for a question in words; see `Collection.search`."""
        require_query(query)
        return next(self._results([query], request, self._required(request)))

    def answer(self, question: Question, request: Request) -> SearchResult:
        """Find documents for a question that was encoded elsewhere; see `Collection.answer`."""
        require_query(question.text)
        if question.encoder and question.encoder != self._store.settings.fingerprint:
            raise ModelMismatchError(
                f"the question was encoded with another model than {self._store.settings.encoder}",
                help="encode it with the collection's encoder",
            )
        wanted = self._required(request)
        with self._state() as snapshot:
            return self._answer(question, request, wanted, snapshot)

    def search_batch(self, queries: Sequence[str], request: Request) -> Iterator[SearchResult]:
        """Find documents for many questions; see `Collection.search_batch`."""
        for query in queries:
            require_query(query)
        if request.options.cursor is not None:
            raise InvalidArgumentError("a cursor belongs to one question", help="ask that question alone")
        return self._results(queries, request, self._required(request))

    def search_vectors(
        self, query: NDArray[np.float32], k: int, effort: str, candidates: str | None, where: Where | None = None
    ) -> list[tuple[str, float]]:
        """Find documents by vectors; see `Collection.search_vectors`."""
        require_page(k, effort)
        vectors = np.asarray(query, np.float32)
        _require_query(vectors, self._store.settings.dim)
        wanted = self._checked(where)
        with self._state() as snapshot:
            if snapshot.damage:
                raise snapshot.damage[0]
            found = self._scored(self._selected(snapshot, wanted), vectors, Effort(effort), k, candidates)
        return [(hit.document_id, hit.raw_score) for hit in found]

    def facets(self, field: str, where: Where | None, limit: int) -> list[FacetValue]:
        """Count documents by the values of a field; see `Collection.facets`."""
        if limit < 1:
            raise InvalidArgumentError(f"limit must be 1 or more, not {limit}", help="ask for some values")
        wanted = self._checked(where)
        with self._state() as snapshot:
            return facet_values(self._selected(snapshot, wanted), field, self._store.fields, limit)

    def evidence(self, hits: Sequence[Hit]) -> list[Evidence | None]:
        """Read the vectors of hits; see `Collection.evidence`."""
        encoder = self._encoder()
        with self._state() as snapshot:
            return stored_evidence(hits, snapshot, self._store, self._coding, encoder)

    def warm_up(self) -> int:
        """Map what searches read first; give how many bytes that are."""
        with self._state() as snapshot:
            return touch(View(snapshot, self._coding.required())) if snapshot.parts else 0

    @contextmanager
    def _state(self) -> Iterator[Snapshot]:
        """Hold the present state: everything that is read in the block belongs to it.

        A writer may have merged a segment away that we were about to open; then there is a later state to read. Where
        there is none, the file is damaged, and the state goes without it.
        """
        tolerant = False
        while True:
            with self._store.snapshot():
                txid = self._store.changes()
                try:
                    self._load(txid, tolerant)
                except CorruptionError:
                    if tolerant:  # the database itself
                        raise
                else:
                    yield self.snapshot
                    return
            tolerant = self._store.changes() == txid

    def _load(self, txid: int, tolerant: bool) -> None:
        if self.snapshot.txid != txid:
            self._require_same_index()
            folder = self._store.segments_folder
            self.snapshot = load_snapshot(self._store, folder, self.snapshot, tolerant=tolerant)
            self._calibration = stored_calibration(self._store)

    def _required(self, request: Request) -> Filter | None:
        request.require()
        return self._checked(request.where)

    def _results(self, queries: Sequence[str], request: Request, wanted: Filter | None) -> Iterator[SearchResult]:
        """Answer queries in their order, each in one committed state; they are encoded some at a time."""
        encoder = None if request.mode == Mode.LEXICAL else self._encoder()  # loaded before the clock starts
        for start in range(0, len(queries), QUERIES_PER_BATCH):
            batch, started = queries[start : start + QUERIES_PER_BATCH], time.perf_counter()
            questions = [by_words(text) for text in batch] if encoder is None else encode_questions(batch, encoder)
            encode_ms = (time.perf_counter() - started) * 1000 / len(batch) if encoder else 0.0
            for question in questions:
                with self._state() as snapshot:
                    result = self._answer(question, request, wanted, snapshot)
                yield replace(result, timings_ms={"encode": encode_ms, **result.timings_ms})

    def _answer(self, question: Question, request: Request, wanted: Filter | None, present: Snapshot) -> SearchResult:
        """Give the hits of a page: scores, texts and ids of one committed state."""
        started = time.perf_counter()
        cursor, (asked, listing) = self._opened(question, request, wanted, present)
        page = listing.page(
            cursor.offset, request.k, lambda scored: self._showing.stored(scored, asked.snapshot, present)
        )
        searched, found = time.perf_counter(), []
        read = self._showing.all_stored(page, asked.snapshot, present)
        for rank, (scored, stored) in enumerate(zip(page, read, strict=True), start=cursor.offset + 1):
            if stored is None:  # it went after the state that the page belongs to
                listing.gone.add(scored.document_id)
            else:
                found.append(Found(rank, scored, stored))
        calibration = self._meaning(asked, listing, present, found)
        hits = self._showing.hits(found, asked, calibration)
        notices = (
            *score_notices(hits, Mode(request.mode), calibration),
            *question.notices(),
            *listing.notices(),
            *self._notices(asked.snapshot, Mode(request.mode)),
        )
        laps = {"search": searched - started, "explain": time.perf_counter() - searched}
        timings = {name: seconds * 1000 for name, seconds in laps.items()} | asked.trace.timings_ms
        further = self._held.further(cursor, len(page), request.k, (asked, listing))
        return SearchResult(question.text, tuple(hits), notices, timings, asked.trace.counts, request.mode, further)

    def _meaning(self, asked: Asked, listing: Listing, present: Snapshot, found: Sequence[Found]) -> Calibration | None:
        """Give what scores mean on all pages of an answer, which its very best match decides."""
        best = listing.ranking.at(0)
        if self._calibration is None or asked.request.mode == Mode.LEXICAL or best is None:
            return self._calibration
        read = (each.stored for each in found if each.scored is best)
        stored = next(read, None) or self._showing.stored(best, asked.snapshot, present)
        if stored is None:  # it went since; what is left is shown by the curve
            return self._calibration
        return meaning_of(self._showing.score(best, asked, self._calibration), stored, asked, self._calibration)

    def _opened(
        self, question: Question, request: Request, wanted: Filter | None, present: Snapshot
    ) -> tuple[Cursor, tuple[Asked, Listing]]:
        """Give the place a page begins at and the listing it belongs to; that may be of an earlier state.

        Raises:
            CursorExpiredError: that state is held no more.
        """
        digest, written = request.digest(question.text, wanted), request.options.cursor
        cursor = read_cursor(written, digest) if written else Cursor(present.txid, digest, request.k, 0)
        require_reachable(cursor.offset, request.k)
        held = self._held.of(cursor) if written else None
        if held is not None:
            held[0].trace = Trace()
            return cursor, held
        if cursor.txid != present.txid:
            raise expired()
        asked = self._asked(question, request, self._selected(present, wanted))
        return cursor, (asked, asked.listing(cursor.head))

    def _asked(self, question: Question, request: Request, snapshot: Snapshot) -> Asked:
        by_vectors = snapshot.n_passages and request.mode != Mode.LEXICAL
        view = View(snapshot, self._coding.required(), self._threads) if by_vectors else None
        scores = None if request.mode == Mode.SEMANTIC else word_scores(question.text, snapshot)
        return Asked(question, request, snapshot, view, self._names_of(snapshot), scores, self.live.saw)

    def _names_of(self, snapshot: Snapshot) -> Names:
        """Look ids up for a state that may be an earlier one when it is asked again."""

        def names(keys: Iterable[int]) -> Mapping[int, str]:
            wanted = list(keys)
            if self.snapshot.txid == snapshot.txid:
                return self._names(wanted)
            return dict.fromkeys(wanted, GONE) | dict(self._store.document_ids(wanted))

        return names

    def _notices(self, snapshot: Snapshot, mode: Mode) -> list[Notice]:
        """Say what the answer may lack."""
        lacking = mode != Mode.SEMANTIC and any(part.words is None for part in snapshot.parts)
        pending = self._store.pending_characters()
        return [
            *([PENDING] if pending else []), *([LEXICAL_INCOMPLETE] if lacking else []), *_degraded(snapshot)
        ]  # fmt: skip

    def _checked(self, where: Where | None) -> Filter | None:
        """Read a filter and ask it once, so that what is wrong with it is said before a query is encoded."""
        if where is None:
            return None
        wanted = read_filter(where)
        with self._state() as snapshot:
            self._selected(snapshot, wanted)
        return wanted

    def _selected(self, snapshot: Snapshot, wanted: Filter | None) -> Snapshot:
        return snapshot if wanted is None else self._selections.of(snapshot, wanted, self._store.fields)

    def _require_same_index(self) -> None:
        """Refuse to compare a query of one encoder with vectors of another, after a rebuild."""
        built = self._store.stored_settings()
        if built != self._store.settings:
            raise ModelMismatchError(
                f"the collection was rebuilt with {built.encoder} while it was open here", help="open it again"
            )

    def _scored(
        self, snapshot: Snapshot, query: NDArray[np.float32], effort: Effort, k: int, candidates: str | None
    ) -> list[Scored]:
        if not snapshot.n_passages:
            return []
        view = View(snapshot, self._coding.required(), self._threads)
        found, _ = search_snapshot(query, view, effort, k, self._names, candidates)
        if candidates is None:
            self.live.saw(query, view, effort, None, found)
        return found

    def _names(self, keys: Iterable[int]) -> Mapping[int, str]:
        wanted = set(keys)  # several passages of a document name it several times
        names = self._store.document_ids(wanted)
        if len(names) < len(wanted):
            raise CorruptionError(f"{self._store.folder}: passages belong to no document", help=REBUILD)
        return names


def _degraded(snapshot: Snapshot) -> list[Notice]:
    if not snapshot.damage:
        return []
    message = f"{len(snapshot.damage)} damaged files are left out: run `lfm2-colbert repair`; the first: "
    return [Notice("degraded", message + snapshot.damage[0].message)]


def _require_query(vectors: NDArray[np.float32], dim: int) -> None:
    if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != dim:
        raise InvalidArgumentError(
            f"a query is one or more vectors of {dim} dimensions, not an array of shape {vectors.shape}",
            help="encode it with the collection's encoder",
        )
    if not np.isfinite(vectors).all():
        raise NonFiniteVectorError(
            "the query has a value that is not finite", help="check the encoder's output for NaN"
        )
