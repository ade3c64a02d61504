"""A small collection with every kind of file in it, and what it answers: to be damaged, copied and compared."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.collection import Collection
from index.effort import Effort
from index.maintenance import train_codebook
from index.types import Document

NAME = "subject"
TEXTS = (
    "Wie viele Tage Urlaub stehen mir zu?", "Annual leave is thirty days.", "الإجازة السنوية ثلاثون يومًا",
    "年次有給休暇は三十日です。", "연차 휴가는 30일입니다.", "每年有三十天假期。", "ลาพักร้อนได้สามสิบวัน",
    "Le café est gratuit 👩‍👩‍👧‍👦.",
)  # fmt: skip
QUERIES = ("Tage Urlaub", "leave days", "休暇", "café", "الإجازة", "กรุงเทพ")

Answers = dict[str, list[tuple[str, float]]]
Documents = dict[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a collection holds and answers at effort ``exact``."""

    documents: Documents
    answers: Answers


def build(home: Path, n_documents: int = 40) -> Facts:
    """Make a collection with several segments, tombstones, a codebook and posting lists."""
    with Collection.open(NAME, create=True, encoder="hashing", home=home) as collection:
        for first in range(0, n_documents, 10):
            numbers = range(first, min(first + 10, n_documents))
            collection.add([Document(f"文書/{n}", f"{TEXTS[n % len(TEXTS)]} {n}", {"n": n}) for n in numbers])
        collection.add([Document("文書/1", "changed: 変更後 Urlaub", {"n": 1})])
        collection.delete("文書/2")
        train_codebook(collection._store, collection._coding.required(), np.random.default_rng(0))
        return facts(collection)


def fresh_copies(scratch: Path, whole: Path, n: int) -> Iterator[tuple[int, Path]]:
    """Give a copy of a home to be damaged, one after the other in the same place, each with its number."""
    for number in range(n):
        home = scratch / "damaged"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(whole, home)
        yield number, home


def facts(collection: Collection) -> Facts:
    """Read everything."""
    stored = [collection.get(document_id) for document_id in collection.ids()]
    documents = {document.id: (document.text, document.metadata["n"]) for document in stored if document}
    return Facts(documents, {query: answer(collection, query) for query in QUERIES})


def answer(collection: Collection, query: str) -> list[tuple[str, float]]:
    """Ask exactly."""
    result = collection.search(query, k=10, effort=Effort.EXACT, mode="semantic", highlight=False)
    return [(hit.document_id, hit.raw_score) for hit in result]
