"""What a segment asks of a codec. The suite in `tests/conformance/test_codecs.py` says it in code."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Codec(Protocol):
    """Vectors to arrays and back. Row ``i`` of every array belongs to vector ``i`` and to no other.

    So rows of the arrays may be sliced, gathered and joined, and decoding commutes with that.
    """

    @property
    def name(self) -> str:
        """Name in `CODECS`, stored with each segment."""

    def encode(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Turn ``(n, dim)`` into named arrays of n rows each; n may be 0.

        Raises:
            NonFiniteVectorError: a value is NaN or infinite, or would become so.
        """

    def decode(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Give back an approximation of the vectors, ``(n, dim)``."""
