"""Whether a difference is one: seeded intervals and tests over queries, in NumPy alone.

The unit is the query. Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; Smucker, Allan and
Carterette, A Comparison of Statistical Significance Tests for Information Retrieval Evaluation (2007); Phipson and
Smyth, Permutation P-values Should Never Be Zero (2010); Holm, A Simple Sequentially Rejective Multiple Test Procedure
(1979).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.errors import InvalidArgumentError

SAMPLES = 10_000
PERCENTILES = (2.5, 97.5)
ENUMERATED = 12
"""Of so many pairs that differ, at most, all signs are tried."""
ROUNDING = 1e-12
"""Sums that differ by this share of their parts are equal: they were only added in another order."""
BLOCK = 1 << 20

Values = NDArray[np.float64]
Strata = Sequence[Values]
"""What each query adds to a figure, so that all of all strata add up to it; a query is drawn within its stratum."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies with 95 % confidence."""

    low: float
    high: float


def bootstrap_interval(values: Values, *, seed: int, samples: int = SAMPLES) -> Interval:
    """Give the percentile interval of a mean over queries ``(n_queries,)``.

    Raises:
        InvalidArgumentError: there is no value, or one is not finite.
    """
    return stratified_interval([_share(values)], seed=seed, samples=samples)


def paired_interval(a: Values, b: Values, *, seed: int, samples: int = SAMPLES) -> Interval:
    """Give the interval of ``mean(b) - mean(a)``; both hold the same queries in the same order.

    Raises:
        InvalidArgumentError: they are not equally many, there is no value, or one is not finite.
    """
    return bootstrap_interval(_differences(a, b), seed=seed, samples=samples)


def paired_p(a: Values, b: Values, *, seed: int, samples: int = SAMPLES) -> float:
    """Give the p-value of the two-sided randomisation test for ``mean(b) - mean(a)``, as `stratified_p` does.

    Raises:
        InvalidArgumentError: they are not equally many, there is no value, or one is not finite.
    """
    return stratified_p([_share(_differences(a, b))], seed=seed, samples=samples)


def stratified_interval(strata: Strata, *, seed: int, samples: int = SAMPLES) -> Interval:
    """Give the percentile interval of a sum over strata, each drawn anew with its own size."""
    rng = np.random.default_rng(seed)
    sums = np.zeros(samples)
    for values in strata:
        sums += np.concatenate(
            [
                values[rng.integers(0, len(values), (n_rows, len(values)))].sum(axis=1)
                for n_rows in _blocks(samples, len(values))
            ]
        )
    low, high = np.percentile(sums, PERCENTILES)
    return Interval(float(low), float(high))


def stratified_p(strata: Strata, *, seed: int, samples: int = SAMPLES) -> float:
    """Give the p-value of the two-sided randomisation test for a sum of paired differences.

    If both systems are equally good, each query's difference could as well have the other sign: the p-value is the
    share of signs with which the sum is as far from 0 as it is. All signs are tried if at most `ENUMERATED` differences
    are not 0; else `samples` are drawn, and the observed one counts as one of them.
    """
    values = np.concatenate([*strata])
    values = values[values != 0]
    if len(values) <= ENUMERATED:
        return float(np.mean(_as_far(_all_signs(len(values)), values)))
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, 2, (n_rows, len(values)), np.int8) for n_rows in _blocks(samples, len(values)))
    return (1 + sum(int(_as_far(turned, values).sum()) for turned in drawn)) / (1 + samples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for being many, in their order: with them, the chance of any false alarm stays what it was.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, (len(p_values) - rank) * p_values[place])
        corrected[place] = min(1.0, largest)
    return corrected


def _differences(a: Values, b: Values) -> Values:
    if len(a) != len(b):
        raise InvalidArgumentError(f"{len(a)} values cannot be paired with {len(b)}", help="pair them by query")
    return b - a


def _share(values: Values) -> Values:
    if not len(values) or not np.isfinite(values).all():
        raise InvalidArgumentError("a mean needs values, and finite ones", help="leave tasks without queries out")
    return values / len(values)


def _as_far(turned: NDArray[np.int8], values: Values) -> NDArray[np.bool_]:
    """Tell for each row ``(n_rows, n_values)`` whether the sum with these signs turned is as far from 0."""
    observed = values.sum()
    sums = observed - 2 * (turned @ values)
    close: NDArray[np.bool_] = np.abs(sums) >= abs(observed) - ROUNDING * np.abs(values).sum()
    return close


def _all_signs(n: int) -> NDArray[np.int8]:
    """Write all numbers of `n` bits: ``(2 ** n, n)``."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.int8)


def _blocks(samples: int, n: int) -> Iterator[int]:
    """Cut so many samples of `n` values into parts of bounded memory."""
    size = max(1, BLOCK // max(1, n))
    yield from (min(size, samples - start) for start in range(0, samples, size))
