"""What do changes to a collection cost, and what does a filter?

`python -m benchmarks.updates SETS` writes ``results/updates.json``. Costs of changes do not depend on what vectors say,
so these are drawn (`drawn_vectors.py`), for collections of 20,000 and of 500,000 passages, and one thread does it all.
What holds after thousands of changes is measured on the texts of the evaluation sets (`mixed.py`).
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.drawn_vectors import DIM, passages, queries
from benchmarks.filters import filtered
from benchmarks.mixed import mixed_operations
from benchmarks.peers import ENGINES
from benchmarks.peers.changing import CHANGERS, ChangesJob
from benchmarks.peers.ours import NAME, Ours
from benchmarks.peers.processes import NotRunError, changed, interpreter
from benchmarks.peers.protocol import Material
from benchmarks.results_file import RESULTS, ROOT, measured, measured_commit, write
from benchmarks.syncs import sync_ms
from eval.oracle import all_scores
from index.collection import Collection
from index.types import Document
from index.verify import verify
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

SEED = 0
SIZES = {20_000: 124, 500_000: 24}
"""Passages → vectors of each; real ones have about 124, of which half a million would not fit this machine's memory."""
MANY, SINGLE = 8192, 60
"""Documents added in one call, and changes made one after the other."""
FILTERED_QUERIES = 100
PEER_SECONDS = 1800
"""CPU seconds after which another engine is stopped, build and all."""
NAMES = ("20k", "500k", "mixed", "peers-20k", "peers-500k")

