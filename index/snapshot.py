"""What one search sees: the segments of one committed state, which passage each of their rows is, and the centroids."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.arrays import check_whole, damage
from index.codebook import Codebook
from index.codecs.base import Codec
from index.lexical.analysis import ANALYSIS
from index.lexical.postings import SegmentWords
from index.lists import SegmentLists
from index.records import FileInfo, ListsInfo, SegmentInfo, WordsInfo
from index.segment import Segment
from index.store import Store
from lfm2_colbert.errors import CorruptionError

Loaded = TypeVar("Loaded")

DEAD = -1
"""Key of no document: of rows that were dead when their segment was first looked at."""
PASSAGE_ROW = np.dtype([(name, np.int64) for name in ("document", "ordinal", "row")])
PAGE_BYTES = 4096
CHECKED_BYTES = 64 * 2**20
"""Files up to this size are read and checked whole when they are opened: some milliseconds. Larger ones by `verify`."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One segment of a snapshot.

    Attributes:
        segment: the mapped file.
        documents: ``(n_rows,)`` int64, the key of the document each row belongs to, or belonged to while it was alive.
        ordinals: ``(n_rows,)`` int64, the place of the passage in its document.
        live: ``(n_rows,)`` bool, rows that belong to a document.
        lists: its centroids under the snapshot's codebook; None where it was never clustered.
        words: where which words stand; None where that was never written down, or by an older analysis.
    """

    segment: Segment
    documents: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    live: NDArray[np.bool_]
    lists: SegmentLists | None
    words: SegmentWords | None = None

    @property
    def n_live_tokens(self) -> int:
        """Tokens of live rows."""
        return int(np.diff(self.segment.offsets)[self.live].sum())

    def release(self) -> None:
        """Let go of the pages that were read (`ArrayFile.release`)."""
        for file in (self.segment, self.lists, self.words):
            if file:
                file.release()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a filter leaves: passages, their tokens, and which share of all passages they are."""

    n_passages: int
    n_tokens: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A committed state, immutable; `txid` tells states apart.

    Attributes:
        txid: number of the last transaction in it.
        parts: its segments.
        codebook: the centroids in use, if there are any.
        damage: what could not be opened and is left out.
        kept: what a filter leaves; then only that is live. None: there is no filter.
    """

    txid: int
    parts: tuple[Part, ...]
    codebook: Codebook | None
    damage: tuple[CorruptionError, ...] = ()
    kept: Kept | None = None

    @property
    def n_passages(self) -> int:
        """Rows of all segments, dead ones too; behind a filter those it leaves."""
        if self.kept:
            return self.kept.n_passages
        return sum(part.segment.info.n_passages for part in self.parts)

    @property
    def n_tokens(self) -> int:
        """Tokens of all segments, those of dead rows too; with a filter the same."""
        return sum(part.segment.info.n_tokens for part in self.parts)

    def n_live_passages(self) -> int:
        """Count the rows that belong to a document."""
        return sum(int(part.live.sum()) for part in self.parts)

    def n_documents(self) -> int:
        """Count the documents that have passages."""
        return len(np.unique(np.concatenate([part.documents[part.live] for part in self.parts])))


EMPTY = Snapshot(-1, (), None)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A state of a collection, how its vectors are coded, and how many threads may share a search of it."""

    snapshot: Snapshot
    codec: Codec
    threads: int = 1


def load_snapshot(store: Store, folder: Path, before: Snapshot = EMPTY, *, tolerant: bool = False) -> Snapshot:
    """Read the present state, within a `store.snapshot()`; what `before` has mapped already is taken from it.

    Args:
        store: of the collection.
        folder: where its segments lie.
        before: an earlier state.
        tolerant: leave out what is damaged, and say so in the snapshot.

    Raises:
        CorruptionError: a file is missing or damaged, and damage is not tolerated.
    """
    return _Loading(store, folder, before, tolerant).run({info.number for info in store.segments()})


def load_parts(store: Store, folder: Path, numbers: Collection[int]) -> Snapshot:
    """Read some segments of the present state, by number, as `load_snapshot` reads all."""
    return _Loading(store, folder, EMPTY, tolerant=False).run(numbers)


