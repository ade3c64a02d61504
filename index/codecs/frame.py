"""The frame in which vectors are coded: a mean that is taken off, a rotation that spreads what is left.

After the rotation every dimension of a centred token vector looks like a sample of one normal distribution, so one set
of levels serves all of them. Mean and rotation belong to the encoder, not to a corpus: codes made in one frame can be
copied between segments and stay valid when centroids are trained anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.errors import NonFiniteVectorError

SAMPLE_TOKENS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Mean and rotation.

    Attributes:
        mean: ``(dim,)`` float32.
        seed: of the rotation.
    """

    mean: NDArray[np.float32]
    seed: int = 0

    @classmethod
    def measured(cls, vectors: NDArray[np.floating[Any]], seed: int = 0) -> "Frame":
        """Take the mean of the first `SAMPLE_TOKENS` vectors, ``(n_tokens, dim)``; of none it is zero.

        Raises:
            NonFiniteVectorError: a value among them is NaN or infinite; a frame is for good, and must not become so.
        """
        sample = vectors[:SAMPLE_TOKENS]
        if not np.isfinite(sample).all():
            raise NonFiniteVectorError("a token vector is not finite", help="check the encoder's output for NaN")
        mean = sample.sum(axis=0, dtype=np.float64) / max(len(sample), 1)
        return cls(mean.astype(np.float32), seed)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "Frame":
        """Undo `as_json`."""
        return cls(np.array(value["mean"], np.float32), int(value["seed"]))

    def as_json(self) -> dict[str, Any]:
        """Give JSON values that bring back the same frame, to the bit."""
        return {"mean": [float(x) for x in self.mean], "seed": self.seed}

    def rotation(self) -> NDArray[np.float32]:
        """Give the orthogonal matrix ``(dim, dim)``: signs and Hadamard for a power of two, else a random one."""
        dim, rng = len(self.mean), np.random.default_rng(self.seed)
        if _is_power_of_two(dim):
            turned: NDArray[np.float64] = _hadamard(dim) * self._signs() / np.sqrt(dim)
            return turned.astype(np.float32)
        orthogonal, upper = np.linalg.qr(rng.standard_normal((dim, dim)))
        signed: NDArray[np.float64] = orthogonal * np.sign(np.diag(upper))
        return signed.astype(np.float32)

    def rotate(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn ``(n, dim)`` vectors, each as if it were alone: what a token is coded with must not change its code.

        BLAS would not do: it adds in another order where a matrix has another number of rows.
        """
        if not _is_power_of_two(len(self.mean)):
            turned: NDArray[np.float32] = np.einsum("nd,ed->ne", vectors, self.rotation())
            return turned
        return _walsh_hadamard(vectors * (self._signs() / np.sqrt(len(self.mean))).astype(np.float32))

    def turn_back(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo `rotate`."""
        # Nor would BLAS do here: its threads spin for milliseconds after a product of microseconds.
        if not _is_power_of_two(len(self.mean)):
            turned: NDArray[np.float32] = np.einsum("ne,ed->nd", vectors, self.rotation())
        else:
            turned = _walsh_hadamard(vectors) * (self._signs() / np.sqrt(len(self.mean))).astype(np.float32)
        return turned

    def _signs(self) -> NDArray[np.int64]:
        return _signs_of(self.seed, len(self.mean))


@lru_cache(maxsize=16)
def _signs_of(seed: int, dim: int) -> NDArray[np.int64]:
    """Draw a sign for each dimension; making a generator costs more than turning a passage."""
    return np.random.default_rng(seed).integers(0, 2, dim) * 2 - 1


def _is_power_of_two(dim: int) -> bool:
    return dim & (dim - 1) == 0


def _walsh_hadamard(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Multiply with Sylvester's matrix in log2(dim) rounds of sums and differences, dimensions first for long loops."""
    dim, n = vectors.shape[1], len(vectors)
    turned = np.ascontiguousarray(vectors.T)  # (dim, n)
    half = 1
    while half < dim:
        pairs = turned.reshape(dim // (2 * half), 2, half, n)
        first, second = pairs[:, 0], pairs[:, 1]
        difference = first - second
        first += second
        second[...] = difference
        half *= 2
    return np.ascontiguousarray(turned.T)


def _hadamard(dim: int) -> NDArray[np.float64]:
    """Sylvester's construction."""
    matrix = np.ones((1, 1))
    while len(matrix) < dim:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
