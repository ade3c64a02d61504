"""Half precision: two bytes a value and an error no ranking notices; the yardstick of the smaller codecs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.codecs.base import Precision
from index.codecs.frame import Frame
from index.native.base import Rows
from index.scoring import products, score_rows
from lfm2_colbert.errors import NonFiniteVectorError


class Float16:
    """Each vector as IEEE binary16, relative error of a value ≤ 2⁻¹¹ (above 2⁻¹⁴, where numbers turn subnormal)."""

    name = "float16"
    coarse_arrays = ("vectors",)

    def __init__(self, frame: Frame | None = None) -> None:
        """Take the frame as every codec does; halves need none."""

    def encode(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Round to half precision.

        Raises:
            NonFiniteVectorError: a value is NaN, infinite, or beyond ±65504.
        """
        with np.errstate(over="ignore"):  # an overflow becomes infinite, which the next line reports
            halves = vectors.astype(np.float16)
        if not np.isfinite(halves).all():
            row = int(np.flatnonzero(~np.isfinite(halves).all(axis=1))[0])
            raise NonFiniteVectorError(
                f"token vector {row} is not finite in half precision", help="check the encoder's output for NaN"
            )
        return {"vectors": halves}

    def decode(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Widen to float32, exactly."""
        return arrays["vectors"].astype(np.float32)

    def products(self, query: NDArray[np.float32], arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Multiply with vectors as they are decoded."""
        return products(query, self.decode(arrays))

    def question(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the query as it is."""
        return query

    def scores(
        self, question: NDArray[np.float32], arrays: Mapping[str, NDArray[Any]], rows: Rows, precision: Precision
    ) -> NDArray[np.float32]:
        """MaxSim of passages over all bits, whatever the precision."""
        return score_rows(question, self.decode, arrays, rows)
