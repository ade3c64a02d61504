"""The seam between encoders and index: many texts' token vectors as one flat matrix plus offsets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True, eq=False)
class MultiVectors:
    """Token vectors of several texts; immutable.

    Item ``i`` owns the rows ``offsets[i]:offsets[i + 1]`` of `vectors`, in the order of its tokens.

    Attributes:
        vectors: ``(n_tokens, dim)``, float32 or float16, read-only.
        offsets: ``(n_items + 1,)``, int64, from 0 to ``n_tokens``, never decreasing, read-only.

    Example:
        >>> pair = MultiVectors.of([np.eye(2, 4, dtype=np.float32), np.ones((1, 4), np.float32)])
        >>> len(pair), pair.dim, pair.lengths.tolist(), pair[1].shape
        (2, 4, [2, 1], (1, 4))
    """

    vectors: NDArray[np.floating[Any]]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check the shapes and freeze read-only views.

        Raises:
            InvalidArgumentError: the shapes, dtypes or offsets do not fit together.
        """
        if self.vectors.ndim != 2 or self.vectors.dtype not in (np.float32, np.float16):
            raise InvalidArgumentError(
                f"vectors must be a float32 or float16 matrix, not {self.vectors.dtype} of shape {self.vectors.shape}"
            )
        if self.offsets.dtype.kind not in "iu":
            raise InvalidArgumentError(f"offsets must be whole numbers, not {self.offsets.dtype}")
        offsets = np.asarray(self.offsets, dtype=np.int64)
        if offsets.ndim != 1 or offsets.size == 0 or offsets[0] != 0 or offsets[-1] != len(self.vectors):
            raise InvalidArgumentError(f"offsets must run from 0 to the {len(self.vectors)} rows of vectors")
        if np.any(np.diff(offsets) < 0):
            raise InvalidArgumentError("offsets must never decrease")
        object.__setattr__(self, "vectors", _read_only(self.vectors))
        object.__setattr__(self, "offsets", _read_only(offsets))

    @classmethod
    def of(cls, items: Sequence[NDArray[np.floating[Any]]], *, dim: int | None = None) -> "MultiVectors":
        """Join one ``(n_i, dim)`` matrix per item; `dim` is needed only when there are no items.

        Raises:
            InvalidArgumentError: the items are no matrices of one width, or there are none and no `dim`.
        """
        offsets = np.zeros(len(items) + 1, dtype=np.int64)
        np.cumsum([len(item) for item in items], out=offsets[1:])
        if items:
            if {item.ndim for item in items} != {2} or len({item.shape[1] for item in items}) != 1:
                raise InvalidArgumentError("the items must be matrices of one width")
            return cls(np.concatenate(items), offsets)
        if dim is None:
            raise InvalidArgumentError("no items and no dim: the width of the matrix is unknown")
        return cls(np.zeros((0, dim), dtype=np.float32), offsets)

    @property
    def dim(self) -> int:
        """The width of each vector."""
        return int(self.vectors.shape[1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per item, ``(n_items,)``."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        """Count the items."""
        return len(self.offsets) - 1

    def __getitem__(self, item: int) -> NDArray[np.floating[Any]]:
        """Give one item's ``(n_i, dim)`` matrix, a view."""
        if not 0 <= item < len(self):
            raise IndexError(f"item {item} of {len(self)}")
        return self.vectors[self.offsets[item] : self.offsets[item + 1]]

    def __iter__(self) -> Iterator[NDArray[np.floating[Any]]]:
        """Walk the items' matrices in order."""
        return (self[i] for i in range(len(self)))

    def take(self, items: Sequence[int] | NDArray[np.integer[Any]]) -> "MultiVectors":
        """Copy the named items, in the order named."""
        return MultiVectors.of([self[int(i)] for i in items], dim=self.dim)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