class _Loading:
    """What is read once for all parts of a snapshot."""

    def __init__(self, store: Store, folder: Path, before: Snapshot, tolerant: bool) -> None:
        self._store, self._folder, self._tolerant = store, folder, tolerant
        self._before = EMPTY if before.damage else before  # what was left out may be mended by now
        self._damage: list[CorruptionError] = []

    def run(self, numbers: Collection[int]) -> Snapshot:
        codebook = self._try(lambda: load_codebook(self._store, self._folder, self._before))
        lists = {info.segment: info for info in self._store.lists()} if codebook else {}
        words = {info.segment: info for info in self._store.words() if info.analysis == ANALYSIS}
        known = {part.segment.info.number: part for part in self._before.parts}
        deaths = _deaths(self._store, self._before) if known else {}
        parts = []
        for info in (info for info in self._store.segments() if info.number in numbers):
            old = known.get(info.number)
            part = _without(old, deaths.get(info.number, [])) if old else self._load_part(info)
            if part is not None:
                own_lists = self._load_lists(lists.get(info.number), part.lists)
                own_words = self._load_words(words.get(info.number), part.words)
                parts.append(replace(part, lists=own_lists, words=own_words))
        return Snapshot(self._store.changes(), tuple(parts), codebook, tuple(self._damage))

    def _load_part(self, info: SegmentInfo) -> Part | None:
        return self._try(lambda: _load_part(self._store, self._folder, info))

    def _load_lists(self, info: ListsInfo | None, opened: SegmentLists | None) -> SegmentLists | None:
        if info is None or (opened and opened.info == info):
            return opened if info else None
        return self._try(lambda: _load_lists(self._folder, info))

    def _load_words(self, info: WordsInfo | None, opened: SegmentWords | None) -> SegmentWords | None:
        if info is None or (opened and opened.info == info):
            return opened if info else None
        return self._try(lambda: _load_words(self._folder, info))

    def _try(self, load: Callable[[], Loaded]) -> Loaded | None:
        try:
            return load()
        except CorruptionError as error:
            if not self._tolerant:
                raise
            self._damage.append(error)
            return None


def _load_part(store: Store, folder: Path, info: SegmentInfo) -> Part:
    _check_small(folder, info.as_file())
    segment = Segment.open(folder, info)
    try:
        rows = np.fromiter(store.passage_rows(info.number), PASSAGE_ROW)
    except (TypeError, ValueError, OverflowError) as error:
        raise damage(folder / info.file, 0, "the store has passages of it that are none") from error
    if len(rows) and not 0 <= rows["row"].min() <= rows["row"].max() < info.n_passages:
        raise damage(folder / info.file, 0, "the store has passages beyond its rows")
    documents, ordinals = np.full(info.n_passages, DEAD, np.int64), np.zeros(info.n_passages, np.int64)
    documents[rows["row"]] = rows["document"]
    ordinals[rows["row"]] = rows["ordinal"]
    return Part(segment, documents, ordinals, np.not_equal(documents, DEAD), None)


def _load_lists(folder: Path, info: ListsInfo) -> SegmentLists:
    _check_small(folder, info.file)
    return SegmentLists.open(folder, info)


def _load_words(folder: Path, info: WordsInfo) -> SegmentWords:
    _check_small(folder, info.file)
    return SegmentWords.open(folder, info)


def _check_small(folder: Path, info: FileInfo) -> None:
    if info.n_bytes <= CHECKED_BYTES:
        check_whole(folder, info)


def _deaths(store: Store, before: Snapshot) -> dict[int, list[int]]:
    """Give the rows that died since a state, by segment."""
    deaths: dict[int, list[int]] = {}
    for segment, row in store.deaths_since(before.txid):
        deaths.setdefault(segment, []).append(row)
    return deaths


def _without(part: Part, dead: Sequence[int]) -> Part:
    """Give the same rows but those that died."""
    if not dead:
        return part
    live = part.live.copy()
    live[list(dead)] = False
    return replace(part, live=live)


def load_codebook(store: Store, folder: Path, before: Snapshot = EMPTY) -> Codebook | None:
    """Read the codebook in use, if there is one, without a look at passages.

    Raises:
        CorruptionError: its file is missing or damaged.
    """
    info = store.codebook()
    if info is None:
        return None
    if before.codebook and before.codebook.number == info.number:
        return before.codebook
    return Codebook.open(folder, info)


def touch(view: View) -> int:
    """Read a byte of each page that coarse scores and candidates need, so that it is mapped; give the bytes covered."""
    arrays: list[NDArray[Any]] = []
    for part in view.snapshot.parts:
        arrays += [part.segment.arrays[name] for name in view.codec.coarse_arrays]
        if part.lists:
            arrays += [part.lists.codes, part.lists.offsets, part.lists.postings.offsets, part.lists.postings.rows]
        if part.words:
            posted = part.words.postings
            arrays += [part.words.terms, posted.offsets, posted.rows, posted.frequencies, posted.lengths]
    for array in arrays:
        array.reshape(-1).view(np.uint8)[::PAGE_BYTES].max(initial=0)
    return sum(array.nbytes for array in arrays)
