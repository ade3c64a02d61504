"""What is paid for what is found? The bundled encoder's index in every codec and pooling, at every effort.

`python -m benchmarks.pareto PANEL TEACHER START` writes ``results/pareto.json``: mean nDCG@10 of the development panel
beside the index's bytes per passage and the processor time of a query, encoding included. One row is the teacher with
one vector a text, whose figures come with the panel; its time is taken here, with torch and in floats.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.panel import MODES, SEED, TEACHER, all_tasks
from benchmarks.quality import CACHE
from benchmarks.results_file import measured, measured_commit, processor, write
from benchmarks.teacher import PREFIXES
from eval.datasets.base import Task
from eval.measures import measure
from eval.run import COLLECTIONS, LIBRARIES
from eval.served import VECTORS, Build, Served, corpus_key
from eval.systems import OURS, ServedSystem
from eval.vectors import KeptVectors
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.training.checkpoints import read_start, tokenizers_of
from lfm2_colbert.training.corpus import QUERY
from lfm2_colbert.training.teachers import load_teacher

PATH = click.Path(exists=True, file_okay=False, path_type=Path)
USUAL = Build()
BUILDS = tuple(Build(codec, pool) for codec in ("scalar4", "scalar2") for pool in (1, 2, 3))
"""Floats are not among them: they are scored without a compiled kernel."""
EFFORTS = ("fast", "balanced", "exact")
USUAL_EFFORT = "balanced"
FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Point:
    """What one task found in one setting, and what that took."""

    ndcg: float
    n_bytes: int
    passages: int
    cpu_seconds: float
    queries: int


@click.command()
@click.argument("panel", type=PATH)
@click.argument("teacher", type=PATH)
@click.argument("start", type=PATH)
@allow_dirty
def main(panel: Path, teacher: Path, start: Path, allow_dirty: bool) -> None:
    """Measure the bundled encoder in every setting on the tasks of PANEL, and what a query costs TEACHER."""
    commit = measured_commit(allow_dirty=allow_dirty)
    every, model = list(all_tasks(panel)), load_encoder("nano", threads=1)
    rows = [row for build in BUILDS for row in rows_of(build, every, model)]
    rows.append(teacher_row(every, teacher, start))
    results = measured(
        "pareto", [row | {"cpu": processor()} for row in rows], commit=commit,
        command=command_line("benchmarks.pareto"), seed=SEED, libraries=LIBRARIES,
    )  # fmt: skip
    click.echo(write(results))


def rows_of(build: Build, every: Sequence[Task], model: Encoder) -> Iterator[dict[str, Any]]:
    """Give a row for each mode and effort of an index; efforts differ in time alone, and are tried in the usual one."""
    efforts = EFFORTS if build == USUAL else (USUAL_EFFORT,)
    settings = [(mode, effort) for mode in MODES for effort in efforts]
    points = [points_of(task, build, settings, model) for task in every]
    for place, (mode, effort) in enumerate(settings):
        setting = {"system": OURS, "codec": build.codec, "pool": build.pool, "mode": mode, "effort": effort}
        row: dict[str, Any] = setting | row_of([own[place] for own in points])
        click.echo(row)
        yield row


def points_of(task: Task, build: Build, settings: Sequence[tuple[str, str]], model: Encoder) -> list[Point]:
    """Index a task's documents, with vectors that another evaluation kept if there was one, and ask its queries."""
    usual = CACHE / COLLECTIONS / corpus_key(task.documents, model, USUAL) / VECTORS
    with tempfile.TemporaryDirectory() as folder:
        vectors = KeptVectors(model, Path(folder) / VECTORS, borrowed=[usual])
        with Served(task.documents, vectors, build, Path(folder)) as served:
            served.index(lambda progress: None)
            return [_point(task, served, mode, effort) for mode, effort in settings]


def row_of(points: Sequence[Point]) -> dict[str, float]:
    """Give the mean over tasks, and what a passage and a query cost over all of them."""
    passages, queries = (sum(getattr(point, name) for point in points) for name in ("passages", "queries"))
    return {
        "ndcg_at_10": round(float(np.mean([point.ndcg for point in points])), 4),
        "bytes_per_passage": round(sum(point.n_bytes for point in points) / passages, 1),
        "cpu_ms_per_query": round(1000 * sum(point.cpu_seconds for point in points) / queries, 2),
    }


def teacher_row(every: Sequence[Task], teacher: Path, start: Path) -> dict[str, Any]:
    """Time the teacher with one query after another; what it finds came with the panel."""
    torch.set_num_threads(1)
    own = read_start(str(start), None, np.random.default_rng(SEED))
    reader = load_teacher(str(teacher), own, PREFIXES, torch.device("cpu"))
    tokenize, _ = tokenizers_of(own)
    queries = [query for task in every for query in task.queries.values()]
    started = time.process_time()
    for query in queries:
        reader.states(tokenize([query])[0][None].astype(np.uint16), QUERY)
    return {
        "system": "multilingual-e5-small", "codec": "float32", "pool": 1, "mode": "semantic", "effort": "exact",
        "ndcg_at_10": round(float(np.mean([*TEACHER.values()])), 4), "bytes_per_passage": FLOAT_BYTES * reader.size,
        "cpu_ms_per_query": round(1000 * (time.process_time() - started) / len(queries), 2),
    }  # fmt: skip


def _point(task: Task, served: Served, mode: str, effort: str) -> Point:
    started = time.process_time()
    found = ServedSystem(served, OURS, mode, effort).answer(task, lambda progress: None, lambda: None)
    seconds, value = time.process_time() - started, measure(task.qrels, found.run).mean["nDCG@10"]
    return Point(value, served.index_bytes(), len(served.passages), seconds, len(task.queries))


if __name__ == "__main__":
    run(main)
