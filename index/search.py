"""One query's vectors against one snapshot: candidates → MaxSim → the best passage of each document."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.candidates.base import CandidateGenerator
from index.codecs.base import Codec
from index.scoring import score_segment
from index.snapshot import Snapshot

Names = Callable[[Iterable[int]], Mapping[int, str]]
"""From document keys to document ids."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A document by its best passage: where that lies, and its MaxSim."""

    document: int
    document_id: str
    ordinal: int
    part: int
    row: int
    score: float


def search_snapshot(
    query: NDArray[np.float32], snapshot: Snapshot, generator: CandidateGenerator, codec: Codec, k: int, names: Names
) -> list[Scored]:
    """Give the `k` best documents, best first; equal scores in the order of their ids.

    Args:
        query: ``(n_q, dim)`` float32.
        snapshot: the state to search.
        generator: decides which rows deserve MaxSim.
        codec: of the collection.
        k: documents wanted.
        names: looks ids up, for the documents that can be among the best alone.
    """
    live = [part.live for part in snapshot.parts]
    rows = generator.candidates(query, [part.segment for part in snapshot.parts], live, k)
    if not sum(map(len, rows)):
        return []
    parts = list(zip(snapshot.parts, rows, strict=True))
    scores = np.concatenate([score_segment(query, part.segment, codec, own) for part, own in parts])
    documents = np.concatenate([part.documents[own] for part, own in parts])
    ordinals = np.concatenate([part.ordinals[own] for part, own in parts])
    place = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    row = np.concatenate(rows)
    best = _best_passages(documents, ordinals, scores, k)
    ids = names(documents[best].tolist())
    found = [
        Scored(key, ids[key], int(ordinals[i]), int(place[i]), int(row[i]), float(scores[i]))
        for i, key in zip(best, documents[best].tolist(), strict=True)
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.document_id))[:k]


def _best_passages(
    documents: NDArray[np.int64], ordinals: NDArray[np.int64], scores: NDArray[np.float32], k: int
) -> NDArray[np.int64]:
    """Index of the best passage of each of the `k` best documents, and of all that tie with the last of them."""
    order = np.lexsort((ordinals, -scores))  # of equal passages of a document, the first in reading order
    _, first = np.unique(documents[order], return_index=True)
    best: NDArray[np.int64] = order[np.sort(first)]
    if len(best) <= k:
        return best
    n_tied = np.searchsorted(-scores[best], -scores[best[k - 1]], side="right")
    return best[:n_tied]
