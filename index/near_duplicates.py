"""Passages that say the same nearly word for word: footers, licences, letters that differ in a name.

All passages of a run are compared, up to so many; of more, a sample drawn evenly, so memory and time have a bound. What
is nearly the same is said by `index.grouping.Texts`, which leaves such hits out of an answer, and found here without
comparing each with each: of sets that share that much, the rarest shingles of the one are among the rarest of the other
(prefix filtering; Chaudhuri, Ganti, Kaushik: A primitive operator for similarity joins, ICDE 2006).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from index.grouping import NEAR_DUPLICATE, shingles
from index.types import Notice

NEAR_DUPLICATES = "near_duplicates"
MAX_SHINGLES = 2_000_000
"""Kept at most, 8 bytes each; some ten thousand passages."""
COMPARISON, MAX_WORK = 100, 10_000_000
"""Of two sets, in names looked at, and all in all: some seconds."""
TOLD_FROM = 10
"""Fewer are no boilerplate."""
SHOWN_CHARACTERS = 60

Shingles = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Repeated:
    """What was found among passages.

    Attributes:
        compared: passages that were compared.
        passages: those of them that are nearly the same as one before them.
        most: how often the one that is repeated most stands there.
        text: how it begins.
    """

    compared: int
    passages: int
    most: int = 0
    text: str = ""


class Sample:
    """Passages of a run, or an even sample of them."""

    def __init__(self, max_shingles: int = MAX_SHINGLES) -> None:
        """Hold nothing yet."""
        self._max_shingles = max_shingles
        self._seen = self._held = 0
        self._limit = 1 << 32
        self._drawn: list[tuple[int, Shingles, str]] = []

    def add(self, texts: Iterable[str]) -> None:
        """Take passages, those that the draw falls on."""
        for text in texts:
            ticket = xxhash.xxh32_intdigest(self._seen.to_bytes(8, "little"))  # whatever the text: copies stay apart
            self._seen += 1
            if ticket < self._limit:
                own = hashed(text)
                self._drawn.append((ticket, own, text[:SHOWN_CHARACTERS]))
                self._held += len(own)
                self._thin_out()

    def found(self) -> Repeated:
        """Compare what was drawn."""
        kept_as = firsts([own for _, own, _ in self._drawn], NEAR_DUPLICATE)
        copies = Counter(first for place, first in enumerate(kept_as) if first != place)
        if not copies:
            return Repeated(len(kept_as), 0)
        first, n_copies = max(copies.items(), key=lambda item: (item[1], -item[0]))
        return Repeated(len(kept_as), copies.total(), n_copies + 1, self._drawn[first][2])

    def _thin_out(self) -> None:
        """Let every second go, where too many shingles are held."""
        while self._held > self._max_shingles and len(self._drawn) > 1:
            self._limit //= 2
            self._drawn = [each for each in self._drawn if each[0] < self._limit]
            self._held = sum(len(own) for _, own, _ in self._drawn)


def notices_of(repeated: Repeated) -> list[Notice]:
    """Say that there is boilerplate, and how to search without it."""
    if repeated.passages < TOLD_FROM:
        return []
    begins = " ".join(repeated.text.split())
    return [
        Notice(
            NEAR_DUPLICATES,
            f"{repeated.passages:,} of {repeated.compared:,} passages compared are nearly the same as another "
            f"('{begins}…' stands there {repeated.most:,} times): search with --collapse {NEAR_DUPLICATE}",
        )
    ]


def hashed(text: str) -> Shingles:
    """Give the distinct shingles of a text as numbers, rising."""
    return np.unique(np.array([xxhash.xxh3_64_intdigest(each.encode()) for each in shingles(text)], np.uint64))


def firsts(sets: Sequence[Shingles], similarity: float) -> list[int]:
    """Give for each set the place of the first that it is nearly the same as: its own where there is none before it.

    Only sets that are the first of their kind are compared with, as `index.grouping.Texts` does. Where all texts are
    made of the same few words, that is work without end: then the last sets are left out, and the answer is shorter.

    Args:
        sets: distinct values, none empty.
        similarity: Jaccard, above 0 up to 1.
    """
    found: list[int] = []
    holders: dict[int, list[int]] = {}
    ranked, work = _rarest_first(sets), 0
    for place, own in enumerate(ranked):
        rarest = own[: int(len(own) * (1 - similarity) + 1e-9) + 1].tolist()
        named = [holder for rank in rarest for holder in holders.get(rank, ())]
        candidates = [each for each in sorted(set(named)) if _may_be_alike(own, ranked[each], similarity)]
        work += len(named) + COMPARISON * len(candidates)
        if work > MAX_WORK:
            break
        first = next((each for each in candidates if _alike(own, ranked[each], similarity)), place)
        found.append(first)
        if first == place:
            for rank in rarest:
                holders.setdefault(rank, []).append(place)
    return found


def _may_be_alike(one: NDArray[np.int64], other: NDArray[np.int64], similarity: float) -> bool:
    return min(len(one), len(other)) >= similarity * max(len(one), len(other))


def _rarest_first(sets: Sequence[Shingles]) -> list[NDArray[np.int64]]:
    """Number values by how rare they are, and give each set's numbers, rising."""
    if not sets:
        return []
    _, places, counts = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    ranks = np.empty(len(counts), np.int64)
    ranks[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    return [np.sort(own) for own in np.split(ranks[places], np.cumsum([len(each) for each in sets])[:-1])]


def _alike(one: NDArray[np.int64], other: NDArray[np.int64], similarity: float) -> bool:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared >= similarity * (len(one) + len(other) - shared)
