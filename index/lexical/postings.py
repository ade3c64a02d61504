"""Which terms stand in the passages of a segment, and how often: a file beside the segment, made from text alone.

Derived data: it can be made again from the stored texts at any time, and merged without them. A term is known by its
hash of 64 bits, so a file holds no words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from index.arrays import ArrayFile, damage, write_arrays
from index.durable import Folder
from index.lexical.analysis import ANALYSIS, terms_of
from index.native.base import WordPostings
from index.records import WordsInfo

KIND = "words"
TYPES = {"terms": "<u8", "offsets": "<i8", "rows": "<u4", "frequencies": "|u1", "lengths": "<u4"} | {
    "groups": "<u4",
    "group_lengths": "<u4",
}
MOST_OFTEN = 255


@dataclass(frozen=True, slots=True, eq=False)
class SegmentWords:
    """The terms of one segment.

    Attributes:
        info: what the store knows of it.
        terms: ``(n_terms,)`` uint64, rising: the hash of each.
        postings: where they stand.
        n_terms_in_all: of all passages together, dead ones too, each as often as it stands there.
    """

    info: WordsInfo
    terms: NDArray[np.uint64]
    postings: WordPostings
    n_terms_in_all: int

    @classmethod
    def open(cls, folder: Path, info: WordsInfo) -> "SegmentWords":
        """Map the file.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
        """
        file = ArrayFile.open(folder, info.file, KIND, info.segment, str(info.analysis))
        if {name: array.dtype.str for name, array in file.arrays.items()} != TYPES:
            raise damage(file.path, 0, "its arrays have other names or types than those of words")
        terms, *posted = (file.arrays[name] for name in TYPES)
        postings = WordPostings(*posted)
        if not _is_whole(len(terms), postings):
            raise damage(file.path, 0, "its postings do not follow one another")
        return cls(info, terms, postings, int(postings.lengths.sum(dtype=np.int64)))

    def find(self, terms: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give the place of each hash among the terms; -1 where the segment lacks it."""
        if not len(self.terms):
            return np.full(len(terms), -1, np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        return np.where(self.terms[places] == terms, places, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Occurrences:
    """How often terms stand in passages, a line for each pair of these; what postings are made of.

    Attributes:
        terms: ``(n,)`` uint64 hashes.
        rows: ``(n,)`` int64.
        frequencies: ``(n,)`` uint8.
        lengths: ``(n_rows,)`` uint32, terms of each passage.
        groups: ``(n_rows,)`` uint32, rising: which document a passage is of, counted from 0.
    """

    terms: NDArray[np.uint64]
    rows: NDArray[np.int64]
    frequencies: NDArray[np.uint8]
    lengths: NDArray[np.uint32]
    groups: NDArray[np.uint32]


@lru_cache(maxsize=262_144)
def hash_of(term: str) -> int:
    """Give the xxh3_64 of a term in UTF-8."""
    return xxhash.xxh3_64_intdigest(term.encode())


def hashes_of(terms: Iterable[str]) -> NDArray[np.uint64]:
    """Hash terms, in their order."""
    return np.fromiter(map(hash_of, terms), np.uint64)


def occurrences(texts: Sequence[str], documents: Sequence[int]) -> Occurrences:
    """Count the terms of each text.

    Args:
        texts: row ``i`` is text ``i``.
        documents: a number for the document of each text; texts of one stand together.
    """
    hashes = [hashes_of(terms_of(text)) for text in texts]
    lengths = np.array([len(own) for own in hashes], np.uint32)
    terms, rows, frequencies = [], [], []
    for row, own in enumerate(hashes):
        distinct, counts = np.unique(own, return_counts=True)
        terms.append(distinct)
        rows.append(np.full(len(distinct), row, np.int64))
        frequencies.append(np.minimum(counts, MOST_OFTEN).astype(np.uint8))
    return Occurrences(
        _joined(terms, np.uint64), _joined(rows, np.int64), _joined(frequencies, np.uint8), lengths,
        _counted(np.asarray(documents, np.int64)),
    )  # fmt: skip


def merged(parts: Sequence[tuple[SegmentWords, NDArray[np.int64]]]) -> Occurrences:
    """Take rows out of several segments, ascending in each; they become rows of one, in that order."""
    terms, rows, frequencies, lengths, groups = [], [], [], [], []
    first = first_group = 0
    for words, kept in parts:
        posted = words.postings
        place = np.full(len(posted.lengths), -1, np.int64)
        place[kept] = first + np.arange(len(kept))
        moved = place[posted.rows]
        stays = moved >= 0
        terms.append(np.repeat(words.terms, np.diff(posted.offsets))[stays])
        rows.append(moved[stays])
        frequencies.append(posted.frequencies[stays])
        lengths.append(posted.lengths[kept])
        groups.append(first_group + posted.groups[kept].astype(np.int64))
        first, first_group = first + len(kept), first_group + len(posted.group_lengths)
    return Occurrences(
        _joined(terms, np.uint64), _joined(rows, np.int64), _joined(frequencies, np.uint8),
        _joined(lengths, np.uint32), _counted(_joined(groups, np.int64)),
    )  # fmt: skip


def write_words(folder: Folder, segment: int, found: Occurrences) -> WordsInfo:
    """Make postings of what was found in a segment's passages, durably; the store publishes them after this.

    Raises:
        StorageError: the file did not reach the disk; nothing of it is left.
    """
    order = np.lexsort((found.rows, found.terms))
    terms, first = np.unique(found.terms[order], return_index=True)
    arrays: dict[str, NDArray[Any]] = {
        "terms": terms,
        "offsets": np.append(first, len(order)).astype(np.int64),
        "rows": found.rows[order].astype(np.uint32),
        "frequencies": found.frequencies[order],
        "lengths": found.lengths,
        "groups": found.groups,
        "group_lengths": np.bincount(found.groups, found.lengths).astype(np.uint32),
    }
    name = f"{segment:010d}.{ANALYSIS:03d}.words"
    return WordsInfo(segment, ANALYSIS, write_arrays(folder, name, KIND, segment, str(ANALYSIS), arrays))


def _is_whole(n_terms: int, posted: WordPostings) -> bool:
    offsets, n = posted.offsets, len(posted.rows)
    return (
        len(offsets) == n_terms + 1
        and len(posted.frequencies) == n
        and len(posted.groups) == len(posted.lengths)
        and (offsets[0], offsets[-1]) == (0, n)
        and bool((np.diff(offsets) >= 0).all())
    )


def _counted(documents: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Number stretches of the same document from 0."""
    return np.cumsum(np.diff(documents, prepend=documents[:1]) != 0).astype(np.uint32)


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
