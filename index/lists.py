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
        return cls(info, codes, offsets, PostingLists(list_offsets, list_rows))


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
    n_rows = len(offsets) - 1
    row_of = np.repeat(np.arange(n_rows, dtype=np.int64), np.diff(offsets))
    pairs = np.unique(row_of * n_centroids + codes)  # by row, then by centroid, each once
    rows, centroids = np.divmod(pairs, n_centroids)
    by_centroid = np.argsort(centroids, kind="stable")
    arrays: dict[str, NDArray[Any]] = {
        "codes": centroids.astype(np.uint16 if n_centroids <= SHORT_CODES else np.uint32),
        "code_offsets": np.searchsorted(rows, np.arange(n_rows + 1)).astype(np.int64),
        "list_offsets": np.searchsorted(centroids[by_centroid], np.arange(n_centroids + 1)).astype(np.int64),
        "list_rows": rows[by_centroid].astype(np.uint32),
    }
    name = f"{segment:010d}.{codebook:06d}.lists"
    return ListsInfo(segment, codebook, write_arrays(folder, name, KIND, segment, str(codebook), arrays))


def _follow(offsets: NDArray[np.int64], n: int) -> bool:
    return bool(len(offsets)) and offsets[0] == 0 and offsets[-1] == n and bool((np.diff(offsets) >= 0).all())
