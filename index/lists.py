"""The centroids of one segment's tokens, and the lists that lead from a centroid to the passages it occurs in.

They are a file of their own beside the segment, so that training centroids anew never touches stored vectors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import ArrayFile, damage, write_arrays
from index.native.base import PostingLists
from index.records import ListsInfo

KIND = "lists"


@dataclass(frozen=True, slots=True, eq=False)
class SegmentLists:
    """Of one segment under one codebook.

    Attributes:
        info: what the store knows of it.
        codes: ``(n_tokens,)`` uint32, the centroid of each token.
        postings: centroid → rows of the segment.
    """

    info: ListsInfo
    codes: NDArray[np.uint32]
    postings: PostingLists

    @classmethod
    def open(cls, folder: Path, info: ListsInfo) -> "SegmentLists":
        """Map the file.

        Raises:
            CorruptionError: the file is missing or differs from what was published.
        """
        file = ArrayFile.open(folder, info.file, KIND, info.segment, str(info.codebook))
        try:
            codes, offsets, rows = (file.arrays[name] for name in ("codes", "list_offsets", "list_rows"))
        except KeyError as error:
            raise damage(file.path, 0, f"it lacks the array {error}") from None
        if [array.dtype.str for array in (codes, offsets, rows)] != ["<u4", "<i8", "<u4"]:
            raise damage(file.path, 0, "its arrays have other types than lists have")
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(rows) or (np.diff(offsets) < 0).any():
            raise damage(file.path, 0, "its lists do not follow one another")
        return cls(info, codes, PostingLists(offsets, rows))


def write_lists(
    folder: Path, segment: int, codebook: int, n_centroids: int, codes: NDArray[np.uint32], offsets: NDArray[np.int64]
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
    pairs = np.unique(codes.astype(np.int64) * n_rows + row_of)  # by centroid, then by row, each once
    arrays: dict[str, NDArray[Any]] = {
        "codes": codes,
        "list_offsets": np.searchsorted(pairs, np.arange(n_centroids + 1, dtype=np.int64) * n_rows).astype(np.int64),
        "list_rows": (pairs % max(n_rows, 1)).astype(np.uint32),
    }
    name = f"{segment:010d}.{codebook:06d}.lists"
    return ListsInfo(segment, codebook, write_arrays(folder / name, KIND, segment, str(codebook), arrays))
