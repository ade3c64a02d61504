"""Pending documents become searchable: chunk → encode → segment → publish, in batches that survive a kill."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from index.chunking import chunk
from index.codebook import Codebook
from index.codecs.base import Codec
from index.durable import Folder
from index.language import language_of
from index.lexical.postings import words_of, write_words
from index.lists import write_lists
from index.near_duplicates import Repeated, Sample
from index.pooling import pool
from index.records import (
    CollectionSettings,
    ListsInfo,
    PendingDocument,
    PlacedPassage,
    Placement,
    SegmentInfo,
    WordsInfo,
)
from index.segment import write_segment
from index.spans import stored
from index.store import Store
from index.types import Passage
from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.multivectors import MultiVectors

CHARACTERS_PER_BATCH = 1_000_000
PASSAGES_PER_SEGMENT = 2048
"""Their vectors are in memory at once, twice while they are joined: of 176 tokens and 128 dimensions, 185 MB."""
PASSAGES_PER_ENCODING = 256
LISTED_TOKENS = 2048
"""Smaller segments are searched whole until they are merged: two syncs less before a single document is visible."""


@dataclass(frozen=True, slots=True)
class EncodingProgress:
    """How far an indexing run has come.

    Attributes:
        characters: code points whose documents have been encoded.
        total_characters: code points that were pending when the run began.
        passages: passages encoded so far.
        documents: documents made searchable so far.
    """

    characters: float
    total_characters: int
    passages: int
    documents: int


OnProgress = Callable[[EncodingProgress], None]


@dataclass(frozen=True, slots=True)
class Texts:
    """Passages and the key of the document that each is of; those of one document stand together."""

    passages: Sequence[str]
    documents: Sequence[int]


@dataclass(frozen=True, slots=True)
class Written:
    """A segment with what lies beside it, durable and not yet published; no lists without a codebook."""

    segment: SegmentInfo
    lists: tuple[ListsInfo, ...]
    words: WordsInfo


@dataclass(slots=True)
class IndexingReport:
    """What a run encoded.

    Attributes:
        passages: encoded.
        documents: made searchable.
        truncated: passages that the encoder could not read whole.
        repeated: passages that are nearly the same as others.
    """

    passages: int = 0
    documents: int = 0
    truncated: int = 0
    repeated: Repeated = field(default_factory=lambda: Repeated(0, 0))


class Target(Protocol):
    """Where passages go: a `Store`, or the `index.staging.Staging` of a rebuild."""

    settings: CollectionSettings

    @property
    def segment_files(self) -> Folder:
        """Where segments are written."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit the block as a whole."""

    def pending(self, limit_characters: int) -> list[PendingDocument]:
        """Give documents that wait."""

    def pending_characters(self) -> int:
        """Add up the lengths of what waits."""

    def next_segment_number(self) -> int:
        """Give a number for a new segment."""

    def publish(self, segments: Sequence[SegmentInfo], placements: Sequence[Placement]) -> int:
        """Make passages searchable; count the documents."""

    def add_lists(self, lists: Sequence[ListsInfo]) -> None:
        """Publish posting lists."""

    def add_words(self, words: Sequence[WordsInfo]) -> None:
        """Publish the words of segments."""


CodecFor = Callable[[MultiVectors], Codec]
"""Gives the collection's codec; the first vectors a collection sees decide its frame."""


Stopped = Callable[[], bool]
"""Asked between two batches: whether the rest shall wait for another run."""


def never() -> bool:
    """Go on to the end."""
    return False


def index_pending(
    store: Target,
    encoder: Encoder,
    codec_for: CodecFor,
    codebook: Codebook | None,
    on_progress: OnProgress,
    stopped: Stopped = never,
) -> IndexingReport:
    """Encode and publish pending documents, clustered where there is a codebook, until none is left or it is stopped.

    Each batch is one commit: documents of it are searchable together, or, after a kill, still pending.

    Raises:
        NonFiniteVectorError: the encoder failed on a passage; batches before it stay published.
        StorageError: the disk refused; batches before it stay published.
    """
    run = _Run(store, encoder, codec_for, codebook, on_progress)
    while not stopped() and (batch := store.pending(CHARACTERS_PER_BATCH)):
        run.publish(batch)
    run.report.repeated = run.sample.found()
    return run.report


def cluster(folder: Folder, segment: int, vectors: MultiVectors, codebook: Codebook | None) -> tuple[ListsInfo, ...]:
    """Write a segment's posting lists, if there is a codebook and it is worth it."""
    if codebook is None or len(vectors.vectors) < LISTED_TOKENS:
        return ()
    codes = codebook.nearest(vectors.vectors.astype(np.float32, copy=False))
    return (write_lists(folder, segment, codebook.number, len(codebook.levels), codes, vectors.offsets),)


