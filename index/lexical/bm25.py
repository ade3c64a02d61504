"""BM25 over the segments of a snapshot, with word statistics of all of them, so that scores compare between them.

``idf = ln(1 + (N - n + 0.5) / (n + 0.5))``; a term that stands ``f`` times in a passage of length ``l`` is worth
``idf · f / (f + k1 · (1 - b + b · l / mean))`` (Robertson and Zaragoza, 2009; in Lucene's form, without the factor
``k1 + 1``), so a query's terms are worth at most the sum of their ``idf``. Dead rows count in ``N``, ``n`` and the mean
until a merge takes them away: that shifts weights a little and saves a look at every posting.

A passage gets half of its own worth and half of its document's, whose words are counted together: what an encoder's
budget cut in two is still about one thing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.lexical.postings import SegmentWords, hashes_of
from index.native import kernels
from index.native.base import WordQuery
from index.shortlist import Shortlist

K1 = 0.9
B = 0.4
NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class WordScores:
    """What a query's words are worth in each passage.

    Attributes:
        by_part: for each part, ``(n_rows,)`` float32, 0 where no word of the query stands; None for a part without
            words.
        attainable: what no passage can exceed; 0 where the query has no word that stands anywhere.
        known: share of the weight of the query's words that falls to those which stand somewhere, 0 to 1: little for a
            question in a language that no passage is written in.
    """

    by_part: tuple[NDArray[np.float32] | None, ...]
    attainable: float
    known: float

    def best(self, live: Sequence[NDArray[np.bool_]], n: int) -> Shortlist:
        """Give the `n` passages that are worth most, with all that tie with the last; none that is worth nothing.

        Args:
            live: for each part, ``(n_rows,)``, the rows that may be found.
            n: passages wanted.
        """
        rows, worth = [], []
        for by_row, may_be_found in zip(self.by_part, live, strict=True):
            scores = NOTHING if by_row is None else by_row
            found = np.flatnonzero((scores > 0) & may_be_found[: len(scores)])
            rows.append(found)
            worth.append(scores[found])
        return Shortlist.of(rows, worth).best(n)


def score_terms(terms: Iterable[str], parts: Sequence[SegmentWords | None]) -> WordScores:
    """Score all passages; a term that stands twice in the query counts twice."""
    counted = Counter(terms)
    hashes, times = hashes_of(counted), np.array(list(counted.values()), np.float64)
    indexed = [part for part in parts if part is not None]
    n_passages = sum(len(part.postings.lengths) for part in indexed)
    places = [part.find(hashes) for part in indexed]
    n_found = sum((_lengths(part, own) for part, own in zip(indexed, places, strict=True)), np.zeros(len(hashes)))
    weights = np.log1p((n_passages - n_found + 0.5) / (n_found + 0.5)) * times
    n_terms = max(sum(part.n_terms_in_all for part in indexed), 1)
    n_groups = sum(len(part.postings.group_lengths) for part in indexed)
    slopes = (K1 * B * n_passages / n_terms, K1 * B * n_groups / n_terms)
    found = iter([_score(part, own, weights, slopes) for part, own in zip(indexed, places, strict=True)])
    attainable = float(weights[n_found > 0].sum())
    by_part = tuple(None if part is None else next(found) for part in parts)
    return WordScores(by_part, attainable, attainable / float(weights.sum()) if attainable else 0.0)


def _lengths(part: SegmentWords, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count the passages of a part in which each term stands."""
    offsets = part.postings.offsets
    return np.where(places < 0, 0, offsets[places + 1] - offsets[places]).astype(np.float64)


def _score(
    part: SegmentWords, places: NDArray[np.int64], weights: NDArray[np.float64], slopes: tuple[float, float]
) -> NDArray[np.float32]:
    known = places >= 0
    query = WordQuery(places[known], weights[known].astype(np.float32), K1 * (1 - B), *slopes)
    return kernels().score_words(part.postings, query)
