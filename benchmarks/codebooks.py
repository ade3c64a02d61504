"""Which centroids rule out passages best, and what do they cost? Methods of clustering against exact MaxSim.

`python -m benchmarks.codebooks SETS` writes ``results/codebooks.json``. A codebook is a choice of design, so it is
judged by the queries to tune with: how much of what exact MaxSim finds is among the m passages that the interaction of
centroids puts first, over all passages. CPU time is of one thread; training runs from stored halves to centroids,
drawing the sample or the groups included.
"""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.clusterings import METHODS, Clustering, Tokens, assigned_to_groups, assigned_to_nearest, mean_distance
from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine import PASSAGES
from benchmarks.engine_measures import best_passages, digest, exact_scores, recall_among
from benchmarks.engine_vectors import EngineSet, Part, engine_set
from benchmarks.results_file import ROOT, measured, measured_commit, write
from index.candidates.centroids import look_up
from index.codebook import Clusters, Codebook
from index.native import kernels
from index.native.base import Rows

LIBRARIES = ("faiss-cpu",)
SEED = 0
SIZES: Mapping[str, tuple[int, ...]] = {
    "two-level": (2**13, 2**14, 2**15),
    "token-aware": (2**13, 2**14, 2**15),
    "plain": (2**13, 2**14),  # twice as many would take four times as long
}
CANDIDATES = (64, 128, 256, 512)
ALL, NEAR, OWN = "all centroids", "nearest groups", "own group"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is clustered, and what is to be found.

    Attributes:
        data: passages and queries.
        tokens: of the passages.
        exact: ``(n_queries, n_passages)`` exact MaxSim.
    """

    data: EngineSet
    tokens: Tokens
    exact: NDArray[np.float32]


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, allow_dirty: bool) -> None:
    """Measure on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    faiss.omp_set_num_threads(1)
    data = engine_set(sets, ROOT / "data", Part.TUNING, SEED)
    tokens = Tokens(np.asarray(data.passages.vectors, np.float16), data.token_ids)
    name = digest(ROOT / "data" / "engine", PASSAGES)
    material = Material(data, tokens, exact_scores(data.queries, data.passages, data.queries_folder, name))
    rows = []
    for method, sizes in SIZES.items():
        for n_centroids in sizes:
            for row in rows_of(method, n_centroids, material):
                rows.append(row)
                click.echo(row)
    results = measured(
        "codebooks", rows, commit=commit, command=command_line("benchmarks.codebooks"), seed=SEED, libraries=LIBRARIES
    )
    click.echo(write(results, ROOT))


def rows_of(method: str, n_centroids: int, material: Material) -> Iterator[dict[str, Any]]:
    """Train once, and measure each way to assign tokens."""
    started = time.process_time()
    clustering = METHODS[method](material.tokens, n_centroids, SEED)
    training = time.process_time() - started
    for name in ways(clustering):
        started = time.process_time()
        codes = assigned(name, material.tokens, clustering)
        assignment = time.process_time() - started
        row: dict[str, Any] = {"method": method, "assignment": name, "centroids": len(clustering.centroids)}
        row |= {
            "passages": len(material.data.passages),
            "tokens": len(codes),
            "queries": len(material.data.queries),
            "codebook_cpu_s": round(training, 1),
            "assignment_cpu_s": round(assignment, 1),
            "load_average": round(os.getloadavg()[0], 2),
        }
        yield row | quality(codes, clustering, material)


def ways(clustering: Clustering) -> Iterator[str]:
    """Say how tokens can be given their centroids."""
    yield ALL
    if len(clustering.clusters.group_offsets) > 2:
        yield NEAR
    if clustering.groups is not None:
        yield OWN


def assigned(way: str, tokens: Tokens, clustering: Clustering) -> NDArray[np.uint32]:
    """Give each token a centroid, ``(n_tokens,)``: the nearest of all, of groups near to it, or of its own group."""
    if way == OWN and clustering.groups is not None:
        return assigned_to_groups(tokens, clustering.groups, clustering)
    if way == NEAR:
        return assigned_to_nearest(tokens, clustering.clusters)
    return assigned_to_nearest(tokens, Clusters.whole(clustering.centroids))


def quality(codes: NDArray[np.uint32], clustering: Clustering, material: Material) -> dict[str, float]:
    """Say how near centroids are to their tokens, and what their interaction finds."""
    offsets = material.data.passages.offsets
    scores = interactions(material.data, Codebook.of(0, clustering.clusters), codes)
    best = best_passages(scores, max(CANDIDATES))
    found = {f"recall_at_10_in_{m}": round(recall_among(best[:, :m], material.exact, 10), 4) for m in CANDIDATES}
    return {
        "mean_distance": round(mean_distance(material.tokens, clustering.centroids, codes), 4),
        "centroids_per_passage": round(centroids_per_passage(codes, offsets), 1),
        **found,
        f"recall_at_100_in_{max(CANDIDATES)}": round(recall_among(best, material.exact, 100), 4),
    }


def interactions(data: EngineSet, codebook: Codebook, codes: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Score all passages by their centroids, as a search scores its candidates: ``(n_queries, n_passages)``."""
    rows = Rows(data.passages.offsets, np.arange(len(data.passages)))
    scores = np.empty((len(data.queries), len(data.passages)), np.float32)
    for query, row in zip(data.queries, scores, strict=True):
        _, table, _ = look_up(np.asarray(query, np.float32), codebook, n_probe=1)
        row[:] = kernels().interact(table, codes, rows)
    return scores


def centroids_per_passage(codes: NDArray[np.uint32], offsets: NDArray[np.int64]) -> float:
    """Count the different centroids of a passage's tokens, mean over the passages: what posting lists hold."""
    n_passages = len(offsets) - 1
    passage_of = np.repeat(np.arange(n_passages), np.diff(offsets))
    return len(np.unique(codes.astype(np.int64) * n_passages + passage_of)) / n_passages


if __name__ == "__main__":
    run(main)
