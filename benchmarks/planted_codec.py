"""A codec with a bug, for evaluations that have to notice it: half of the codes of a vector are in the wrong place."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from index.codecs.scalar import Scalar4

NAME = "planted"
CODEC = "benchmarks.planted_codec:Planted"


class Planted(Scalar4):
    """`Scalar4`, but for the order in which half of the bytes are written."""

    name: ClassVar[str] = NAME

    def encode(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Code vectors, wrongly."""
        arrays = super().encode(vectors)
        half = arrays["codes"].shape[1] // 2
        for name in ("codes", "refinement"):
            arrays[name] = np.hstack([arrays[name][:, :half][:, ::-1], arrays[name][:, half:]])
        return arrays
