"""One engine in a process of its own: built or searched as a job file says, and what that cost written down.

`python -m benchmarks.peers.worker JOB.json`, by the interpreter of the engine's environment.
"""

import json
import os
import re
import resource
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import ENGINES
from benchmarks.peers.protocol import Engine, Found, Material, Search
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

WARM_UP_QUERIES = 5
BYTES_PER_MB = 2**20
RESULT, FOUND = "result.json", "found.npz"


@dataclass(frozen=True, slots=True)
class Job:
    """What the process has to do.

    Attributes:
        engine: name in `ENGINES`.
        setting: its name; empty: build.
        threads: of build or search; the process is bound to as many cores.
        material: folder of the passages' vectors (`engine_vectors.py`).
        queries: folder of the queries' vectors; a build needs none.
        index: folder of the engine's index.
        result: folder to write the results into.
        cpu_seconds: after which a build is killed, and no more queries are asked.
        k: passages asked for.
    """

    engine: str
    setting: str
    threads: int
    material: str
    queries: str
    index: str
    result: str
    cpu_seconds: int
    k: int = 100


def main(job_file: str) -> None:
    """Do a job."""
    job = Job(**json.loads(Path(job_file).read_text(encoding="utf-8")))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-job.threads :])
    engine = cast(Engine, lookup(ENGINES, job.engine, "engine")())
    for module in engine.environment.modules:
        import_module(module)
    figures = search(engine, job) if job.setting else build(engine, job)
    figures["versions"] = versions(engine)
    (Path(job.result) / RESULT).write_text(json.dumps(figures), encoding="utf-8")


def build(engine: Engine, job: Job) -> dict[str, Any]:
    """Build the index and say what it cost."""
    resource.setrlimit(resource.RLIMIT_CPU, (job.cpu_seconds, job.cpu_seconds + 10))  # at the second it is killed
    material, folder = _material(Path(job.material)), Path(job.index)
    before = cpu_seconds()
    engine.build(material, folder, job.threads)
    spent = cpu_seconds() - before
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "build_cpu_s": round(spent, 1),
        "build_tokens_per_cpu_s": round(len(material.token_ids) / spent),
        "disk_mb": round(n_bytes / BYTES_PER_MB, 1),
        "disk_bytes_per_token": round(n_bytes / len(material.token_ids), 1),
        "build_peak_rss_mb": round(_status_mb("VmHWM")),
    }


def search(engine: Engine, job: Job) -> dict[str, Any]:
    """Ask the queries one at a time, in an order drawn by a seed, until the CPU time is spent; say what they cost."""
    asked = Path(job.queries)
    queries = MultiVectors(np.load(asked / "queries.npy"), np.load(asked / "query_offsets.npy"))
    n_tokens = int(np.load(Path(job.material) / "offsets.npy", mmap_mode="r")[-1])
    setting = next(setting for setting in engine.settings if setting.name == job.setting)
    before = _status_mb("VmRSS")
    ask = engine.open(Path(job.index), job.threads, setting)
    order = np.random.default_rng(0).permutation(len(queries))
    for i in order[:WARM_UP_QUERIES]:
        ask(_query(queries, i), job.k)
    timed = _timed(ask, queries, order, job)
    grown = (_status_mb("VmRSS") - before) * BYTES_PER_MB
    passages, scores = _matrices(timed.found, job.k)
    np.savez(Path(job.result) / FOUND, queries=order[: len(passages)], passages=passages, scores=scores)
    return {
        "cpu_ms_per_query": round(1000 * timed.cpu_seconds / len(timed.found), 3),
        "wall_ms_p50": round(1000 * float(np.percentile(timed.wall_seconds, 50)), 3),
        "wall_ms_p95": round(1000 * float(np.percentile(timed.wall_seconds, 95)), 3),
        "load_average": round(os.getloadavg()[0], 1),
        "memory_bytes_per_token": round(grown / n_tokens, 1),
        "peak_rss_mb": round(_status_mb("VmHWM")),
    }


@dataclass(frozen=True, slots=True)
class Timed:
    """Answers, the CPU seconds of all threads for all of them, and the wall seconds of each."""

    found: list[Found]
    cpu_seconds: float
    wall_seconds: list[float]


def _timed(ask: Search, queries: MultiVectors, order: NDArray[np.int64], job: Job) -> Timed:
    found: list[Found] = []
    wall_seconds: list[float] = []
    before = time.process_time()
    for i in order:
        start = time.perf_counter()
        found.append(ask(_query(queries, i), job.k))
        wall_seconds.append(time.perf_counter() - start)
        if time.process_time() - before > job.cpu_seconds:
            break
    return Timed(found, time.process_time() - before, wall_seconds)


def _query(queries: MultiVectors, i: int) -> NDArray[np.float32]:
    return np.array(queries[int(i)], np.float32)  # a copy: some engines want arrays that can be written


def _matrices(found: list[Found], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lay answers out as ``(n_queries, k)``, passage −1 and score −inf where there are fewer."""
    passages = np.full((len(found), k), -1, np.int64)
    scores = np.full((len(found), k), -np.inf, np.float32)
    for row, each in enumerate(found):
        passages[row, : len(each.passages)] = each.passages
        scores[row, : len(each.scores)] = each.scores
    return passages, scores


def _material(folder: Path) -> Material:
    offsets = np.load(folder / "offsets.npy")
    vectors = np.load(folder / "passages.npy", mmap_mode="r")[: offsets[-1]]
    return Material(MultiVectors(vectors, offsets), np.load(folder / "token_ids.npy"))


def versions(engine: Engine) -> dict[str, str]:
    """Say which releases of the engine's own requirements run here."""
    names = [requirement.partition("==")[0] for requirement in engine.environment.requirements]
    return {name: version(name) for name in names if name != "numpy"}


def cpu_seconds() -> float:
    """Give the CPU time of all threads of this process and of the processes it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _status_mb(key: str) -> float:
    # Not getrusage: a process that was started by another inherits that one's peak there.
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{key}:\s*(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError(f"this system does not tell a process's {key}: measure on Linux")
    return int(found[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1])
