"""Scores of lists by one scorer or by several together, each pair of a query and a document asked for once.

Several are put together as the mean of their scores, each brought to mean 0 and deviation 1 within a query: scorers
have scales of their own.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import xxhash

from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError
from lfm2_colbert.training.journal import Journal
from lfm2_colbert.training.lists import Lists, Row, Scores, standardised

LISTS_PER_SYNC = 64
LISTS_AT_ONCE = 16
"""That a model may read side by side, texts of like lengths together: two thirds of the time of list after list."""

OnScored = Callable[[str, int, int], None]
"""Told of a scorer by its name, how many lists it has done, and of how many."""


class Asked(NamedTuple):
    """A query, and the documents to be scored for it."""

    query: str
    documents: Sequence[str]


class Scorer(Protocol):
    """Says how well documents answer a query."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def fingerprint(self) -> str:
        """What decides its scores: equal fingerprints give equal scores."""

    def scores(self, lists: Sequence[Asked]) -> Iterator[Scores]:
        """Score each list's documents, ``(n,)``, in order and each as soon as it is known; higher is better."""


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
        for start in range(0, len(lists.rows), LISTS_AT_ONCE):
            for keys, line in _new(lists, lists.rows[start : start + LISTS_AT_ONCE], scorer, kept.keys()):
                if line:
                    journal.append(line)
                    kept |= line
                found.append(np.array([kept[key] for key in keys], np.float32))
                on_scored(scorer.name, len(found), len(lists.rows))
    return found


def _new(
    lists: Lists, rows: Sequence[Row], scorer: Scorer, kept: Set[str]
) -> Iterator[tuple[list[str], dict[str, float]]]:
    """Give, list by list, the names of its pairs, and the scores of those that were not scored before."""
    named, taken, missing = [_keys(lists, row) for row in rows], set[str](), list[dict[str, str]]()
    for row, keys in zip(rows, named, strict=True):
        texts = dict(zip(keys, (lists.documents[each] for each in row.document_ids), strict=True))
        missing.append({key: text for key, text in texts.items() if key not in kept and key not in taken})
        taken |= texts.keys()
    asked = [Asked(lists.queries[row.query_id], list(new.values())) for row, new in zip(rows, missing, strict=True)]
    scores = scorer.scores([each for each in asked if each.documents])
    for keys, each, new in zip(named, asked, missing, strict=True):
        yield keys, dict(zip(new, _checked(next(scores), each, scorer).tolist(), strict=True)) if new else {}


def _checked(scores: Scores, asked: Asked, scorer: Scorer) -> Scores:
    found = np.asarray(scores, np.float32)
    if found.shape != (len(asked.documents),) or not np.isfinite(found).all():
        raise NonFiniteVectorError(
            f"{scorer.name} gave no finite score for each document of the query '{asked.query:.60}'",
            help="leave it out",
        )
    return found


def _keys(lists: Lists, row: Row) -> list[str]:
    """Name each pair of the query and a document by both texts."""
    query = xxhash.xxh3_128(lists.queries[row.query_id].encode(errors="surrogatepass")).digest()
    texts = (lists.documents[each].encode(errors="surrogatepass") for each in row.document_ids)
    return [xxhash.xxh3_128_hexdigest(query + text) for text in texts]
