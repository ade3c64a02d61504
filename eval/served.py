"""A collection of a task's documents as a person would have it, and what it answers."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import xxhash

from eval.machine import code_fingerprint
from eval.vectors import Cost, KeptVectors
from index.collection import Collection
from index.durable import disk_errors
from index.indexing import OnProgress
from index.types import Document, SearchResult
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.multivectors import MultiVectors

NAME, VECTORS, OPTIMIZED = "served", "vectors", "optimized"
DATABASE = "store.db"


@dataclass(frozen=True, slots=True)
class Build:
    """What a collection is built with."""

    codec: str = "scalar4"
    pool: int = 1


class Served(AbstractContextManager["Served"]):
    """The documents of a task in a collection of their own, kept for the next time, as long as the code is the same."""

    def __init__(
        self,
        documents: Mapping[str, Document],
        encoder: Encoder,
        build: Build,
        folder: Path,
        *,
        parts: Sequence[Mapping[str, Document]] = (),
    ) -> None:
        """Name the folder; `index` does the work.

        Args:
            documents: by id.
            encoder: to evaluate.
            build: what the collection is built with.
            folder: of all collections of evaluations; this one lies there under what it is made of.
            parts: collections that may have been evaluated, whose vectors are not made again.
        """
        self.documents = documents
        corpus, code = corpus_key(documents, encoder, build), code_fingerprint()
        self.key, self.folder = f"{corpus} {code}", folder / corpus
        self._name = f"{NAME}-{code}"
        borrowed = [folder / corpus_key(part, encoder, build) / VECTORS for part in parts]
        self.encoder = KeptVectors(encoder, self.folder / VECTORS, borrowed)
        self._build = build
        self._collection: Collection | None = None
        self._passages: list[tuple[str, str]] | None = None
        self.truncated = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._collection is not None:
            self._collection.close()

    def index(self, on_progress: OnProgress) -> None:
        """Make the collection, or finish it where it was begun; nothing more where that was done.

        Raises:
            IndexLockedError: another process is at it.
            StorageError: the disk refused.
        """
        if self._collection is not None:
            return
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            for other in self.folder.glob(f"{NAME}-*"):
                if other.name != self._name:  # other code made it, and may have coded otherwise
                    shutil.rmtree(other)
        self._collection = collection = Collection.open(
            self._name,
            create=True,
            encoder=self.encoder,
            codec=self._build.codec,
            pool=self._build.pool,
            home=self.folder,
        )
        collection.add(self.documents.values(), on_progress=on_progress)
        done = self.folder / self._name / OPTIMIZED  # a small collection cannot be calibrated, whatever is tried
        if not collection.calibrated and not done.exists():  # a large one was optimised while documents were added
            collection.optimize()
            done.touch()

    @property
    def passages(self) -> list[tuple[str, str]]:
        """Document id and text of each passage, in the order of the documents."""
        if self._passages is None:
            self._passages = []
            for document_id, document in self.documents.items():
                for passage in self._opened().passages(document_id):
                    self._passages.append((document_id, document.text[passage.start : passage.end]))
                    self.truncated += passage.tokens > self.encoder.max_document_tokens
        return self._passages

    @property
    def cost(self) -> Cost:
        """What encoding the documents took."""
        return self.encoder.cost

    def vectors(self) -> MultiVectors:
        """Give the encoder's vectors of all passages, float16 as they are kept, in their order."""
        return self.encoder.kept([text for _, text in self.passages])

    def index_bytes(self) -> int:
        """Count the bytes of all files of the index, without the database of texts."""
        files = (path for path in (self.folder / self._name).rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files if not path.name.startswith(DATABASE))

    def bytes_per_token(self) -> float:
        """Divide the bytes of the index by its tokens."""
        return self.index_bytes() / max(self._opened().counts().tokens, 1)

    def search(self, query: str, k: int, mode: str, effort: str) -> SearchResult:
        """Ask a query by itself, as a person would."""
        return self._opened().search(query, k=k, mode=mode, effort=effort, highlight=False)

    def _opened(self) -> Collection:
        if self._collection is None:
            raise RuntimeError("index() comes before anything else")
        return self._collection


def corpus_key(documents: Mapping[str, Document], encoder: Encoder, build: Build) -> str:
    """Name what a collection is made of: its documents, the encoder, and how vectors are stored."""
    parts = f"{documents_key(documents)} {encoder.fingerprint} {build.codec} {build.pool}"
    return xxhash.xxh3_128_hexdigest(parts.encode())


def documents_key(documents: Mapping[str, Document]) -> str:
    """Name documents by their ids and texts, in their order."""
    digest = xxhash.xxh3_128()
    for document_id, document in documents.items():
        for part in (document_id, document.text):
            data = part.encode(errors="surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