Row = dict[str, Any]


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--part", "parts", type=click.Choice(NAMES), multiple=True, help="Only these; other rows are kept.")
@allow_dirty
def main(sets: Path, parts: tuple[str, ...], allow_dirty: bool) -> None:
    """Measure; SETS are the unpacked evaluation sets."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows = {part: _kept(part) for part in NAMES}
    for part in parts or NAMES:
        rows[part] = [{"part": part, **row, "commit": commit} for row in _shown(_part(part, sets))]
        _write([row for each in rows.values() for row in each], commit)


def _part(part: str, sets: Path) -> Iterator[Row]:
    if part == "mixed":
        return mixed_operations(sets)
    n_passages = 1000 * int(part.removeprefix("peers-").removesuffix("k"))
    return peers(n_passages) if part.startswith("peers") else changes(n_passages)


def _kept(part: str) -> list[Row]:
    path = RESULTS / "updates.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return [row for row in rows if row.get("part") == part]


def _write(rows: list[Row], commit: str) -> None:
    command = command_line("benchmarks.updates")
    click.echo(write(measured("updates", rows, commit=commit, command=command, seed=SEED), ROOT))


def _shown(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        click.echo(row)
        yield row


def peers(n_passages: int) -> Iterator[Row]:
    """Change the indexes of other engines, of the same vectors."""
    for name in CHANGERS:
        folder = ROOT / "data" / "updates" / f"{name}-{n_passages}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "index").mkdir(parents=True)
        job = ChangesJob(
            name, n_passages, SIZES[n_passages], SINGLE, str(folder / "index"), str(folder / "rows.json"), PEER_SECONDS
        )
        common = {"system": name, "passages": n_passages, "vectors": "drawn"}
        try:
            environment = lookup(ENGINES, name, "engine")().environment
            rows = changed(interpreter(ROOT, name, environment), job)
        except NotRunError as error:
            rows = [{"operation": "insert", "not_run": str(error)}]
        yield from (common | row for row in rows)
        shutil.rmtree(folder)


def changes(n_passages: int) -> Iterator[Row]:
    """Build a collection and change it in every way, a row each."""
    folder = ROOT / "data" / "updates" / str(n_passages)
    shutil.rmtree(folder, ignore_errors=True)
    vectors = passages(n_passages, SIZES[n_passages], SEED)
    Ours().build(Material(vectors, np.zeros(len(vectors.vectors), np.uint32)), folder, 1)
    common = {"system": "lfm2-colbert", "passages": n_passages, "vectors": "drawn"}
    yield common | opened(folder)
    yield common | verified(folder)
    others = passages(MANY + SINGLE, SIZES[n_passages], SEED + 1)
    with Collection.open(NAME, encoder=HashingEncoder(dim=DIM), home=folder, threads=1) as collection:
        if n_passages == min(SIZES):
            asked = queries(FILTERED_QUERIES, SEED)
            yield from filtered(collection, asked, all_scores(asked, vectors), SEED)
        yield common | inserted(collection, others.take(np.arange(MANY)))
        for operation, change in single_changes(collection, others.take(np.arange(MANY, MANY + SINGLE))):
            yield common | one_by_one(operation, change, folder)


def opened(folder: Path) -> Row:
    """Open the collection and search it once, as a process that has just started does."""
    query, cpu, wall = queries(1, SEED)[0], [], []
    for _ in range(5):
        started, started_cpu = time.perf_counter(), time.process_time()
        with Collection.open(NAME, home=folder, threads=1) as collection:
            collection.search_vectors(query, k=10)
        cpu.append(time.process_time() - started_cpu)
        wall.append(time.perf_counter() - started)
    return {"operation": "open and search", "cpu_ms": _ms(cpu), "wall_ms_p50": _ms(wall)}


def verified(folder: Path) -> Row:
    """Check every byte."""
    report = verify(folder / NAME)
    if report.damage:
        raise RuntimeError(f"a collection that was just built is damaged: {report.damage[0].message}")
    megabytes = report.bytes_read / 1e6
    return {
        "operation": "verify",
        "mb": round(megabytes),
        "mb_per_s": round(megabytes / report.seconds),
        "wall_ms_p50": round(report.seconds * 1000, 1),
    }


def inserted(collection: Collection, vectors: MultiVectors) -> Row:
    """Add many documents in one call."""
    started, started_cpu = time.perf_counter(), time.process_time()
    collection.add([Document(f"many {i}", f"passage {i}") for i in range(len(vectors))], vectors=vectors)
    spent = time.process_time() - started_cpu
    return {
        "operation": "insert",
        "inserted_per_call": len(vectors),
        "tokens": len(vectors.vectors),
        "cpu_ms": round(spent * 1000, 1),
        "wall_ms_p50": round((time.perf_counter() - started) * 1000, 1),
        "tokens_per_cpu_s": round(len(vectors.vectors) / spent),
    }


def single_changes(collection: Collection, vectors: MultiVectors) -> Iterator[tuple[str, Callable[[int], object]]]:
    """Give the ways of changing one document, each a function of a number."""

    def added(prefix: str, shift: int) -> Callable[[int], object]:
        return lambda i: collection.add(
            [Document(f"{prefix} {i}", f"passage {i} {shift}")], vectors=vectors.take([(i + shift) % SINGLE])
        )

    yield "insert", added("single", 0)
    yield "update", added("single", 1)
    yield "metadata", lambda i: collection.add([Document(f"single {i}", f"passage {i} 1", {"n": i})])
    yield "delete", lambda i: collection.delete(str(i))


def one_by_one(operation: str, change: Callable[[int], object], folder: Path) -> Row:
    """Change one document after the other, each durable and searchable before the next."""
    cpu, wall = [], []
    for number in range(SINGLE):
        started, started_cpu = time.perf_counter(), time.process_time()
        change(number)
        cpu.append(time.process_time() - started_cpu)
        wall.append(time.perf_counter() - started)
    return {
        "operation": operation,
        "inserted_per_call": 1,
        "cpu_ms": _ms(cpu),
        "wall_ms_p50": _ms(wall),
        "wall_ms_p95": round(float(np.percentile(wall, 95)) * 1000, 2),
        "fdatasync_ms_p50": sync_ms(folder),
    }


def _ms(seconds: list[float]) -> float:
    return round(float(np.median(seconds)) * 1000, 2)


if __name__ == "__main__":
    run(main)
