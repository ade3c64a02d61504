"""Scores of lists by one scorer or by several together, each pair of a query and a document asked for once.

Several are put together as the mean of their scores, each brought to mean 0 and deviation 1 within a query: scorers
have scales of their own.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import xxhash

from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError
from lfm2_colbert.training.journal import Journal
from lfm2_colbert.training.lists import Lists, Row, Scores, standardised

LISTS_PER_SYNC = 64

OnScored = Callable[[str, int, int], None]
"""Told of a scorer by its name, how many lists it has done, and of how many."""


class Scorer(Protocol):
    """Says how well documents answer a query."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def fingerprint(self) -> str:
        """What decides its scores: equal fingerprints give equal scores."""

    def scores(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each document, ``(n,)``; higher is better."""


def score(lists: Lists, scorers: Sequence[Scorer], folder: Path, on_scored: OnScored) -> Lists:
    """Give the same lists with the scorers' scores in the place of those they had.

    Args:
        lists: to score.
        scorers: one, whose scores are kept as they are, or several (`together`).
        folder: keeps what was scored, a file for each scorer; what is there is not asked for again.
        on_scored: told of progress.

    Raises:
        InvalidArgumentError: there is no scorer, or one twice.
        NonFiniteVectorError: a scorer gave NaN or infinity.
    """
    fingerprints = {scorer.fingerprint for scorer in scorers}
    if not scorers or len(fingerprints) < len(scorers):
        raise InvalidArgumentError("lists are scored by one scorer or by several different ones", help="name each once")
    found = [list(_scored(lists, scorer, folder, on_scored)) for scorer in scorers]
    merged = found[0] if len(scorers) == 1 else [together(each) for each in zip(*found, strict=True)]
    rows = (replace(row, scores=tuple(own.tolist())) for row, own in zip(lists.rows, merged, strict=True))
    return Lists(lists.queries, lists.documents, tuple(rows))


def together(scores: Sequence[Scores]) -> Scores:
    """Mean of each scorer's standardised scores of one list."""
    mean: Scores = np.mean([standardised(each) for each in scores], axis=0, dtype=np.float32)
    return mean


def _scored(lists: Lists, scorer: Scorer, folder: Path, on_scored: OnScored) -> list[Scores]:
    """Score all lists by one scorer, and keep what it says."""
    found: list[Scores] = []
    path = folder / f"{xxhash.xxh3_64_hexdigest(scorer.fingerprint.encode())}.jsonl"
    with Journal(path, {"scorer": scorer.name, "fingerprint": scorer.fingerprint}, LISTS_PER_SYNC) as journal:
        kept = {key: value for line in journal.lines[1:] for key, value in line.items()}
        for number, row in enumerate(lists.rows, start=1):
            keys = _keys(lists, row)
            missing = [place for place, key in enumerate(keys) if key not in kept]
            if missing:
                documents = [lists.documents[row.document_ids[place]] for place in missing]
                new = _asked(scorer, lists.queries[row.query_id], documents)
                line = {keys[place]: value for place, value in zip(missing, new.tolist(), strict=True)}
                journal.append(line)
                kept |= line
            found.append(np.array([kept[key] for key in keys], np.float32))
            on_scored(scorer.name, number, len(lists.rows))
    return found


def _asked(scorer: Scorer, query: str, documents: Sequence[str]) -> Scores:
    scores = np.asarray(scorer.scores(query, documents), np.float32)
    if scores.shape != (len(documents),) or not np.isfinite(scores).all():
        raise NonFiniteVectorError(
            f"{scorer.name} gave no finite score for each document of the query '{query:.60}'", help="leave it out"
        )
    return scores


def _keys(lists: Lists, row: Row) -> list[str]:
    """Name each pair of the query and a document by both texts."""
    query = xxhash.xxh3_128(lists.queries[row.query_id].encode(errors="surrogatepass")).digest()
    texts = (lists.documents[each].encode(errors="surrogatepass") for each in row.document_ids)
    return [xxhash.xxh3_128_hexdigest(query + text) for text in texts]
