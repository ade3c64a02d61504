"""Asking one collection: a query in, hits out, all read in one committed state."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from index.coding import Coding
from index.database import REBUILD
from index.effort import Effort
from index.filters.syntax import Filter
from index.fusion import Fusion, Mode
from index.hits import PassageVectors, Question, explain_hit, make_hit, query_notices, uncalibrated
from index.lexical.analysis import query_terms
from index.lexical.bm25 import WordScores, score_terms
from index.lexical.matching import match_words
from index.live_recall import LiveRecall
from index.records import StoredPassage
from index.search import Scored, Trace, Words, search_snapshot, search_words
from index.selection import FacetValue, Selections, Where, facet_values, read_filter
from index.snapshot import EMPTY, Snapshot, View, load_snapshot, touch
from index.store import Store
from index.types import Hit, Match, Notice, SearchResult
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import (
    CorruptionError,
    InvalidArgumentError,
    ModelMismatchError,
    NonFiniteVectorError,
    UnknownNameError,
)

MAX_HITS = 1000
PENDING = Notice("pending_documents", "some documents are stored but not encoded yet: index again to finish")
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
        self.snapshot: Snapshot = before.snapshot if before else EMPTY
        self.live: LiveRecall = before.live if before else LiveRecall()

    def search(
        self, query: str, k: int, effort: str, mode: str, fusion: str, *, highlight: bool, where: Where | None = None
    ) -> SearchResult:
        """Find documents for a question in words; see `Collection.search`."""
        if not query.strip():
            raise InvalidArgumentError("the query is empty", help="ask a question or give a few words")
        _require_request(k, effort)
        _require_choice("mode", mode, Mode)
        _require_choice("fusion", fusion, Fusion)
        wanted = self._checked(where)
        if mode == Mode.LEXICAL:
            return self._search_words(query, k, wanted, highlight=highlight)
        encoder = self._encoder()  # loaded before the clock starts
        started = time.perf_counter()
        question = Question(query, encoder.encode_queries([query])[0].astype(np.float32, copy=False))
        encoded = time.perf_counter()
        with self._state() as snapshot:  # scores, texts and ids of one committed state
            words = Words(_word_scores(query, snapshot), Fusion(fusion)) if mode == Mode.HYBRID else None
            selected = self._selected(snapshot, wanted)
            found, trace = self._scored(selected, question.vectors, Effort(effort), k, words=words)
            searched = time.perf_counter()
            hits = [
                self._hit(rank, hit, question, hit.score if words else question.score(hit.raw_score), highlight)
                for rank, hit in enumerate(found, start=1)
            ]
            state = self._notices(snapshot, Mode(mode))
        laps = {"encode": encoded - started, "search": searched - encoded, "explain": time.perf_counter() - searched}
        timings = {name: seconds * 1000 for name, seconds in laps.items()} | trace.timings_ms
        notices = [uncalibrated(Mode(mode)), *query_notices(query, encoder), *state]
        return SearchResult(query, tuple(hits), tuple(notices), timings, trace.counts, mode)

    def search_vectors(
        self, query: NDArray[np.float32], k: int, effort: str, candidates: str | None, where: Where | None = None
    ) -> list[tuple[str, float]]:
        """Find documents by vectors; see `Collection.search_vectors`."""
        _require_request(k, effort)
        vectors = np.asarray(query, np.float32)
        _require_query(vectors, self._store.settings.dim)
        wanted = self._checked(where)
        with self._state() as snapshot:
            if snapshot.damage:
                raise snapshot.damage[0]
            found, _ = self._scored(self._selected(snapshot, wanted), vectors, Effort(effort), k, candidates)
        return [(hit.document_id, hit.raw_score) for hit in found]

    def facets(self, field: str, where: Where | None, limit: int) -> list[FacetValue]:
        """Count documents by the values of a field; see `Collection.facets`."""
        if limit < 1:
            raise InvalidArgumentError(f"limit must be 1 or more, not {limit}", help="ask for some values")
        wanted = self._checked(where)
        with self._state() as snapshot:
            return facet_values(self._selected(snapshot, wanted), field, self._store.fields, limit)

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

    def _search_words(self, query: str, k: int, wanted: Filter | None, *, highlight: bool) -> SearchResult:
        started = time.perf_counter()
        with self._state() as snapshot:
            scores = _word_scores(query, snapshot)
            found, trace = search_words(scores, self._selected(snapshot, wanted), k, self._names)
            searched = time.perf_counter()
            hits = []
            for rank, hit in enumerate(found, start=1):
                stored = self._stored(hit)
                matches = match_words(query, stored.text) if highlight else ()
                hits.append(make_hit(rank, hit, hit.score, stored, matches))
            state = self._notices(snapshot, Mode.LEXICAL)
        laps = {"encode": 0.0, "search": searched - started, "explain": time.perf_counter() - searched}
        timings = {name: seconds * 1000 for name, seconds in laps.items()} | trace.timings_ms
        return SearchResult(
            query, tuple(hits), (uncalibrated(Mode.LEXICAL), *state), timings, trace.counts, Mode.LEXICAL
        )

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
        self,
        snapshot: Snapshot,
        query: NDArray[np.float32],
        effort: Effort,
        k: int,
        candidates: str | None = None,
        words: Words | None = None,
    ) -> tuple[list[Scored], Trace]:
        if not snapshot.n_passages:
            return [], Trace()
        view = View(snapshot, self._coding.required(), self._threads)
        found, trace = search_snapshot(query, view, effort, k, self._names, candidates, words)
        if candidates is None:
            self.live.saw(query, view, effort, words, found)
        return found, trace

    def _names(self, keys: Iterable[int]) -> Mapping[int, str]:
        wanted = list(keys)
        names = self._store.document_ids(wanted)
        if len(names) < len(wanted):
            raise CorruptionError(f"{self._store.folder}: passages belong to no document", help=REBUILD)
        return names

    def _hit(self, rank: int, scored: Scored, question: Question, score: float, highlight: bool) -> Hit:
        stored = self._stored(scored)
        matches: tuple[Match, ...] = ()
        if highlight:
            segment = self.snapshot.parts[scored.part].segment
            own = slice(*segment.offsets[scored.row : scored.row + 2])
            vectors = self._coding.required().decode({name: array[own] for name, array in segment.arrays.items()})
            passage = PassageVectors(vectors, segment.places(scored.row), self._store.settings.pool)
            matches = explain_hit(question, self._encoder(), stored.text, passage)
        return make_hit(rank, scored, score, stored, matches)

    def _stored(self, scored: Scored) -> StoredPassage:
        stored = self._store.passage(scored.document, scored.ordinal)
        place = (self.snapshot.parts[scored.part].segment.info.number, scored.row)
        if stored is None or (stored.segment, stored.row) != place:
            raise CorruptionError(f"'{scored.document_id}' has lost passage {scored.ordinal}", help="index it again")
        return stored


def _word_scores(query: str, snapshot: Snapshot) -> WordScores:
    return score_terms(query_terms(query), [part.words for part in snapshot.parts])


def _degraded(snapshot: Snapshot) -> list[Notice]:
    if not snapshot.damage:
        return []
    message = f"{len(snapshot.damage)} damaged files are left out: run `lfm2-colbert repair`; the first: "
    return [Notice("degraded", message + snapshot.damage[0].message)]


def _require_request(k: int, effort: str) -> None:
    if not 1 <= k <= MAX_HITS:
        raise InvalidArgumentError(f"k must be from 1 to {MAX_HITS}, not {k}", help="ask for fewer hits")
    _require_choice("effort", effort, Effort)


def _require_choice(kind: str, chosen: str, choices: type[StrEnum]) -> None:
    if chosen not in set(choices):
        raise UnknownNameError.of(kind, chosen, choices)


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
