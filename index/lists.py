"""The centroids that occur in each passage of a segment, and the lists that lead from a centroid to those passages.

A centroid counts once a passage: MaxSim does not care how many tokens are near it. They are in a file of their own
beside the segment, so that training centroids anew never touches stored vectors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import ArrayFile, damage, write_arrays
from index.durable import Folder
from index.native.base import CentroidCodes, PostingLists
from index.records import ListsInfo

KIND = "lists"
ARRAYS = ("codes", "code_offsets", "list_offsets", "list_rows")
CODE_TYPES = ("<u2", "<u4")
SHORT_CODES = 65_536
"""So many centroids have numbers of two bytes."""
ROWS_AT_ONCE = 8192
"""Whose centroids are sorted together."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentLists:
    """Of one segment under one codebook.

    Attributes:
        info: what the store knows of it.
        codes: ``(n,)`` uint16 or uint32, the distinct centroids of each row, row after row.
        offsets: ``(n_rows + 1,)`` int64, where the codes of a row begin.
        postings: centroid → rows of the segment.
    """

    info: ListsInfo
    codes: CentroidCodes
    offsets: NDArray[np.int64]
    postings: PostingLists
    _file: ArrayFile

    @classmethod
    def open(cls, folder: Path, info: ListsInfo) -> "SegmentLists":
        """Map the file.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
        """
        file = ArrayFile.open(folder, info.file, KIND, info.segment, str(info.codebook))
        try:
            codes, offsets, list_offsets, list_rows = (file.arrays[name] for name in ARRAYS)
        except KeyError as error:
            raise damage(file.path, 0, f"it lacks the array {error}") from None
        types = [array.dtype.str for array in (offsets, list_offsets, list_rows)]
        if codes.dtype.str not in CODE_TYPES or types != ["<i8", "<i8", "<u4"]:
            raise damage(file.path, 0, "its arrays have other types than lists have")
        if not _follow(offsets, len(codes)) or not _follow(list_offsets, len(list_rows)):
            raise damage(file.path, 0, "its lists do not follow one another")
        return cls(info, codes, offsets, PostingLists(list_offsets, list_rows), file)

    def release(self) -> None:
        """Let go of the pages that were read (`ArrayFile.release`)."""
        self._file.release()


def write_lists(
    folder: Folder, segment: int, codebook: int, n_centroids: int, codes: NDArray[np.uint32], offsets: NDArray[np.int64]
) -> ListsInfo:
    """Make posting lists of a segment's centroids, and both durable.

    Args:
        folder: where segments lie.
        segment: number of the segment.
        codebook: number of the codebook.
        n_centroids: of the codebook.
        codes: ``(n_tokens,)``, the centroid of each token.
        offsets: of the segment's passages.
    """
    n_rows, dtype = len(offsets) - 1, np.uint16 if n_centroids <= SHORT_CODES else np.uint32
    starts = range(0, max(n_rows, 1), ROWS_AT_ONCE)
    found = [_distinct(codes, offsets[start : start + ROWS_AT_ONCE + 1], n_centroids) for start in starts]
    centroids = np.concatenate([each.astype(dtype) for each, _ in found])
    lengths = np.concatenate([each for _, each in found])
    row_of = np.repeat(np.arange(n_rows, dtype=np.uint32), lengths)
    arrays: dict[str, NDArray[Any]] = {
        "codes": centroids,
        "code_offsets": _offsets(lengths),
        "list_offsets": _offsets(np.bincount(centroids, minlength=n_centroids)),
        "list_rows": row_of[np.argsort(centroids, kind="stable")],
    }
    name = f"{segment:010d}.{codebook:06d}.lists"
    return ListsInfo(segment, codebook, write_arrays(folder, name, KIND, segment, str(codebook), arrays))


def _distinct(
    codes: NDArray[np.uint32], offsets: NDArray[np.int64], n_centroids: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the centroids of rows, row after row, rising in each and each once, and how many each row has."""
    n_rows = len(offsets) - 1
    row_of = np.repeat(np.arange(n_rows, dtype=np.int64), np.diff(offsets))
    rows, centroids = np.divmod(np.unique(row_of * n_centroids + codes[offsets[0] : offsets[-1]]), n_centroids)
    return centroids, np.bincount(rows, minlength=n_rows)


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _follow(offsets: NDArray[np.int64], n: int) -> bool:
    return bool(len(offsets)) and offsets[0] == 0 and offsets[-1] == n and bool((np.diff(offsets) >= 0).all())
