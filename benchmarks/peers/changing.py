"""What changing one passage costs other engines: `python -m benchmarks.peers.changing JOB.json`, in their environments.

The index is built of the same drawn vectors as ours (`benchmarks.updates`), by the engine's adapter, and then changed
one passage at a time. Each engine does what its documentation calls enough for a change to survive the process.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.drawn_vectors import passages, queries
from benchmarks.peers import ENGINES
from benchmarks.peers.lance import COLUMN, TABLE, arrow
from benchmarks.peers.protocol import Engine, Material
from benchmarks.peers.worker import cpu_seconds, versions
from benchmarks.syncs import sync_ms
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

Vectors = NDArray[np.float32]


class Changer(Protocol):
    """An index that is open for changes."""

    def insert(self, number: int, vectors: Vectors) -> None:
        """Add a passage; it is found from now on."""

    def delete(self, number: int) -> None:
        """Take a passage out; it is not found any more."""

    def best(self, query: Vectors) -> int:
        """Give the number of the best passage, by an exact search."""


class QdrantChanger:
    """Flushes after each change: an update that is not flushed may be gone with the process."""

    def __init__(self, folder: Path) -> None:
        import qdrant_edge

        self._edge = qdrant_edge
        self._shard = qdrant_edge.EdgeShard.load(str(folder))

    def insert(self, number: int, vectors: Vectors) -> None:
        """Add a point and flush."""
        point = self._edge.Point(number, {"tokens": vectors.tolist(), "mean": vectors.mean(axis=0).tolist()})
        self._shard.update(self._edge.UpdateOperation.upsert_points([point]))
        self._shard.flush()

    def delete(self, number: int) -> None:
        """Delete a point and flush."""
        self._shard.update(self._edge.UpdateOperation.delete_points([number]))
        self._shard.flush()

    def best(self, query: Vectors) -> int:
        """Compare all points."""
        asked = self._edge.Query.Nearest(query.tolist(), using="tokens")
        return int(self._shard.query(self._edge.QueryRequest(1, query=asked))[0].id)


class LanceChanger:
    """Every change is a version of the table; its files are written, not synced."""

    def __init__(self, folder: Path) -> None:
        import lancedb

        self._table = lancedb.connect(folder).open_table(TABLE)

    def insert(self, number: int, vectors: Vectors) -> None:
        """Append a row."""
        added = MultiVectors.of([vectors.astype(np.float16)])
        self._table.add(arrow(added, np.array([number])))

    def delete(self, number: int) -> None:
        """Delete a row by its number."""
        self._table.delete(f"id = {number}")

    def best(self, query: Vectors) -> int:
        """Look widely: its search is approximate."""
        asked = self._table.search(query, vector_column_name=COLUMN).select(["id", "_distance"]).limit(1)
        return int(asked.nprobes(64).refine_factor(20).to_arrow()["id"][0].as_py())


CHANGERS: dict[str, Callable[[Path], Changer]] = {"qdrant-edge": QdrantChanger, "lancedb": LanceChanger}


@dataclass(frozen=True, slots=True)
class ChangesJob:
    """What the process has to do.

    Attributes:
        engine: name in `CHANGERS`.
        passages: drawn for the index.
        tokens: of each.
        changes: of each kind, one after the other.
        folder: empty, for the index.
        result: file to write the rows into.
        cpu_seconds: after which the process is killed.
    """

    engine: str
    passages: int
    tokens: int
    changes: int
    folder: str
    result: str
    cpu_seconds: int


def main(job_file: str) -> None:
    """Build, change, and write a row for each kind of change."""
    job = ChangesJob(**json.loads(Path(job_file).read_text(encoding="utf-8")))
    resource.setrlimit(resource.RLIMIT_CPU, (job.cpu_seconds, job.cpu_seconds + 10))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    engine = cast(Engine, lookup(ENGINES, job.engine, "engine")())
    for module in engine.environment.modules:
        import_module(module)
    vectors = passages(job.passages, job.tokens, 0)
    engine.build(Material(vectors, np.zeros(len(vectors.vectors), np.uint32)), Path(job.folder), 1)
    version = versions(engine).popitem()[1]
    rows = [{"version": version, **row} for row in changed(job)]
    Path(job.result).write_text(json.dumps(rows), encoding="utf-8")


def changed(job: ChangesJob) -> list[dict[str, Any]]:
    """Insert passages that are found at once, then delete them so that they are not."""
    changer = CHANGERS[job.engine](Path(job.folder))
    others = [vectors.astype(np.float32) for vectors in passages(job.changes, job.tokens, 1)]
    changer.best(queries(1, 0)[0])
    rows = [_timed("insert", lambda i: changer.insert(job.passages + i, others[i]), job)]
    if changer.best(others[0]) != job.passages:
        raise RuntimeError("an inserted passage is not found")
    rows.append(_timed("delete", lambda i: changer.delete(job.passages + i), job))
    if changer.best(others[0]) == job.passages:
        raise RuntimeError("a deleted passage is still found")
    return rows


def _timed(operation: str, change: Callable[[int], None], job: ChangesJob) -> dict[str, Any]:
    cpu, wall = [], []
    for number in range(job.changes):
        started, started_cpu = time.perf_counter(), cpu_seconds()
        change(number)
        cpu.append(cpu_seconds() - started_cpu)
        wall.append(time.perf_counter() - started)
    return {
        "operation": operation,
        "cpu_ms": round(float(np.median(cpu)) * 1000, 2),
        "wall_ms_p50": round(float(np.median(wall)) * 1000, 2),
        "wall_ms_p95": round(float(np.percentile(wall, 95)) * 1000, 2),
        "fdatasync_ms_p50": sync_ms(Path(job.folder).parent),
    }


if __name__ == "__main__":
    main(sys.argv[1])
