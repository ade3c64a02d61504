"""How fast are the kernels, and do they agree? Every variant that runs here, on passages that no cache holds.

`python -m benchmarks.kernels` writes ``results/kernels.json``: CPU time of one thread over the tokens scored, the
median of several runs. Errors are against the NumPy kernels, which are the definition. Rows of other processors stay.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.results_file import ROOT, measured, measured_commit, processor, rows_of_others, write
from index.codecs.scalar import TABLES
from index.native.base import LANES, VALUE_LIMIT, CoarseQuery, FineQuery, Kernels, Rows, TokenCodes
from index.native.fallback import NumpyKernels
from index.native.library import load_library
from lfm2_colbert.errors import InvalidArgumentError

SEED = 0
DIM = 128
N_PASSAGES, N_SCORED, PASSAGE_TOKENS = 8000, 2000, 190
N_CENTROIDS = 2**14
N_ASSIGNED = 2048
RUNS = {"numpy": 1, "scalar": 1}
MANY_RUNS = 7

Kernel = Callable[[Kernels], NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What the kernels are given: random codes, and rows in random order."""

    tokens: TokenCodes
    rows: Rows
    centroid_of: NDArray[np.uint16]
    centroids: NDArray[np.uint8]
    vectors: NDArray[np.float32]


def material(rng: np.random.Generator) -> Material:
    """Make passages of which a run touches a quarter."""
    n = N_PASSAGES * PASSAGE_TOKENS
    codes, refinement = (rng.integers(0, 256, (n, DIM // 2), dtype=np.uint8) for _ in range(2))
    scales, means = (rng.random(n).astype(np.float16) for _ in range(2))
    offsets = np.arange(N_PASSAGES + 1, dtype=np.int64) * PASSAGE_TOKENS
    return Material(
        TokenCodes(codes, scales, means, refinement, scales),
        Rows(offsets, rng.permutation(N_PASSAGES)[:N_SCORED].astype(np.int64)),
        rng.integers(0, N_CENTROIDS, n).astype(np.uint16),
        rng.integers(1, 128, (N_CENTROIDS, DIM), dtype=np.uint8),
        rng.standard_normal((N_ASSIGNED, DIM)).astype(np.float32),
    )


def kernels_of(given: Material, n_query: int, rng: np.random.Generator) -> Iterator[tuple[str, int, Kernel]]:
    """Give each kernel by its name, and the number of tokens that it works on."""
    values = rng.integers(-VALUE_LIMIT, VALUE_LIMIT + 1, (n_query, DIM)).astype(np.int8)
    coarse = CoarseQuery(values, TABLES[4].levels, 1e-5)
    fine = FineQuery(rng.integers(-2000, 2001, (n_query, DIM)).astype(np.int16), TABLES[4].bases, TABLES[4].steps, 1e-8)
    table = rng.integers(0, 256, (N_CENTROIDS, -(-n_query // LANES) * LANES), dtype=np.uint8)
    scored = N_SCORED * PASSAGE_TOKENS
    tokens = np.resize(values, (N_ASSIGNED, DIM))
    yield "maxsim_coarse", scored, lambda k: k.maxsim_coarse(coarse, given.tokens, given.rows)
    yield "maxsim_fine", scored, lambda k: k.maxsim_fine(fine, given.tokens, given.rows)
    floats = values.astype(np.float32)
    yield "token_products", len(given.tokens.codes), lambda k: k.token_products(floats, TABLES[4], given.tokens)
    yield "interact", scored, lambda k: k.interact(table, given.centroid_of, given.rows)
    yield "centroid_products", N_CENTROIDS, lambda k: k.centroid_products(values, given.centroids)
    yield "nearest_centroids", N_ASSIGNED, lambda k: k.nearest_centroids(tokens, given.centroids).ids
    yield "code_tokens", N_ASSIGNED, lambda k: k.code_tokens(given.vectors, TABLES[4]).codes


def variants() -> Iterator[Kernels]:
    """Give the variants that run here; NumPy first."""
    yield NumpyKernels()
    for name in ("scalar", "avx2", "avx512", "neon"):
        try:
            compiled = load_library(variant=name)
        except InvalidArgumentError:
            continue
        if compiled:
            yield compiled


def timed(kernel: Kernel, chosen: Kernels) -> tuple[float, NDArray[Any]]:
    """Give the median CPU seconds of a call, and what it gave."""
    seconds = []
    for _ in range(RUNS.get(chosen.variant, MANY_RUNS)):
        started = time.process_time()
        result = kernel(chosen)
        seconds.append(time.process_time() - started)
    return float(np.median(seconds)), result


@click.command()
@allow_dirty
def main(allow_dirty: bool) -> None:
    """Measure the kernels."""
    commit, cpu = measured_commit(allow_dirty=allow_dirty), processor()
    rng = np.random.default_rng(SEED)
    given, rows = material(rng), rows_of_others("kernels", cpu)
    for n_query in (32, 13):
        for name, n_tokens, kernel in kernels_of(given, n_query, rng):
            expected: NDArray[Any] | None = None
            for chosen in variants():
                seconds, result = timed(kernel, chosen)
                expected = result if expected is None else expected
                error = float(np.abs(result.astype(np.float64) - expected).max())
                rows.append(
                    {"kernel": name, "variant": chosen.variant, "dim": DIM, "query_tokens": n_query,
                     "ns_per_token": round(seconds / n_tokens * 1e9, 2), "max_abs_error": error, "cpu": cpu,
                     "commit": commit}
                )  # fmt: skip
                click.echo(rows[-1])
    click.echo(
        write(measured("kernels", rows, commit=commit, command=command_line("benchmarks.kernels"), seed=SEED), ROOT)
    )


if __name__ == "__main__":
    run(main)
