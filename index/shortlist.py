"""Passages under consideration, of all parts of a snapshot together, each with what is known of its worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIELDS = ("part", "row", "score")
ROW_BITS = 40
"""Of a passage's place in one integer."""
UNKNOWN = np.float32(np.inf)
"""Score of a passage that nobody has ranked yet: it comes before all that somebody has."""


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """Rows of a snapshot's parts, in the order of parts and rows.

    Attributes:
        part: ``(n,)`` int64, place of the part in its snapshot.
        row: ``(n,)`` int64, the passage's row there.
        score: ``(n,)`` float32, by whatever measure the stage has; `UNKNOWN` before any.
    """

    part: NDArray[np.int64]
    row: NDArray[np.int64]
    score: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Sequence[NDArray[np.int64]], scores: Sequence[NDArray[Any]] | None = None) -> "Shortlist":
        """Join the ascending rows of each part; without scores they are `UNKNOWN`."""
        lengths = [len(own) for own in rows]
        place = np.repeat(np.arange(len(rows)), lengths)
        score = np.full(sum(lengths), UNKNOWN) if scores is None else _joined(scores, np.float32)
        return cls(place, _joined(rows, np.int64), score)

    def __len__(self) -> int:
        """Count the passages."""
        return len(self.row)

    def rows_of(self, part: int) -> NDArray[np.int64]:
        """Give the rows of one part."""
        rows: NDArray[np.int64] = self.row[self.part == part]
        return rows

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> "Shortlist":
        """Keep some, by a mask or by their places."""
        return Shortlist(self.part[kept], self.row[kept], self.score[kept])

    def best(self, n: int) -> "Shortlist":
        """Keep the `n` best, and all that tie with the last of them."""
        return self.where(self.score >= self.least_of_best(n))

    def least_of_best(self, n: int) -> float:
        """Give the score of the `n`-th best; −inf where there are no more than `n`."""
        if len(self) <= n:
            return -np.inf
        return float(np.partition(self.score, len(self) - n)[len(self) - n])


def united(first: Shortlist, second: Shortlist) -> Shortlist:
    """Put two shortlists into one; a passage of both is there once, with the score it has in the first."""
    both = Shortlist(*(np.concatenate([getattr(each, name) for each in (first, second)]) for name in FIELDS))
    order = np.lexsort((both.row, both.part))  # stable: of equal passages the first one's comes first
    repeated = (np.diff(both.part[order]) == 0) & (np.diff(both.row[order]) == 0)
    return both.where(order[np.append(True, ~repeated)] if len(order) else order)


def without(first: Shortlist, second: Shortlist) -> Shortlist:
    """Give what the first has and the second lacks."""
    ours, theirs = ((each.part << ROW_BITS) | each.row for each in (first, second))
    return first.where(~np.isin(ours, theirs))


def joined(shortlists: Sequence[Shortlist]) -> Shortlist:
    """Put shortlists that share no passage into one."""
    part, row = (np.concatenate([getattr(shortlist, name) for shortlist in shortlists]) for name in ("part", "row"))
    order = np.lexsort((row, part))
    return Shortlist(part[order], row[order], np.concatenate([shortlist.score for shortlist in shortlists])[order])


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(arrays).astype(dtype, copy=False) if len(arrays) else np.empty(0, dtype)
