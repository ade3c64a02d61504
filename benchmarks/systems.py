"""The systems compared on a task: the engine as it is served, and what it has to be measured against."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eval.baselines import bm25
from eval.datasets.base import Task
from eval.oracle import all_scores, best_documents, largest_deviation
from index import Collection
from index.chunking import chunk
from index.home import collection_folder
from index.store import Store
from lfm2_colbert.encoders.base import Encoder

FOUND = 100
"""Documents taken of each query: recall is measured at 100."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a system found, and what finding it cost.

    Attributes:
        system: its name, as in results.
        setting: its parameters, in a word.
        run: query id → document id → score.
        passages: stretches of text that were scored.
        costs: figures of this system, by the names they have in results.
        deviation: of the oracle from the definition of MaxSim.
    """

    system: str
    setting: str
    run: Mapping[str, Mapping[str, float]]
    passages: int
    costs: Mapping[str, float]
    deviation: float = 0.0


def served(task: Task, encoder: Encoder, setting: str) -> Ranking:
    """Index the documents into a collection of its own and ask it each query, as a person would."""
    with tempfile.TemporaryDirectory() as home:
        with Collection.open("task", create=True, encoder=encoder, home=home) as collection:
            report = collection.add(task.documents.values())
            n_tokens = collection.counts().tokens
            with Store.open(collection_folder(home, "task"), writable=False) as store:
                n_bytes = sum(segment.n_bytes for segment in store.segments())
            run, milliseconds = {}, []
            for query_id, query in task.queries.items():
                result = collection.search(query, k=FOUND, mode="semantic", highlight=False)
                run[query_id] = {hit.document_id: hit.raw_score for hit in result}
                milliseconds.append(sum(result.timings_ms.values()))
    costs = {
        "encode_docs_per_s": round(report.documents / report.seconds, 1),
        "search_ms_p50": round(float(np.percentile(milliseconds, 50)), 1),
        "search_ms_p95": round(float(np.percentile(milliseconds, 95)), 1),
        "load_average": round(os.getloadavg()[0], 1),
        "disk_bytes_per_token": round(n_bytes / n_tokens, 1),
    }
    return Ranking("lfm2-colbert", setting, run, report.passages, costs)


def oracle(task: Task, encoder: Encoder, setting: str) -> Ranking:
    """Score the passages that a collection would hold, by the encoder's output as it is."""
    passages = [
        (document_id, document.text[passage.start : passage.end])
        for document_id, document in task.documents.items()
        for passage in chunk(document.text, encoder)
    ]
    return _by_vectors("oracle", setting, task, encoder, passages)


def truncated(task: Task, encoder: Encoder, setting: str) -> Ranking:
    """Score whole documents, of which the encoder reads the beginning alone."""
    documents = [(document_id, document.text) for document_id, document in task.documents.items()]
    return _by_vectors("truncated", setting, task, encoder, documents)


def lexical(task: Task) -> Ranking:
    """Rank by BM25."""
    return Ranking("bm25", "k1=0.9 b=0.4", bm25(task, k=FOUND), len(task.documents), {})


def _by_vectors(system: str, setting: str, task: Task, encoder: Encoder, passages: list[tuple[str, str]]) -> Ranking:
    queries = encoder.encode_queries(list(task.queries.values()))
    vectors = encoder.encode_documents([text for _, text in passages])
    scores = all_scores(queries, vectors)
    run = best_documents(scores, list(task.queries), [document_id for document_id, _ in passages], FOUND)
    deviation = largest_deviation(scores, queries, vectors, SEED)
    return Ranking(system, setting, run, len(passages), {}, deviation)
