"""Rotated scalar codes: 4 bits a dimension to rank by, 4 more in a section of their own to be exact with; or fewer.

A centred token vector ``v = x − μ`` is rotated, brought to norm √dim and rounded, dimension by dimension, to the 16 or
4 levels that serve a normal distribution best (Lloyd 1982, Max 1960). A scale that makes the code's product with the
vector itself right (the unbiased scale of RaBitQ, Gao and Long 2024) and the exact product μ·x are kept for each token:

    q · x  ≈  (R(q − μ)) · (scale · level)  +  q · μ  +  μ · x  −  μ · μ

Centring both sides matters: with one side centred the ranking is worse than with none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from index.codecs.base import Precision
from index.codecs.frame import Frame
from index.native import kernels
from index.native.base import VALUE_LIMIT, CoarseQuery, CodingTables, FineQuery, Rows, TokenCodes, unpacked
from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError

POSITIVE_LEVELS = {4: (0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733), 2: (0.4528, 1.5104)}
"""Lloyd-Max levels of a standard normal distribution, by bits."""
OUTERMOST = 4.2
"""Where the refinement of the outer cells ends; two in a hundred thousand values lie beyond."""
FINE_UNIT = 1 / 2048
STEPS = 16
"""Of the refinement, in each cell."""
TOKENS_PER_BLOCK = 16_384
"""Coded at once: what lies between vectors and codes stays small."""
MAX_DIM = 4096
"""What the kernels have room for."""
MAX_LENGTH = 255
"""Of a vector: its product with a mean of that length still fits a half."""


def _tables(bits: int) -> CodingTables:
    positive = POSITIVE_LEVELS[bits]
    levels = np.array([-x for x in reversed(positive)] + list(positive))
    bounds = (levels[1:] + levels[:-1]) / 2
    edges = np.concatenate([[-OUTERMOST], bounds, [OUTERMOST]])
    widths, level_unit = np.diff(edges) / STEPS, positive[-1] / VALUE_LIMIT
    return CodingTables(
        bounds=bounds.astype(np.float32),
        levels=np.rint(levels / level_unit).astype(np.int8),
        bases=np.rint((edges[:-1] + widths / 2) / FINE_UNIT).astype(np.int16),
        steps=np.rint(widths / FINE_UNIT).astype(np.int16),
        level_unit=level_unit,
        fine_unit=FINE_UNIT,
    )


TABLES = {bits: _tables(bits) for bits in POSITIVE_LEVELS}


@dataclass(frozen=True, slots=True, eq=False)
class ScalarQuestion:
    """A query in the frame of the codes; `constant` is what all passages get on top."""

    coarse: CoarseQuery
    fine: FineQuery
    constant: float


class _Scalar:
    """What the scalar codecs have in common; dim must be divisible by 16, at 2 bits by 32, and at most `MAX_DIM`."""

    name: ClassVar[str]
    bits: ClassVar[int] = 4
    refined: ClassVar[bool] = False
    coarse_arrays: ClassVar[tuple[str, ...]] = ("codes", "scales", "means")

    def __init__(self, frame: Frame) -> None:
        """Code in this frame.

        Raises:
            InvalidArgumentError: its width is not what the codec can divide, or too large.
        """
        divisor = 64 // self.bits
        if len(frame.mean) % divisor or not 0 < len(frame.mean) <= MAX_DIM:
            raise InvalidArgumentError(
                f"{self.name} needs a width divisible by {divisor}, at most {MAX_DIM}, not {len(frame.mean)}",
                help="use float16",
            )
        self._frame, self._mean, self._rotation = frame, frame.mean, frame.rotation()
        self._tables = TABLES[self.bits]
        self._levels = _levels(self._tables, refined=self.refined)

    def encode(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Code ``(n, dim)`` vectors.

        Raises:
            NonFiniteVectorError: a value is NaN or infinite, or a vector's length beyond half precision.
        """
        _require_codable(vectors)
        starts = range(0, max(len(vectors), 1), TOKENS_PER_BLOCK)
        blocks = [self._encode_block(vectors[start : start + TOKENS_PER_BLOCK]) for start in starts]
        return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}

    def _encode_block(self, vectors: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        dim = len(self._mean)
        rotated = self._frame.rotate(vectors - self._mean)  # (n, dim)
        norms = _lengths(rotated)[:, None]
        spread = np.sqrt(np.float32(dim)) / np.where(norms == 0, np.float32(1), norms)
        coded = kernels().code_tokens(rotated * spread, self._tables)
        # The squared norm of what was coded is dim, but for vectors that equal the mean.
        own = np.where(norms[:, 0] == 0, np.float32(0), np.float32(dim)) / spread[:, 0]
        arrays: dict[str, NDArray[Any]] = {
            "codes": coded.codes,
            "scales": _divided(own, coded.coarse_products),
            "means": np.einsum("nd,d->n", vectors, self._mean).astype(np.float16),
        }
        if self.refined:
            arrays |= {"refinement": coded.refinement, "fine_scales": _divided(own, coded.fine_products)}
        return arrays

    def decode(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Give vectors back from all bits, ``(n, dim)``."""
        return self._frame.turn_back(self._centred(arrays)) + self._mean

    def products(self, query: NDArray[np.float32], arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Turn the query, of few vectors, instead of what is stored."""
        rotated = self._frame.rotate(query)
        without = kernels().token_products(rotated, self._tables, TokenCodes(**arrays, bits=self.bits))
        found: NDArray[np.float32] = without + np.einsum("qd,d->q", query, self._mean)[:, None]
        return found

    def _centred(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Read codes as they were rotated, without the mean."""
        codes = unpacked(arrays["codes"], self.bits)
        if self.refined:
            codes = np.left_shift(codes, 4, dtype=np.uint8) | unpacked(arrays["refinement"])
        scales = arrays["fine_scales" if self.refined else "scales"]
        levels = self._levels.take(codes, mode="wrap")  # every code has one: to look whether it does costs more
        centred: NDArray[np.float32] = levels * scales.astype(np.float32)[:, None]
        return centred

    def question(self, query: NDArray[np.float32]) -> ScalarQuestion:
        """Bring a query ``(n_q, dim)`` into the frame."""
        # Not by BLAS: its threads would spin for milliseconds after a product of microseconds.
        rotated = np.einsum("qd,ed->qe", query - self._mean, self._rotation)
        largest = float(np.abs(rotated).max()) or 1.0
        coarse_step, fine_step = largest / VALUE_LIMIT, largest / _fine_limit(len(self._mean))
        coarse = np.rint(rotated / coarse_step).astype(np.int8)
        fine = np.rint(rotated / fine_step).astype(np.int16)
        constant = float(query.sum(axis=0) @ self._mean) - len(query) * float(self._mean @ self._mean)
        tables = self._tables
        return ScalarQuestion(
            CoarseQuery(coarse, tables.levels, coarse_step * tables.level_unit),
            FineQuery(fine, tables.bases, tables.steps, fine_step * FINE_UNIT),
            constant,
        )

    def scores(
        self, question: ScalarQuestion, arrays: Mapping[str, NDArray[Any]], rows: Rows, precision: Precision
    ) -> NDArray[np.float32]:
        """MaxSim of passages over the coarse codes, or over all bits; ``(n_rows,)``."""
        tokens = TokenCodes(**arrays, bits=self.bits)
        if precision is Precision.FULL and self.refined:
            scores = kernels().maxsim_fine(question.fine, tokens, rows)
        else:
            scores = kernels().maxsim_coarse(question.coarse, tokens, rows)
        shifted: NDArray[np.float32] = scores + np.float32(question.constant)
        return shifted


class Scalar4(_Scalar):
    """4 bits a dimension to rank by, and 4 more to be exact with."""

    name = "scalar4"
    refined = True


class Scalar4Coarse(_Scalar):
    """4 bits a dimension: half the bytes of `Scalar4`, whose first look is then its last."""

    name = "scalar4-coarse"


class Scalar2(_Scalar):
    """2 bits a dimension: for those who need the smallest index."""

    name = "scalar2"
    bits = 2


def _levels(tables: CodingTables, *, refined: bool) -> NDArray[np.float32]:
    """Give what each code stands for; where there is a refinement, 16 of them for each."""
    if not refined:
        return tables.levels * np.float32(tables.level_unit)
    finer = np.arange(STEPS, dtype=np.float32) * tables.steps[:, None].astype(np.float32)  # (n_cells, 16)
    levels: NDArray[np.float32] = ((tables.bases[:, None] + finer) * np.float32(FINE_UNIT)).ravel()
    return levels


def _require_codable(vectors: NDArray[np.float32]) -> None:
    """Refuse NaN, and what the halves of scales and means could not hold; encoders give lengths near 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        codable = _lengths(vectors) <= MAX_LENGTH  # NaN is not
    if not codable.all():
        row = int(np.flatnonzero(~codable)[0])
        raise NonFiniteVectorError(
            f"token vector {row} is not finite, or longer than {MAX_LENGTH}", help="check the encoder's output for NaN"
        )


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    squares: NDArray[np.float32] = np.einsum("nd,nd->n", vectors, vectors)
    return np.sqrt(squares)


def _fine_limit(dim: int) -> int:
    """Largest query value for which no sum of products leaves 31 bits: levels have norm √dim, twice over for safety."""
    return int(min(2047, 2**30 / (2 * dim / FINE_UNIT)))


def _divided(own: NDArray[np.float32], products: NDArray[np.float32]) -> NDArray[np.float16]:
    scales = np.divide(own, products, out=np.zeros_like(own), where=products > 0)
    return scales.astype(np.float16)
