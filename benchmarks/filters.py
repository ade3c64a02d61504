"""What does a filter cost, and does a filtered search still find the best?

`benchmarks.updates` writes what `filtered` measures into ``results/updates.json``. `python -m benchmarks.filters` is a
trial on vectors drawn at random, that prints its rows and writes no file.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks import drawn_vectors
from benchmarks.command import run
from benchmarks.engine_measures import recall
from benchmarks.peers.ours import NAME, Ours
from benchmarks.peers.protocol import Material
from eval.oracle import all_scores
from index.collection import Collection
from index.types import Document
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

SELECTIVITIES = (0.001, 0.01, 0.1, 0.5)
FIRST_USES = 20
"""Filters of a selectivity that are asked for the first time."""
SEED = 0
K = 10
EFFORT = "balanced"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What filtered searches are measured with.

    Attributes:
        collection: passage ``i`` is the document ``i`` of a single passage.
        queries: one item a query, float32.
        exact: ``(n_queries, n_passages)`` float32, MaxSim on the encoder's own output.
        draws: ``(n_passages,)``, a permutation; documents hold it as their field ``draw``.
    """

    collection: Collection
    queries: MultiVectors
    exact: NDArray[np.float32]
    draws: NDArray[np.int64]


def filtered(
    collection: Collection, queries: MultiVectors, exact: NDArray[np.float32], seed: int
) -> list[dict[str, Any]]:
    """Give every document a place in a random order, filter by it, and say what that costs: a row a selectivity."""
    draws = np.random.default_rng(seed).permutation(exact.shape[1])
    collection.add([Document(str(i), f"passage {i}", {"draw": draw}) for i, draw in enumerate(draws.tolist())])
    collection.warm_up()
    asked = Asked(collection, queries, exact, draws)
    return [_measured(asked, selectivity) for selectivity in SELECTIVITIES]


def _measured(asked: Asked, selectivity: float) -> dict[str, Any]:
    n_kept = max(round(len(asked.draws) * selectivity), 1)
    where = f"draw < {n_kept}"
    plain, filtered = _searched(asked, None), _searched(asked, where)
    kept = np.where(asked.draws < n_kept, asked.exact, np.float32(-np.inf))
    k = min(K, n_kept)
    first, added = _first_use(asked, n_kept)
    return {
        "system": "lfm2-colbert",
        "operation": "filter",
        "setting": f"effort={EFFORT}",
        "passages": len(asked.draws),
        "selectivity": selectivity,
        "queries": len(asked.queries),
        "cpu_ms": round(filtered.cpu_ms, 3),
        "cpu_ms_unfiltered": round(plain.cpu_ms, 3),
        "cpu_ms_first_use": round(first, 3),
        "first_use_us_per_passage": round(added * 1000 / n_kept, 3),
        "wall_ms_p95": round(filtered.wall_ms_p95, 3),
        "recall_at_10": round(recall(filtered.found, kept, k), 4),
        "recall_at_10_unfiltered": round(recall(plain.found, asked.exact, K), 4),
        "recall_at_10_exact": round(recall(_searched(asked, where, "exact").found, kept, k), 4),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """All queries, asked once.

    Attributes:
        cpu_ms: median of a query.
        wall_ms_p95: 95th percentile.
        found: ``(n_queries, K)`` passages, −1 where there is none.
    """

    cpu_ms: float
    wall_ms_p95: float
    found: NDArray[np.int64]


def _searched(asked: Asked, where: str | None, effort: str = EFFORT) -> Searched:
    found = np.full((len(asked.queries), K), -1, np.int64)
    cpu, wall = [], []
    asked.collection.search_vectors(
        asked.queries[0], k=K, effort=effort, where=where
    )  # the filter is known from here on
    for number, query in enumerate(asked.queries):
        started, started_cpu = time.perf_counter(), time.process_time()
        hits = asked.collection.search_vectors(query, k=K, effort=effort, where=where)
        cpu.append(time.process_time() - started_cpu)
        wall.append(time.perf_counter() - started)
        found[number, : len(hits)] = [int(document_id) for document_id, _ in hits]
    return Searched(float(np.median(cpu)) * 1000, float(np.percentile(wall, 95)) * 1000, found)


def _first_use(asked: Asked, n_kept: int) -> tuple[float, float]:
    """Ask with filters that are new: CPU ms of such a search, and how much more that is than the same search again."""
    first, added = [], []
    for number in range(FIRST_USES):
        where, query = f"draw in {number}..{number + n_kept - 1}", asked.queries[number % len(asked.queries)]
        spent = []
        for _ in range(2):
            started = time.process_time()
            asked.collection.search_vectors(query, k=K, effort=EFFORT, where=where)
            spent.append(time.process_time() - started)
        first.append(spent[0])
        added.append(spent[0] - spent[1])
    return float(np.median(first)) * 1000, float(np.median(added)) * 1000


@click.command()
@click.option("--passages", "n_passages", default=20_000, show_default=True)
@click.option("--queries", "n_queries", default=100, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Keeps the collection, and finds it again.")
def main(n_passages: int, n_queries: int, folder: Path | None) -> None:
    """Try it on vectors drawn at random, with one thread."""
    passages, queries = drawn_vectors.passages(n_passages, 124, SEED), drawn_vectors.queries(n_queries, SEED)
    with tempfile.TemporaryDirectory() as temporary:
        home = folder or Path(temporary)
        if not (home / NAME).exists():
            Ours().build(Material(passages, np.zeros(len(passages.vectors), np.uint32)), home, 1)
        with Collection.open(NAME, encoder=HashingEncoder(dim=drawn_vectors.DIM), home=home, threads=1) as collection:
            for row in filtered(collection, queries, all_scores(queries, passages), SEED):
                click.echo(row)


if __name__ == "__main__":
    run(main)
