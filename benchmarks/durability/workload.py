"""What is done to a store while it is being disturbed, and what must be in it afterwards."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from index.codecs.float16 import Float16
from index.durable import DISK, Disk
from index.merging import merge_all
from index.records import CollectionSettings, PlacedPassage, Placement
from index.segment import Segment, write_segment
from index.store import Store
from index.types import Document, Passage
from index.verify import verify
from lfm2_colbert.multivectors import MultiVectors

SETTINGS = CollectionSettings("stub", "f00d", 8, "float16", "durability")
WORDS = ("Hund", "größe", "東京", "서울", "باريس", "กรุงเทพ", "cafe\u0301", "👩‍👩‍👧‍👦")
DOCUMENTS_PER_PUBLICATION = 7

Contents = dict[str, tuple[str, int]]
"""Documents by id: text, and a number kept as metadata."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that is acknowledged as a whole or not at all.

    Attributes:
        kind: name in `OPERATIONS`.
        put: documents to be stored.
        delete: ids to be deleted.
    """

    kind: str
    put: Contents = field(default_factory=dict)
    delete: tuple[str, ...] = ()

    def after(self, contents: Contents) -> Contents:
        """Give what is stored after it."""
        changed = contents | self.put
        return {document_id: value for document_id, value in changed.items() if document_id not in self.delete}


def encode(text: str) -> NDArray[np.float32]:
    """Give 1 to 3 vectors that only this text has, exact in half precision."""
    seed = xxhash.xxh3_64_intdigest(text.encode())
    return np.random.default_rng(seed).integers(-100, 100, (1 + seed % 3, SETTINGS.dim)).astype(np.float32)


def draw(chance: random.Random, contents: Contents, n_ids: int = 30) -> Operation:
    """Draw an operation; texts are of very different lengths, so that some fill pages and some do not."""
    kind = chance.choices(("put", "describe", "delete", "publish", "compact"), (5, 1, 2, 5, 2))[0]
    ids = [f"文書/{chance.randrange(n_ids)}" for _ in range(chance.choice((1, 1, 2, 6)))]
    if kind == "put":
        return Operation(kind, {document_id: (_text(chance), chance.randrange(10**6)) for document_id in ids})
    known = sorted(contents)
    if kind == "describe" and known:
        document_id = chance.choice(known)
        return Operation(kind, {document_id: (contents[document_id][0], chance.randrange(10**6))})
    if kind == "delete":
        return Operation(kind, delete=tuple(ids))
    return Operation(kind if kind != "describe" else "publish")


def _text(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.choice((1, 5, 40, 400)))) + f" {chance.randrange(10**9)}"


def put_and_delete(store: Store, operation: Operation) -> None:
    """Store and delete documents in one transaction."""
    with store.transaction():
        for document_id, (text, number) in operation.put.items():
            store.put(Document(document_id, text, {"n": number}), None)
        for document_id in operation.delete:
            store.delete(document_id)


def publish(store: Store, _: Operation | None = None) -> None:
    """Make pending documents searchable, as many as fit a publication."""
    batch = store.pending(10**9)[:DOCUMENTS_PER_PUBLICATION]
    if not batch:
        return
    vectors = MultiVectors.of([encode(each.text) for each in batch])
    info = write_segment(store.segment_files, store.next_segment_number(), Float16(), vectors)
    placements = [
        Placement(each.key, each.version, (PlacedPassage(Passage(0, 0, len(each.text), 1, "und"), info.number, row),))
        for row, each in enumerate(batch)
    ]
    with store.transaction():
        store.publish([info], placements)
        store.set_note("frame", {"stub": True})


def compact(store: Store, _: Operation | None = None) -> None:
    """Merge all segments."""
    merge_all(store, Float16())


Action = Callable[[Store, Operation], None]

OPERATIONS: Mapping[str, Action] = {
    "put": put_and_delete,
    "describe": put_and_delete,
    "delete": put_and_delete,
    "publish": publish,
    "compact": compact,
}


def contents_of(store: Store) -> Contents:
    """Read every document, whole."""
    found = [store.document(document_id) for document_id in store.all_ids()]
    return {document.id: (document.text, document.metadata["n"]) for document in found if document}


Judge = Callable[[Contents], str]
"""Says what is wrong with the contents that were found; nothing, if it is empty."""


def one_of(*allowed: Contents) -> Judge:
    """Allow the contents as acknowledged, and others that the operation in flight may have made of them."""
    return lambda found: "" if found in allowed else _difference(found, allowed[0])


def violations(folder: Path, judge: Judge, disk: Disk = DISK, *, use: bool = True) -> list[str]:
    """Open a store that was disturbed and say what is wrong; nothing is, if the list is empty.

    Args:
        folder: of the store.
        judge: knows what it may hold.
        disk: what it is opened with.
        use: go on working with it, too.
    """
    try:
        with Store.open(folder, writable=True, disk=disk) as store:
            found = contents_of(store)
            wrong = [sentence] if (sentence := judge(found)) else []
            wrong += _wrong_vectors(store)
            wrong += [finding.message for finding in verify(folder).damage]
            if use and not wrong:
                wrong += _use(store, found)
        if use and not wrong:
            wrong += [f"after use: {finding.message}" for finding in verify(folder).damage]
        return wrong
    except Exception as error:  # noqa: BLE001  whatever it is, it must not happen
        return [f"{type(error).__name__}: {error}"]


def _difference(found: Contents, expected: Contents) -> str:
    lost = sorted(expected.keys() - found.keys())
    invented = sorted(found.keys() - expected.keys())
    changed = sorted(i for i in expected.keys() & found.keys() if expected[i] != found[i])
    return f"lost {lost}, invented {invented}, other content {changed}"


def _wrong_vectors(store: Store) -> list[str]:
    wrong = []
    for info in store.segments():
        segment = Segment.open(store.segments_folder, info)
        for document, ordinal, row in store.passage_rows(info.number):
            passage = store.passage(document, ordinal)
            stored = segment.arrays["vectors"][slice(*segment.offsets[row : row + 2])]
            if passage is None or not np.array_equal(stored, encode(passage.text)):
                wrong.append(f"segment {info.number} row {row} holds other vectors than its text has")
    return wrong


def _use(store: Store, found: Contents) -> list[str]:
    """Publish what waits, add a document, publish, merge."""
    extra = Operation("put", {"後": ("afterwards", 1)})
    while store.pending_characters():
        publish(store)
    put_and_delete(store, extra)
    publish(store)
    compact(store)
    now = contents_of(store)
    wrong = [] if now == extra.after(found) else ["after use: " + _difference(now, extra.after(found))]
    return wrong + [f"after use: {message}" for message in _wrong_vectors(store)]
