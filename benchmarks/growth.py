"""How do engines grow? The same as `engine.py` on five times the passages, and on all of half a million.

`python -m benchmarks.growth DATA --checkpoint FOLDER` writes ``results/growth.json``. All text is real and distinct.
The queries are a hundred of those that `engine.py` reports; what was added is not judged for them, so there is recall
against exact MaxSim and no nDCG.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine import LIBRARIES, PASSAGES, SEED, Truth, facts_of, rows_of, show
from benchmarks.engine_measures import digest, exact_scores
from benchmarks.engine_vectors import engine_set
from benchmarks.growth_vectors import GrowthSet, growth_set
from benchmarks.results_file import ROOT, measured, measured_commit, write
from lfm2_colbert.multivectors import MultiVectors

BASE_PASSAGES = 23_412
N_QUERIES = 100
ENGINES_AT = {1: ("lfm2-colbert", "qdrant-edge"), 5: ("lfm2-colbert", "qdrant-edge"), 25: ("lfm2-colbert",)}
"""Times the passages of `engine.py` → who is asked; 25 times is more than there are, so all."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--checkpoint", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--size", "sizes", multiple=True, type=click.Choice([str(size) for size in ENGINES_AT]))
@click.option("--reuse", is_flag=True, help="Search in the indexes that lie there, ours too: to work on the search.")
@click.option("--trial", type=click.Path(file_okay=False, path_type=Path), help="Write below this folder instead.")
@allow_dirty
def main(
    data: Path, checkpoint: Path, sizes: tuple[str, ...], reuse: bool, trial: Path | None, allow_dirty: bool
) -> None:
    """Measure on the evaluation and training sets in DATA."""
    commit = measured_commit(allow_dirty=allow_dirty)
    grown, asked = growth_set(data, ROOT / "data", checkpoint), _queries(data)
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    for size in map(int, sizes or ENGINES_AT):
        truth = _truth(grown, min(size * BASE_PASSAGES, len(grown.passages)), asked)
        for name in ENGINES_AT[size]:
            for row in rows_of(name, 1, truth, versions, reuse=reuse):
                rows.append(row)
                show(row)
    results = measured(
        "growth", rows, commit=commit, command=command_line("benchmarks.growth"), seed=SEED, libraries=LIBRARIES
    )
    click.echo(write(replace(results, versions=results.versions | versions), trial or ROOT))


def _queries(data: Path) -> Path:
    """Draw the queries, and give their folder."""
    folder = ROOT / "data" / "growth" / "queries"
    queries = engine_set(data / "eval", ROOT / "data", seed=SEED).queries
    drawn = np.sort(np.random.default_rng(SEED).choice(len(queries), N_QUERIES, replace=False))
    chosen = queries.take(drawn)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "queries.npy", chosen.vectors)
    np.save(folder / "query_offsets.npy", chosen.offsets)
    return folder


def _truth(grown: GrowthSet, n_passages: int, asked: Path) -> Truth:
    """Lay the first passages out as a folder of their own, and compare all of them with the queries."""
    folder = ROOT / "data" / "growth" / str(n_passages)
    folder.mkdir(exist_ok=True)
    offsets = grown.passages.offsets[: n_passages + 1]
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "token_ids.npy", grown.token_ids[: offsets[-1]])
    vectors = folder / "passages.npy"
    vectors.unlink(missing_ok=True)
    vectors.symlink_to(Path("..") / "passages.npy")
    passages = MultiVectors(grown.passages.vectors[: offsets[-1]], offsets)
    queries = MultiVectors(np.load(asked / "queries.npy"), np.load(asked / "query_offsets.npy"))
    name = digest(folder, PASSAGES)
    exact = exact_scores(queries, passages, asked, name)
    return Truth(exact, folder, folder / "indexes" / name, asked, facts_of(passages))


if __name__ == "__main__":
    run(main)
