"""What was stored elsewhere becomes part of a collection, to the bit: nothing is encoded again."""

from collections.abc import Sequence

from index.codebook import Codebook
from index.codecs.base import Codec
from index.importing.exported import Exported, ExportedDocument
from index.indexing import Texts, Written, cluster
from index.lexical.postings import words_of, write_words
from index.records import PlacedPassage, Placement, StoredDocument
from index.segment import write_encoded
from index.store import Store
from lfm2_colbert.multivectors import MultiVectors

Waiting = Sequence[tuple[StoredDocument, ExportedDocument]]
"""Documents as they were just put, and as they were exported."""


def place(
    store: Store, codec: Codec, codebook: Codebook | None, exported: Exported, batch: Sequence[ExportedDocument]
) -> None:
    """Make documents searchable that wait, in the transaction that put them.

    Raises:
        CorruptionError: a stored value is not finite.
        StorageError: the disk refused; the transaction fails with it.
    """
    found = ((store.document(each.document.id), each) for each in batch if each.passages is not None)
    waiting = [(document, each) for document, each in found if document and document.pending]
    if any(each.passages for _, each in waiting):
        written = _write(store, codec, codebook, exported, waiting)
        store.publish([written.segment], _placements(waiting, written.segment.number))
        store.add_lists(written.lists)
        store.add_words([written.words])
    else:  # there is nothing in them to search
        store.publish([], _placements(waiting, 0))


def _write(store: Store, codec: Codec, codebook: Codebook | None, exported: Exported, waiting: Waiting) -> Written:
    folder, number = store.segment_files, store.next_segment_number()
    arrays, offsets = exported.stored([each for _, each in waiting])
    info = write_encoded(folder, number, codec.name, store.settings.dim, arrays, offsets)
    lists = cluster(folder, number, MultiVectors(codec.decode(arrays), offsets), codebook) if codebook else ()
    texts = _texts(waiting)
    return Written(info, lists, write_words(folder, number, words_of(texts.passages, texts.documents)))


def _texts(waiting: Waiting) -> Texts:
    pairs = [(document, passage) for document, each in waiting for passage in each.passages or ()]
    return Texts([d.text[p.start : p.end] for d, p in pairs], [d.key for d, _ in pairs])


def _placements(waiting: Waiting, segment: int) -> list[Placement]:
    placements, row = [], 0
    for document, each in waiting:
        passages = each.passages or ()
        placed = tuple(PlacedPassage(passage, segment, row + i) for i, passage in enumerate(passages))
        placements.append(Placement(document.key, document.version, placed))
        row += len(passages)
    return placements
