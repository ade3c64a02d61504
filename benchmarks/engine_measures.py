"""How much of what exact MaxSim finds does an engine find, and how good is it for the documents that were judged?"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.measures import measure
from eval.oracle import all_scores
from lfm2_colbert.multivectors import MultiVectors

SAME_SCORE = 1e-4
"""Scores as close as this are ties: sums of float32 in another order, or passages that say the same."""


def digest(folder: Path, names: Sequence[str]) -> str:
    """Name what lies in the files of a folder, so that what was computed from it is not taken for something else."""
    known = hashlib.sha256()
    for name in names:
        with (folder / name).open("rb") as content:
            known.update(hashlib.file_digest(content, "sha256").digest())
    return known.hexdigest()[:12]


def exact_scores(
    queries: MultiVectors, passages: MultiVectors, folder: Path, passages_name: str
) -> NDArray[np.float32]:
    """Give exact MaxSim, ``(n_queries, n_passages)``, computed once and kept beside the queries.

    Args:
        queries: float32.
        passages: float16.
        folder: where the queries lie.
        passages_name: digest of the passages.
    """
    asked = digest(folder, ("queries.npy", "query_offsets.npy"))
    path = folder / f"exact-{passages_name}-{asked}.npy"
    if not path.exists():
        np.save(path, all_scores(queries, passages))
    return np.asarray(np.load(path), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """What documents are worth to queries.

    Attributes:
        documents: ``(n_passages,)``, the document of each passage.
        qrels: for each query, document → grade.
    """

    documents: NDArray[np.int64]
    qrels: Sequence[dict[int, int]]

    def ndcg(self, queries: NDArray[np.int64], found: NDArray[np.int64], scores: NDArray[np.float32]) -> float:
        """Give nDCG@10 of what was found for some of the queries; see `ndcg_of_documents`."""
        return ndcg_of_documents(found, scores, self.documents, [self.qrels[i] for i in queries])


def best_passages(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Give the `k` best of each row, best first, ties by number: ``(n_queries, min(k, n_passages))``."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def recall(found: NDArray[np.int64], exact: NDArray[np.float32], k: int) -> float:
    """Give the share of the `k` best passages that are among the first `k` found, mean over queries.

    Args:
        found: ``(n_queries, n)`` numbers, −1 where there is none.
        exact: ``(n_queries, n_passages)``, of the same queries.
        k: at most ``n_passages``.
    """
    return recall_among(found[:, :k], exact, k)


def recall_among(found: NDArray[np.int64], exact: NDArray[np.float32], k: int) -> float:
    """Give the share of the `k` best passages that were found at all, mean over queries; arguments as of `recall`.

    A passage whose exact score equals that of the k-th best is as good as that one.
    """
    shares = []
    for row, scores in zip(found, exact, strict=True):
        passages = np.unique(row[row >= 0])
        threshold = np.partition(scores, -k)[-k] - SAME_SCORE
        shares.append(min(int(np.count_nonzero(scores[passages] >= threshold)), k) / k)
    return float(np.mean(shares))


def ndcg_of_documents(
    found: NDArray[np.int64],
    scores: NDArray[np.float32],
    documents: NDArray[np.int64],
    qrels: Sequence[dict[int, int]],
) -> float:
    """Give nDCG@10 of documents, each as good as its best passage found, mean over queries.

    Args:
        found: ``(n_queries, n)`` numbers, −1 where there is none.
        scores: of what was found.
        documents: ``(n_passages,)``, the document of each passage.
        qrels: for each of these queries, document → grade.
    """
    run: dict[str, dict[str, float]] = {}
    for i, (passages, values) in enumerate(zip(found, scores, strict=True)):
        best: dict[str, float] = {}
        for passage, value in zip(passages[passages >= 0], values[passages >= 0], strict=True):
            document = str(documents[passage])
            best[document] = max(float(value), best.get(document, -np.inf))
        run[str(i)] = best
    judged = {str(i): {str(number): grade for number, grade in own.items()} for i, own in enumerate(qrels)}
    return measure(judged, run).mean["nDCG@10"]


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """Give the places of the points that no other beats: none costs as little and gains as much, and is better in one.

    They come in order of their cost; of equal points all are kept.
    """
    places = sorted(range(len(costs)), key=lambda i: (costs[i], -gains[i]))
    front: list[int] = []
    for i in places:
        if not front or gains[i] > gains[front[-1]] or (costs[i], gains[i]) == (costs[front[-1]], gains[front[-1]]):
            front.append(i)
    return front
