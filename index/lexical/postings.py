"""Which terms stand in the passages of a segment, and how often: a file beside the segment, made from text alone.

Derived data: it can be made again from the stored texts at any time, and merged without them. A term is known by its
hash of 64 bits, so a file holds no words.
"""

from collections.abc import Iterable, Iterator, Sequence
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
MERGED_AT_ONCE = 1_000_000
"""Postings that are sorted at once while segments are merged, about."""


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
    _file: ArrayFile

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
        return cls(info, terms, postings, int(postings.lengths.sum(dtype=np.int64)), file)

    def find(self, terms: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Give the place of each hash among the terms; -1 where the segment lacks it."""
        if not len(self.terms):
            return np.full(len(terms), -1, np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        return np.where(self.terms[places] == terms, places, -1)

    def release(self) -> None:
        """Let go of the pages that were read (`ArrayFile.release`)."""
        self._file.release()


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """What the file of a segment's words is to hold: terms ``(n_terms,)`` uint64, rising, and where they stand."""

    terms: NDArray[np.uint64]
    postings: WordPostings


@dataclass(frozen=True, slots=True, eq=False)
class _Stretch:
    """Postings of the terms of a stretch of hashes: each stands in the next ``counts[i]`` rows."""

    terms: NDArray[np.uint64]
    counts: NDArray[np.int64]
    rows: NDArray[np.uint32]
    frequencies: NDArray[np.uint8]


@lru_cache(maxsize=65_536)
def hash_of(term: str) -> int:
    """Give the xxh3_64 of a term in UTF-8."""
    return xxhash.xxh3_64_intdigest(term.encode())


def hashes_of(terms: Iterable[str]) -> NDArray[np.uint64]:
    """Hash terms, in their order."""
    return np.fromiter(map(hash_of, terms), np.uint64)


def words_of(texts: Sequence[str], documents: Sequence[int]) -> Words:
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
        rows.append(np.full(len(distinct), row, np.uint32))
        frequencies.append(np.minimum(counts, MOST_OFTEN).astype(np.uint8))
    stretch = _stretch(_joined(terms, np.uint64), _joined(rows, np.uint32), _joined(frequencies, np.uint8))
    return _words([stretch], lengths, np.asarray(documents, np.int64))


def merged(parts: Sequence[tuple[SegmentWords, NDArray[np.int64]]]) -> Words:
    """Take rows out of several segments, ascending in each; they become rows of one, in that order."""
    lengths, documents = [], []
    first_group = 0
    for words, kept in parts:
        lengths.append(words.postings.lengths[kept])
        documents.append(first_group + words.postings.groups[kept].astype(np.int64))
        first_group += len(words.postings.group_lengths)
    return _words(list(_merged_stretches(parts)), _joined(lengths, np.uint32), _joined(documents, np.int64))


def _merged_stretches(parts: Sequence[tuple[SegmentWords, NDArray[np.int64]]]) -> Iterator[_Stretch]:
    """Merge the terms of a stretch of hashes after the other: all at once would take a hundred bytes a posting."""
    n_stretches = 1 + sum(len(words.postings.rows) for words, _ in parts) // MERGED_AT_ONCE
    edges = np.array([(i << 64) // n_stretches for i in range(1, n_stretches)], np.uint64)
    places = list(_places(parts))
    bounds = [[0, *np.searchsorted(words.terms, edges).tolist(), len(words.terms)] for words, _ in parts]
    for i in range(n_stretches):
        taken = [
            _taken(words, slice(*own[i : i + 2]), place)
            for (words, _), own, place in zip(parts, bounds, places, strict=True)
        ]
        terms, rows, frequencies = zip(*taken, strict=True)
        yield _stretch(np.concatenate(terms), np.concatenate(rows), np.concatenate(frequencies))


def _places(parts: Sequence[tuple[SegmentWords, NDArray[np.int64]]]) -> Iterator[NDArray[np.int64]]:
    """Give for each row of each segment which row it becomes; -1 for those that are not taken."""
    first = 0
    for words, kept in parts:
        place = np.full(len(words.postings.lengths), -1, np.int64)
        place[kept] = first + np.arange(len(kept))
        first += len(kept)
        yield place


def _taken(
    words: SegmentWords, terms: slice, place: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.uint8]]:
    """Give the term, new row and frequency of each posting that stays."""
    offsets = words.postings.offsets[terms.start : terms.stop + 1]
    own = slice(*offsets[[0, -1]])
    rows = place[words.postings.rows[own]]
    stays = rows >= 0
    hashes = np.repeat(words.terms[terms], np.diff(offsets))
    return hashes[stays], rows[stays].astype(np.uint32), words.postings.frequencies[own][stays]


def _stretch(hashes: NDArray[np.uint64], rows: NDArray[np.uint32], frequencies: NDArray[np.uint8]) -> _Stretch:
    """Sort postings by their terms; rows of a term ascend already."""
    order = np.argsort(hashes, kind="stable")
    terms, counts = np.unique(hashes, return_counts=True)
    return _Stretch(terms, counts, rows[order], frequencies[order])


def _words(stretches: Sequence[_Stretch], lengths: NDArray[np.uint32], documents: NDArray[np.int64]) -> Words:
    """Join stretches of rising terms."""
    groups = np.cumsum(np.diff(documents, prepend=documents[:1]) != 0).astype(np.uint32)  # stretches of a document
    counts = np.concatenate([stretch.counts for stretch in stretches])
    postings = WordPostings(
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        rows=np.concatenate([stretch.rows for stretch in stretches]),
        frequencies=np.concatenate([stretch.frequencies for stretch in stretches]),
        lengths=lengths,
        groups=groups,
        group_lengths=np.bincount(groups, lengths).astype(np.uint32),
    )
    return Words(np.concatenate([stretch.terms for stretch in stretches]), postings)


def write_words(folder: Folder, segment: int, words: Words) -> WordsInfo:
    """Make the words of a segment's passages durable; the store publishes them after this.

    Raises:
        StorageError: the file did not reach the disk; nothing of it is left.
    """
    arrays = {"terms": words.terms} | {name: getattr(words.postings, name) for name in TYPES if name != "terms"}
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


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype)