def write_passages(
    store: Target,
    codec_for: CodecFor,
    codebook: Codebook | None,
    texts: Texts,
    vectors: MultiVectors,
    spans: Sequence[Spans] | None = None,
) -> Written:
    """Pool vectors as the collection does and write them as a segment, its words beside it, and lists of centroids.

    With the encoder's spans, what each vector stands for is kept.
    """
    pooled = pool(vectors, store.settings.pool)
    folder, number, codec = store.segment_files, store.next_segment_number(), codec_for(pooled.vectors)
    kept = None if spans is None else stored(spans, pooled)
    info = write_segment(folder, number, codec, pooled.vectors, pooled.origins, kept)
    lists = cluster(folder, number, pooled.vectors, codebook)
    return Written(info, lists, write_words(folder, number, words_of(texts.passages, texts.documents)))


def publish_vectors(
    store: Store, codec_for: CodecFor, codebook: Codebook | None, ids: Sequence[str], vectors: MultiVectors
) -> None:
    """Make pending documents searchable by vectors that somebody else computed: one passage each, the whole text.

    A passage's `tokens` are the vectors given, also where fewer are stored.

    Args:
        store: open for writing.
        codec_for: gives the collection's codec.
        codebook: of the collection, if it has one.
        ids: the documents; those that are not pending are passed over.
        vectors: one item for each id.

    Raises:
        InvalidArgumentError: an item has too many vectors to be pooled.
        NonFiniteVectorError: a value is NaN or infinite.
    """
    found = ((row, store.document(document_id)) for row, document_id in enumerate(ids))
    waiting = [(row, document) for row, document in found if document and document.pending]
    if not waiting:
        return
    vectors = vectors.take([row for row, _ in waiting])
    texts = Texts([document.text for _, document in waiting], [document.key for _, document in waiting])
    written = write_passages(store, codec_for, codebook, texts, vectors)
    placements = []
    for row, (_, document) in enumerate(waiting):
        passage = Passage(0, 0, len(document.text), int(vectors.lengths[row]), language_of(document.text))
        placements.append(
            Placement(document.key, document.version, (PlacedPassage(passage, written.segment.number, row),))
        )
    with store.transaction():
        _publish(store, [written], placements)


def _publish(store: Target, written: Sequence[Written], placements: Sequence[Placement]) -> int:
    n_placed = store.publish([each.segment for each in written], placements)
    store.add_lists([lists for each in written for lists in each.lists])
    store.add_words([each.words for each in written])
    return n_placed


class _Run:
    def __init__(
        self,
        store: Target,
        encoder: Encoder,
        codec_for: CodecFor,
        codebook: Codebook | None,
        on_progress: OnProgress,
    ) -> None:
        self._store, self._encoder, self._codec_for = store, encoder, codec_for
        self._codebook, self._on_progress = codebook, on_progress
        self._total = store.pending_characters()
        self._done = 0.0
        self.report, self.sample = IndexingReport(), Sample()

    def publish(self, batch: Sequence[PendingDocument]) -> None:
        cut = [(document, chunk(document.text, self._encoder)) for document in batch]
        written, places = self._write([(d, passage) for d, passages in cut for passage in passages])
        placements, first = [], 0
        for document, passages in cut:
            own = [PlacedPassage(p, *places[first + i]) for i, p in enumerate(passages)]
            placements.append(Placement(document.key, document.version, tuple(own)))
            first += len(passages)
            self.report.truncated += sum(p.tokens > self._encoder.max_document_tokens for p in passages)
        with self._store.transaction():
            self.report.documents += _publish(self._store, written, placements)

    def _write(
        self, passages: Sequence[tuple[PendingDocument, Passage]]
    ) -> tuple[list[Written], list[tuple[int, int]]]:
        """Encode passages into as many segments as they need; give each passage's segment and row."""
        written: list[Written] = []
        places: list[tuple[int, int]] = []
        for start in range(0, len(passages), PASSAGES_PER_SEGMENT):
            part = passages[start : start + PASSAGES_PER_SEGMENT]
            texts = Texts([d.text[p.start : p.end] for d, p in part], [d.key for d, _ in part])
            self.sample.add(texts.passages)
            vectors = self._encode(texts.passages)
            spans = [self._encoder.document_spans(text) for text in texts.passages]
            written.append(write_passages(self._store, self._codec_for, self._codebook, texts, vectors, spans))
            places += [(written[-1].segment.number, row) for row in range(len(part))]
        return written, places

    def _encode(self, texts: Sequence[str]) -> MultiVectors:
        items = []
        for start in range(0, len(texts), PASSAGES_PER_ENCODING):
            part = texts[start : start + PASSAGES_PER_ENCODING]
            items += list(self._encoder.encode_documents(part))
            self._done += sum(map(len, part))
            self.report.passages += len(part)
            done = min(self._done, self._total)  # passages overlap a little
            self._on_progress(EncodingProgress(done, self._total, self.report.passages, self.report.documents))
        return MultiVectors.of(items, dim=self._encoder.dim)
