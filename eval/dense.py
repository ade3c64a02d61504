"""A single-vector model as a baseline: whole documents, all of them scored by the model's own similarity."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from eval.baselines import searchable
from eval.datasets.base import Task
from eval.machine import code_fingerprint
from eval.oracle import best_documents
from eval.report import SystemKey
from eval.systems import FOUND, Answers, OnQuery, without_own
from eval.writing import replace_file
from index.durable import disk_errors
from index.indexing import EncodingProgress, OnProgress
from lfm2_colbert.checkpoint import files_fingerprint
from lfm2_colbert.errors import NonFiniteVectorError, UnknownNameError
from lfm2_colbert.foreign import ForeignKind, load_foreign

Embeddings = NDArray[np.float32]

DOCUMENTS_PER_PART = 256
"""That are kept at a time: so many are encoded again after a kill, at most."""
QUERIES_PER_BLOCK = 64
DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Of which `encode_document` takes the first that the model has."""
SMALLEST_NORM = 1e-12


class DenseModel:
    """A `sentence_transformers.SentenceTransformer`, as NumPy sees it."""

    def __init__(self, model: Any, name: str, fingerprint: str) -> None:
        """Wrap a loaded model.

        Raises:
            UnknownNameError: its similarity is none of `SIMILARITIES`.
        """
        self._model = model
        self.name, self.fingerprint = name, fingerprint
        similarity = str(model.similarity_fn_name)
        if similarity not in SIMILARITIES:
            raise UnknownNameError.of("similarity of a dense baseline", similarity, SIMILARITIES)
        self.similarities = SIMILARITIES[similarity]

    def encode_queries(self, texts: Sequence[str]) -> Embeddings:
        """Encode queries with the model's prompt for them, ``(n_texts, dim)``."""
        return self._checked(self._model.encode_query(list(texts), show_progress_bar=False))

    def encode_documents(self, texts: Sequence[str]) -> Embeddings:
        """Encode documents with the model's prompt for them, ``(n_texts, dim)``."""
        return self._checked(self._model.encode_document(list(texts), show_progress_bar=False))

    def truncated(self, texts: Sequence[str]) -> int:
        """Count the documents that are longer than the model reads."""
        prompts = self._model.prompts
        prompt = next((prompts[name] or "" for name in DOCUMENT_PROMPTS if name in prompts), "")
        longest = self._model.max_seq_length or math.inf
        tokens = self._model.tokenizer([prompt + text for text in texts], verbose=False)["input_ids"]
        return sum(len(each) > longest for each in tokens)

    def _checked(self, embeddings: Any) -> Embeddings:
        found = np.asarray(embeddings, np.float32)
        if not np.isfinite(found).all():
            raise NonFiniteVectorError(f"{self.name} gave NaN or infinity")
        return found


def load_dense(folder: Path, name: str) -> DenseModel:
    """Load the folder of a single-vector model.

    Raises:
        UnsafeModelError: it holds code, pickles or links that leave it, or is no such model.
        MissingExtraError: sentence-transformers is not installed.
    """
    model = load_foreign(ForeignKind.SentenceTransformer, folder, f"the dense baseline {name}", "torch")
    return DenseModel(model, name, files_fingerprint(folder))


@dataclass(frozen=True, slots=True)
class DenseSystem:
    """A single-vector model that ranks whole documents by scoring them all.

    Attributes:
        model: of the vectors.
        name: of the system in results.
        corpus: key of the documents.
        folder: of all embeddings that are kept.
    """

    model: DenseModel
    name: str
    corpus: str
    folder: Path

    @property
    def key(self) -> SystemKey:
        """Its name, ``dense``."""
        return SystemKey(self.name, "dense")

    @property
    def made_of(self) -> str:
        """The documents and the model."""
        return f"{self.corpus} {self.model.fingerprint} {self.key} {code_fingerprint()}"

    def answer(self, task: Task, on_progress: OnProgress, on_query: OnQuery) -> Answers:
        """Score everything."""
        texts = [searchable(each) for each in task.documents.values()]
        made_of = xxhash.xxh3_128_hexdigest(f"{self.corpus} {self.model.fingerprint}".encode())
        kept = embedded(texts, self.model, self.folder / made_of, on_progress)
        ids, run = list(task.documents), dict[str, Mapping[str, float]]()
        for query_ids in _blocks(list(task.queries), QUERIES_PER_BLOCK):
            asked = self.model.encode_queries([task.queries[each] for each in query_ids])
            scores = self.model.similarities(asked, kept.embeddings)
            run |= best_documents(scores, query_ids, ids, FOUND + task.skips_own)
            for _ in query_ids:
                on_query()
        return Answers(without_own(run, task), len(ids), kept.figures)


@dataclass(frozen=True, slots=True)
class Embedded:
    """Documents of a task by a model.

    Attributes:
        embeddings: ``(n_documents, dim)``.
        seconds: what encoding them took, over all runs that had a part in it.
        truncated: how many were longer than the model reads.
    """

    embeddings: Embeddings
    seconds: float
    truncated: int

    @property
    def figures(self) -> dict[str, float]:
        """Say what it took, as results name it."""
        rate = len(self.embeddings) / self.seconds
        return {
            "truncated": self.truncated,
            "encode_s": round(self.seconds, 1),
            "encode_docs_per_s": round(rate, 1),
        }


def embedded(texts: Sequence[str], model: DenseModel, folder: Path, on_progress: OnProgress) -> Embedded:
    """Give the embeddings of documents; those that the folder lacks are encoded, and kept part by part."""
    total, done, first = sum(map(len, texts)), 0, 0
    parts, costs = [], []
    for some in _blocks(texts, DOCUMENTS_PER_PART):
        path = folder / f"{first:08d}.npy"
        if not path.exists():
            _keep(some, model, path)
        parts.append(np.load(path))
        costs.append(json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
        done, first = done + sum(map(len, some)), first + len(some)
        on_progress(EncodingProgress(done, total, first, first))
    seconds, truncated = (sum(cost[name] for cost in costs) for name in ("seconds", "truncated"))
    return Embedded(np.concatenate(parts), seconds, truncated)


def _keep(texts: Sequence[str], model: DenseModel, path: Path) -> None:
    """Encode a part and keep it with its cost, which comes first: what has its embeddings is whole."""
    started = time.perf_counter()
    embeddings = model.encode_documents(texts)
    cost = {"seconds": time.perf_counter() - started, "truncated": model.truncated(texts)}
    replace_file(path.with_suffix(".json"), json.dumps(cost))
    unfinished = path.with_name(f".{path.name}")
    with disk_errors(path):
        np.save(unfinished, embeddings)
        unfinished.replace(path)


def _dot(queries: Embeddings, documents: Embeddings) -> Embeddings:
    scores: Embeddings = queries @ documents.T
    return scores


def _cosine(queries: Embeddings, documents: Embeddings) -> Embeddings:
    return _dot(_normalised(queries), _normalised(documents))


def _normalised(vectors: Embeddings) -> Embeddings:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: Embeddings = vectors / np.maximum(norms, SMALLEST_NORM, dtype=np.float32)
    return normalised


SIMILARITIES: Mapping[str, Callable[[Embeddings, Embeddings], Embeddings]] = {"cosine": _cosine, "dot": _dot}
"""As sentence-transformers names them → ``(n_queries, dim)``, ``(n_documents, dim)`` → ``(n_queries, n_documents)``."""


def _blocks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
