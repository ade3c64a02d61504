"""What one commit left in a collection, walked in the order of ids, in memory that does not grow with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index.anchors import place_within
from index.coding import Coding
from index.records import FRAME, CollectionSettings, PlacedPassage, StoredDocument
from index.segment import Segment, common
from index.snapshot import Snapshot, load_snapshot
from index.store import Store
from index.types import Anchor, Passage
from lfm2_colbert.errors import CorruptionError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.safetensors import Layout

TOKENS_PER_BLOCK = 65_536
IDS_PER_READ = 256

OnPassages = Callable[[int, int], None]
"""Told how many passages were read, and of how many."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A document, how many passages it has, and where its text stands in its file."""

    document: StoredDocument
    n_passages: int
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A passage, the document that it is of, and where it stands in the file of that (`Hit.anchor`)."""

    document: StoredDocument
    passage: Passage
    anchor: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The passage's words."""
        return self.document.text[self.passage.start : self.passage.end]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some passages that follow one another, with their vectors in both forms.

    Attributes:
        rows: the passages; those of a document stand together, in their order, but may go on in the next block.
        arrays: what is stored, ``(n_tokens, …)`` each (`Segment.token_arrays`).
        vectors: the same decoded, float16, one item a passage.
    """

    rows: Sequence[Row]
    arrays: Mapping[str, NDArray[Any]]
    vectors: MultiVectors


class Contents:
    """A committed state, held by `open_contents`.

    Attributes:
        settings: what the collection was built with.
        frame: of its codes, as JSON; None where it has seen no vectors.
        n_documents: all of them.
        n_pending: documents that wait for their vectors, and have no passages.
        n_passages: searchable ones.
        n_tokens: their stored vectors.
    """

    def __init__(self, store: Store, snapshot: Snapshot, on_passages: OnPassages) -> None:
        """Count what there is."""
        self._store, self._on_passages = store, on_passages
        self._segments = {part.segment.info.number: part.segment for part in snapshot.parts}
        counts = store.counts()
        self.settings: CollectionSettings = store.settings
        self.frame: dict[str, Any] | None = store.note(FRAME)
        self.n_documents, self.n_pending, self.n_passages = counts.documents, counts.pending, counts.passages
        self.n_tokens = sum(part.n_live_tokens for part in snapshot.parts)

    def documents(self) -> Iterator[Whole]:
        """Walk all documents.

        Raises:
            CorruptionError: a document differs from what was stored.
        """
        for document in self._documents():
            n_passages = len(self._store.placed_passages(document.key))
            yield Whole(document, n_passages, self._store.anchors(document.key))

    def blocks(self) -> Iterator[Block]:
        """Walk all passages with their vectors.

        Raises:
            CorruptionError: a document, or a byte of a segment, differs from what was stored.
        """
        for segment in self._segments.values():
            segment.check()
        rows: list[Row] = []
        places: list[PlacedPassage] = []
        n_tokens = n_done = 0
        for document in self._documents():
            anchors = self._store.anchors(document.key)
            for placed in self._store.placed_passages(document.key):
                start, end = placed.passage.start, placed.passage.end
                rows.append(Row(document, placed.passage, place_within(anchors, start, end, document.text)))
                places.append(placed)
                n_tokens += int(np.diff(self._stretch(placed))[0])
                if n_tokens >= TOKENS_PER_BLOCK:
                    yield self._block(rows, places)
                    n_done += len(rows)
                    self._on_passages(n_done, self.n_passages)
                    rows, places, n_tokens = [], [], 0
        if rows:
            yield self._block(rows, places)
            self._on_passages(n_done + len(rows), self.n_passages)

    def layout(self) -> Layout:
        """Give type and shape of what is stored of all passages together; nothing where there are none."""
        names = common(self._segments.values())
        arrays = {name: next(iter(self._segments.values())).token_arrays[name] for name in names}
        return {name: (array.dtype, (self.n_tokens, *array.shape[1:])) for name, array in arrays.items()}

    def _documents(self) -> Iterator[StoredDocument]:
        last = ""
        while ids := self._store.ids_after(last, IDS_PER_READ):
            for last in ids:
                document = self._store.document(last)
                if document is not None:
                    yield document

    def _stretch(self, placed: PlacedPassage) -> NDArray[np.int64]:
        return self._segment(placed).offsets[placed.row : placed.row + 2]

    def _segment(self, placed: PlacedPassage) -> Segment:
        return self._segments[placed.segment]

    def _block(self, rows: Sequence[Row], places: Sequence[PlacedPassage]) -> Block:
        stretches = [slice(*self._stretch(placed)) for placed in places]
        arrays = {
            name: np.concatenate(
                [self._segment(p).token_arrays[name][s] for p, s in zip(places, stretches, strict=True)]
            )
            for name in self.layout()
        }
        offsets = np.concatenate([[0], np.cumsum([s.stop - s.start for s in stretches], dtype=np.int64)])
        codes = {name: arrays[name] for name in self._segment(places[0]).arrays}
        vectors = Coding(self._store).required().decode(codes)
        return Block(rows, arrays, MultiVectors(vectors.astype(np.float16), offsets))


class Exporter(Protocol):
    """Writes a state into an empty folder, in one of the forms of `EXPORTS`."""

    def __call__(self, contents: Contents, folder: Path) -> None:
        """Write all that is there, walking it as often as it takes."""


@contextmanager
def open_contents(folder: Path, on_passages: OnPassages) -> Iterator[Contents]:
    """Hold the present state of the collection in a folder; others may search and write meanwhile.

    Raises:
        NotFoundError: the folder holds no collection.
        CorruptionError: it is damaged.
    """
    with Store.open(folder, writable=False) as store:
        while True:
            with store.snapshot():
                txid = store.changes()
                loaded = _load(store)
                if isinstance(loaded, Snapshot):
                    yield Contents(store, loaded, on_passages)
                    return
            if store.changes() == txid:  # else a merge has taken the file away, and there is a later state
                raise loaded


def _load(store: Store) -> Snapshot | CorruptionError:
    try:
        return load_snapshot(store, store.segments_folder)
    except CorruptionError as error:
        return error
