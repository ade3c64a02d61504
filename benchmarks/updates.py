"""What do changes to a collection cost that has its centroids already?

`python -m benchmarks.updates DATA --checkpoint FOLDER` writes ``results/updates.json``. The collection is that of
`engine.py`. First it is searched with filters (`filters.py`); then it grows: what is added to it are other passages of
`growth_vectors.py`, encoded beforehand, in one call as after a large folder and in calls of one document.
"""

import shutil
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine_measures import digest, exact_scores
from benchmarks.engine_vectors import engine_set
from benchmarks.filters import filtered
from benchmarks.growth_vectors import growth_set
from benchmarks.peers.ours import NAME, Ours
from benchmarks.peers.protocol import Material
from benchmarks.results_file import ROOT, measured, measured_commit, write
from index.collection import Collection
from index.types import Document
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

SEED = 0
MANY, SINGLE = 8192, 50
"""Documents added in one call, and one after the other."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--checkpoint", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(data: Path, checkpoint: Path, allow_dirty: bool) -> None:
    """Measure on the sets in DATA, with one thread."""
    commit = measured_commit(allow_dirty=allow_dirty)
    base, grown = engine_set(data / "eval", ROOT / "data", seed=SEED), growth_set(data, ROOT / "data", checkpoint)
    folder = ROOT / "data" / "updates"
    shutil.rmtree(folder, ignore_errors=True)
    Ours().build(Material(base.passages, base.token_ids), folder, 1)
    others = grown.passages.take(np.arange(len(base.passages), len(base.passages) + MANY + SINGLE))
    encoder = HashingEncoder(dim=others.dim)
    with Collection.open(NAME, encoder=encoder, home=folder, threads=1) as collection:
        name = digest(ROOT / "data" / "engine", ("passages.npy", "offsets.npy"))
        exact = exact_scores(base.queries, base.passages, base.queries_folder, name)
        rows = filtered(collection, base.queries, exact, SEED)
        rows += [
            inserted(collection, others.take(np.arange(first, first + n)), n_calls)
            for first, n, n_calls in ((0, MANY, 1), (MANY, SINGLE, SINGLE))
        ]
    click.echo(
        write(measured("updates", rows, commit=commit, command=command_line("benchmarks.updates"), seed=SEED), ROOT)
    )


def inserted(collection: Collection, vectors: MultiVectors, n_calls: int) -> dict[str, Any]:
    """Add documents of these vectors in so many calls, and say what that costs."""
    before = collection.counts().passages
    cpu, wall = [], []
    for numbers in np.array_split(np.arange(len(vectors)), n_calls):
        documents = [Document(f"added {before + number}", f"passage {number}") for number in numbers.tolist()]
        started, started_cpu = time.perf_counter(), time.process_time()
        collection.add(documents, vectors=vectors.take(numbers))
        cpu.append(time.process_time() - started_cpu)
        wall.append(time.perf_counter() - started)
    row = {
        "system": "lfm2-colbert",
        "operation": "insert",
        "passages": before,
        "inserted_per_call": len(vectors) // n_calls,
        "tokens": len(vectors.vectors),
        "cpu_ms": round(float(np.median(cpu)) * 1000, 2),
        "wall_ms_p95": round(float(np.percentile(wall, 95)) * 1000, 2),
        "tokens_per_cpu_s": round(len(vectors.vectors) / sum(cpu)),
    }
    click.echo(row)
    return row


if __name__ == "__main__":
    run(main)
