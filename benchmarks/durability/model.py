"""D9: a long random life of a collection beside a dict that says what it must hold and answer.

Every search at effort ``exact`` is compared with MaxSim over the vectors of the documents that the dict has, as the
codec stores them.
"""

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.durability.collections import TEXTS
from benchmarks.durability.crashes import scratch_folder
from index.backup import backup, restore
from index.collection import Collection
from index.maxsim import maxsim_scores
from index.types import Document
from index.verify import verify
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

NAME = "model"
N_IDS = 25
STEPS_PER_LIFE = 250
"""Then another collection begins."""
TOLERANCE = 1e-4
STEPS = {
    "put": 6, "describe": 2, "delete": 3, "search": 8, "get": 4, "index_pending": 1, "optimize": 1, "reopen": 1,
    "crash": 1, "back_up": 1, "restore": 1,
}  # fmt: skip
"""How often each kind of step is drawn."""


@dataclass(slots=True)
class Life:
    """How many steps were made, how many of each kind, and where collection and model parted."""

    steps: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def live(n_steps: int, seed: int) -> Life:
    """Make steps, in life after life."""
    life = Life()
    while life.steps < n_steps:
        with scratch_folder() as scratch:
            model = _Model(scratch, random.Random(seed), life, f"seed {seed}")
            for _ in range(min(STEPS_PER_LIFE, n_steps - life.steps)):
                model.step()
            model.close()
        seed += 1
    return life


class _Model:
    def __init__(self, scratch: Path, chance: random.Random, life: Life, name: str) -> None:
        self._scratch, self._chance, self._life, self._name = scratch, chance, life, name
        self._home, self._n_homes = scratch / "home-0", 0
        self._encoder: Encoder = HashingEncoder()
        self._documents: dict[str, tuple[str, dict[str, Any]]] = {}
        self._backed_up: dict[str, tuple[str, dict[str, Any]]] | None = None
        self._collection = self._open(create=True)

    def step(self) -> None:
        kind = self._chance.choices(list(STEPS), list(STEPS.values()))[0]
        self._life.steps += 1
        self._life.kinds[kind] = self._life.kinds.get(kind, 0) + 1
        try:
            getattr(self, kind)()
        except Exception as error:  # noqa: BLE001  whatever it is, it must not happen
            self._wrong(f"{kind} ended with {type(error).__name__}: {error}")

    def close(self) -> None:
        """Look at everything once more."""
        self.reopen()
        self._collection.close()
        for finding in verify(self._home / NAME).damage:
            self._wrong(finding.message)

    def put(self) -> None:
        ids = {f"文書/{self._chance.randrange(N_IDS)}" for _ in range(self._chance.choice((1, 1, 3)))}
        new = {document_id: (self._text(), self._metadata()) for document_id in ids}
        self._collection.add([Document(document_id, *value) for document_id, value in new.items()])
        self._documents |= new

    def describe(self) -> None:
        if self._documents:
            document_id = self._chance.choice(sorted(self._documents))
            text, metadata = self._documents[document_id][0], self._metadata()
            report = self._collection.add([Document(document_id, text, metadata)])
            self._expect(report.encoded_passages, 0, "encoded for metadata alone")
            self._documents[document_id] = (text, metadata)

    def delete(self) -> None:
        document_id = f"文書/{self._chance.randrange(N_IDS)}"
        self._expect(self._collection.delete(document_id), document_id in self._documents, f"delete {document_id}")
        self._documents.pop(document_id, None)

    def get(self) -> None:
        document_id = f"文書/{self._chance.randrange(N_IDS)}"
        found = self._collection.get(document_id)
        self._expect((found.text, dict(found.metadata)) if found else None, self._documents.get(document_id), "get")

    def search(self) -> None:
        query = f"{self._chance.choice(TEXTS)} {self._chance.randrange(100)}"  # short enough to be asked in one piece
        found = self._collection.search(query, k=5, effort="exact", mode="semantic", highlight=False)
        self._expect_ranking(query, [(hit.document_id, hit.raw_score) for hit in found])
        for hit in found:
            self._expect(hit.metadata, self._documents.get(hit.document_id, ("", {}))[1], "metadata of a hit")

    def index_pending(self) -> None:
        self._expect(self._collection.index_pending().passages, 0, "pending passages")

    def optimize(self) -> None:
        self._collection.optimize()

    def reopen(self) -> None:
        self._collection.close()
        self._collection = self._open()
        self._expect(self._collection.ids(), sorted(self._documents), "ids after reopening")

    def crash(self) -> None:
        """Go on with a copy of the folder as kill -9 would leave it."""
        home = self._next_home()
        shutil.copytree(self._home, home, ignore=shutil.ignore_patterns("*-shm"))
        self._collection.close()
        shutil.rmtree(self._home)
        self._home, self._collection = home, self._open(home)
        self._expect(self._collection.ids(), sorted(self._documents), "ids after a crash")

    def back_up(self) -> None:
        shutil.rmtree(self._scratch / "backup", ignore_errors=True)
        backup(self._home / NAME, self._scratch / "backup")
        self._backed_up = dict(self._documents)

    def restore(self) -> None:
        if self._backed_up is not None:
            self._collection.close()
            shutil.rmtree(self._home)
            self._home = self._next_home()
            restore(self._scratch / "backup", self._home / NAME)
            self._documents, self._collection = dict(self._backed_up), self._open()
            self._expect(self._collection.ids(), sorted(self._documents), "ids after restoring")

    def _open(self, home: Path | None = None, *, create: bool = False) -> Collection:
        return Collection.open(
            NAME, create=create, encoder=self._encoder, codec="float16" if create else None, home=home or self._home
        )

    def _next_home(self) -> Path:
        self._n_homes += 1
        return self._scratch / f"home-{self._n_homes}"

    def _text(self) -> str:
        chosen = self._chance.choices(TEXTS, k=self._chance.choice((1, 2)))
        return " ".join(chosen) + f" {self._chance.randrange(100)}"

    def _metadata(self) -> dict[str, Any]:
        return {"year": self._chance.randrange(2000, 2030)}

    def _expect_ranking(self, query: str, found: list[tuple[str, float]]) -> None:
        """Compare scores in order, and ids where neighbouring scores differ by more than the codec rounds."""
        ids = sorted(self._documents)
        if not ids:
            self._expect(found, [], "hits of an empty collection")
            return
        texts = [self._documents[document_id][0] for document_id in ids]
        vectors = self._encoder.encode_documents(texts)
        stored = MultiVectors(vectors.vectors.astype(np.float16).astype(np.float32), vectors.offsets)
        scores = maxsim_scores(self._encoder.encode_queries([query])[0].astype(np.float32), stored)
        expected = sorted(zip(ids, scores.tolist(), strict=True), key=lambda item: (-item[1], item[0]))[: len(found)]
        self._expect(len(found), min(5, len(ids)), "number of hits")
        by_id = dict(zip(ids, scores.tolist(), strict=True))
        for (document_id, score), (_, best) in zip(found, expected, strict=True):
            if abs(score - best) > TOLERANCE or abs(score - by_id.get(document_id, np.inf)) > TOLERANCE:
                self._wrong(f"the query {query!r} found {document_id} with {score}, expected {best}")

    def _expect(self, found: object, expected: object, what: str) -> None:
        if found != expected:
            self._wrong(f"{what}: {found!r:.300}, not {expected!r:.300}")

    def _wrong(self, sentence: str) -> None:
        self._life.violations.append(f"{self._name} step {self._life.steps}: {sentence}")
