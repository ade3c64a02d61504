"""`python -m benchmarks.serving.speed ARCHIVES` measures searches over HTTP on 23,412 passages of ten languages.

Encoding is included, and no query is asked twice. Clients run in another process on the same processors, so a search
costs them too. The rows stand in ``results/service.json`` beside those of the programmes.
"""

import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, run
from benchmarks.engine_vectors import EngineTexts, engine_texts
from benchmarks.results_file import measured_commit, processor
from benchmarks.serving.__main__ import write_rows
from benchmarks.serving.load import Searches
from benchmarks.serving.process import family_seconds, resident_bytes
from benchmarks.serving.server import Asking, serving_process
from benchmarks.serving.together import together
from index import Collection, Document
from index.home import is_collection

NAME = "mixed"
RUNS = 5
ALONE = 200


@click.command()
@click.argument("archives", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", default="data", type=click.Path(path_type=Path), help="An ignored folder.")
@allow_dirty
def main(archives: Path, data: Path, allow_dirty: bool) -> None:
    """Measure, and keep the rows."""
    commit, texts = measured_commit(allow_dirty=allow_dirty), engine_texts(archives, data)
    home = home_of(data, texts)
    rows = [ready(home), alone(home, texts.queries), searches_together(home, texts.queries)]
    rows = [row | {"cpu": processor(), "commit": commit} for row in rows]
    click.echo("\n".join(map(str, rows)))
    click.echo(write_rows(rows, commit, "benchmarks.serving.speed"))


def home_of(data: Path, texts: EngineTexts) -> Path:
    """Give the home in which the passages lie as documents, indexed once."""
    home, begun = data / "serving", data / "serving-begun"
    if not is_collection(home / NAME):
        # Beside its place until it is whole: a server indexes what a killed run left, and searches are slow meanwhile.
        shutil.rmtree(begun, ignore_errors=True)
        documents = [Document(f"p{number}", text) for number, text in enumerate(texts.passages)]
        with Collection.open(NAME, create=True, home=begun) as collection:
            collection.add(documents)
            collection.optimize()
        begun.rename(home)
    return home


def ready(home: Path) -> dict[str, Any]:
    """Measure how long a server takes until it is ready."""
    seconds, load = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        with serving_process(home, "--quiet", model="nano"):
            seconds.append(time.perf_counter() - started)
            load.append(os.getloadavg()[0])
    return {"test": "ready", "seconds": round(statistics.median(seconds), 2), "runs": RUNS, "load": _load(load)}


def alone(home: Path, queries: Sequence[str]) -> dict[str, Any]:
    """Measure what one query after another costs the server, in processor time of all its threads and processes."""
    cpu, wall, load = [], [], []
    with serving_process(home, "--quiet", model="nano") as (process, ask):
        _warm(ask, queries)
        for number in range(RUNS):
            asked = [f"{queries[i % len(queries)]} {number}-{i}" for i in range(ALONE)]
            before = family_seconds(process.pid)
            times = [_timed(ask, query) for query in asked]
            cpu.append((family_seconds(process.pid) - before) * 1000 / ALONE)
            wall.append(statistics.median(times))
            load.append(os.getloadavg()[0])
        held = resident_bytes(process.pid)
    return {
        "test": "alone",
        "cpu_ms": round(statistics.median(cpu), 2),
        "p50_ms": round(statistics.median(wall), 2),
        "private_mb": round(held / 1e6, 1),
        "runs": RUNS,
        "queries": ALONE,
        "load": _load(load),
    }


def searches_together(home: Path, queries: Sequence[str]) -> dict[str, Any]:
    """Measure what four clients get who each wait for their answer."""
    with serving_process(home, "--quiet", model="nano") as (process, ask):
        _warm(ask, queries)
        return {"test": "together", **together(process.pid, ask.url, Searches(NAME, queries))}


def _warm(ask: Asking, queries: Sequence[str]) -> None:
    for query in queries[:50]:
        ask.search(NAME, query=query)


def _timed(ask: Asking, query: str) -> float:
    started = time.perf_counter()
    answer = ask.search(NAME, query=query)
    if answer.status != 200:
        raise ValueError(f"{answer.status} {json.dumps(answer.json)}")
    return (time.perf_counter() - started) * 1000


def _load(load: Sequence[float]) -> float:
    return round(statistics.median(load), 2)


if __name__ == "__main__":
    run(main)
