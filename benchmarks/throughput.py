"""How many queries a second do several threads get through? One collection, opened by each thread for itself.

`python -m benchmarks.throughput SETS` writes ``results/throughput.json``. The numbers of threads take turns, and the
medians of several rounds are kept, since a machine that others use is never twice the same.
"""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine_vectors import engine_set
from benchmarks.peers.ours import Ours
from benchmarks.peers.protocol import Material, Setting
from benchmarks.results_file import ROOT, measured, measured_commit, write

SEED = 0
FOUND = 100
THREADS = (1, 2)
ROUNDS = 5
SETTINGS = 2
"""The presets that choose candidates; `exact` would take minutes a round."""

Queries = list[NDArray[np.float32]]


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, allow_dirty: bool) -> None:
    """Measure on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    data, folder = engine_set(sets, ROOT / "data", seed=SEED), ROOT / "data" / "throughput"
    shutil.rmtree(folder, ignore_errors=True)
    queries = [np.asarray(query, np.float32) for query in data.queries]
    Ours().build(Material(data.passages, data.token_ids), folder, max(THREADS))
    rows = [row for setting in Ours.settings[:SETTINGS] for row in rows_of(setting, folder, queries)]
    results = measured("throughput", rows, commit=commit, command=command_line("benchmarks.throughput"), seed=SEED)
    click.echo(write(results, ROOT))


def rows_of(setting: Setting, folder: Path, queries: Queries) -> list[dict[str, Any]]:
    """Measure one preset with each number of threads."""
    rounds = [[timed(setting, folder, queries, threads) for threads in THREADS] for _ in range(ROUNDS)]
    rows = []
    for threads, (wall, cpu) in zip(THREADS, np.median(np.array(rounds), axis=0), strict=True):
        row = {
            "setting": setting.name,
            "searching_threads": threads,
            "queries": len(queries),
            "queries_per_s": round(float(len(queries) / wall), 1),
            "cpu_ms_per_query": round(float(cpu / len(queries) * 1000), 3),
        }
        click.echo(row)
        rows.append(row)
    return rows


def timed(setting: Setting, folder: Path, queries: Queries, threads: int) -> tuple[float, float]:
    """Share the queries among threads; give wall and CPU seconds of the searches, opening left out."""
    searches = [Ours().open(folder, 1, setting) for _ in range(threads)]
    for search in searches:
        search(queries[0], FOUND)  # opens the files

    def ask(place: int) -> None:
        for query in queries[place::threads]:
            searches[place](query, FOUND)

    with ThreadPoolExecutor(threads) as pool:
        wall, cpu = time.perf_counter(), time.process_time()
        list(pool.map(ask, range(threads)))
        return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    run(main)
