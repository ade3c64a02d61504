"""What a segment and a search ask of a codec. The suite in `tests/conformance/test_codecs.py` says it in code."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from index.native.base import Rows


class Precision(StrEnum):
    """How many of the stored bits a score uses."""

    COARSE = "coarse"
    FULL = "full"


@runtime_checkable
class Codec(Protocol):
    """Vectors to arrays and back. Row ``i`` of every array belongs to vector ``i`` and to no other.

    So rows of the arrays may be sliced, gathered and joined, and decoding commutes with that.
    """

    @property
    def name(self) -> str:
        """Name in `CODECS`, stored with each segment."""

    @property
    def coarse_arrays(self) -> tuple[str, ...]:
        """Names of the arrays that a coarse score reads."""

    def encode(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Turn ``(n, dim)`` into named arrays of n rows each; n may be 0.

        Raises:
            NonFiniteVectorError: a value is NaN or infinite, or would become so.
        """

    def decode(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Give back an approximation of the vectors, ``(n, dim)``."""

    def products(self, query: NDArray[np.float32], arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Multiply each of ``(n_q, dim)`` vectors with each that `decode` would give: ``(n_q, n)``."""

    def question(self, query: NDArray[np.float32]) -> Any:
        """Prepare a query ``(n_q, dim)`` for `scores`; what comes back belongs to this codec."""

    def scores(
        self, question: Any, arrays: Mapping[str, NDArray[Any]], rows: Rows, precision: Precision
    ) -> NDArray[np.float32]:
        """MaxSim of passages, ``(n_rows,)``; −inf for a passage without vectors.

        Args:
            question: what `question` gave.
            arrays: of one segment.
            rows: passages of that segment.
            precision: whether the coarse bits are enough.
        """
