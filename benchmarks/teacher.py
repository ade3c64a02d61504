"""What does the teacher find on the development sets? Its figures stand beside ours in ``results/quality.json``.

`python -m benchmarks.teacher pack SETS START development.npz` writes the queries and texts that `benchmarks.quality`
asks for, as ids of START's vocabulary; a run of the argument `teacher` measures them on another machine
(`recipes/carry.py`), and `python -m benchmarks.teacher read FOUND` takes its figures in.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import unpack
from benchmarks.quality import CROSSED, OWN, SEED, TEACHER, is_across, options_of, tasks
from benchmarks.results_file import ROOT, measured, measured_commit, write
from benchmarks.results_file import read as read_results
from eval.datasets.base import Task
from eval.run import LIBRARIES, prepared
from lfm2_colbert.training.checkpoints import read_start, tokenizers_of
from lfm2_colbert.training.development import Judged, Tokenize, save_judged
from lfm2_colbert.training.packed import QUERIES, TEACHER_ITSELF
from lfm2_colbert.training.teacher_figures import DENSE, STATES, TARGETS

PATH = click.Path(exists=True, file_okay=False, path_type=Path)
SYSTEMS = dict(zip((DENSE, STATES, TARGETS), TEACHER, strict=True))
SEPARATOR = " "


@click.group()
def main() -> None:
    """Measure the teacher."""


@main.command()
@click.argument("sets", type=PATH)
@click.argument("start")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def pack(sets: Path, start: str, path: Path) -> None:
    """Write all tasks of the sets whose archives lie in SETS to PATH."""
    queries, documents = tokenizers_of(read_start(start, None, np.random.default_rng(SEED)))
    found = [
        judged(task, queries, documents)
        for name in (*OWN, *CROSSED)
        for task in asked(unpack(sets, name, ROOT / "data" / "eval"))
    ]
    save_judged(path, found)
    click.echo(f"{len(found)} tasks in {path}, {path.stat().st_size / 2**20:.1f} MiB")


@main.command()
@click.argument("found", type=PATH)
@allow_dirty
def read(found: Path, allow_dirty: bool) -> None:
    """Take in what came back in FOUND, in place of older figures of the teacher."""
    commit = measured_commit(allow_dirty=allow_dirty)
    kept = [row for row in read_results("quality").rows if row["system"] not in SYSTEMS.values()]
    rows = [row | {"commit": commit} for row in rows_of(found)]
    results = measured(
        "quality", kept + rows, commit=commit, command=command_line("benchmarks.teacher"), seed=SEED,
        libraries=LIBRARIES,
    )  # fmt: skip
    click.echo(f"{len(rows)} rows of the teacher in {write(results).relative_to(ROOT)}")


def asked(folder: Path) -> Iterator[Task]:
    """Give the tasks of a set, cut as `benchmarks.quality` asks them."""
    for task in tasks(folder):
        yield prepared(task, options_of(folder.name, is_across=is_across(task)))


def judged(task: Task, queries: Tokenize, documents: Tokenize) -> Judged:
    """Give a task as ids; whole texts, cut at the encoder's budget."""
    numbers = {key: number for number, key in enumerate(task.queries)}
    places = {key: number for number, key in enumerate(task.documents)}
    grades = [
        (numbers[query], places[document], int(grade))
        for query, own in task.qrels.items()
        for document, grade in own.items()
        if query in numbers and document in places and grade > 0
    ]
    asked_for, texts = (
        [ids.astype(np.uint16) for ids in tokenize(own)]
        for tokenize, own in (
            (queries, list(task.queries.values())),
            (documents, [document.text for document in task.documents.values()]),
        )
    )
    name = SEPARATOR.join((task.name, task.query_language, task.language))
    return Judged(name, asked_for, texts, np.array(grades, np.int32))


def rows_of(found: Path) -> Iterator[dict[str, Any]]:
    """Give a row for each task and way to score."""
    with np.load(found / QUERIES) as kept:
        for name in kept.files:
            head, _, task = name.partition("/")
            way = head.removeprefix(f"{TEACHER_ITSELF}-")
            if way != head:
                yield _row(task, way, kept[name])


def _row(task: str, way: str, ndcg: NDArray[np.float64]) -> dict[str, Any]:
    dataset, query_language, language = task.split(SEPARATOR)
    return {
        "dataset": dataset, "query_language": query_language, "document_language": language,
        "system": SYSTEMS[way], "setting": "", "queries": len(ndcg), "ndcg_at_10": round(float(ndcg.mean()), 6),
    }  # fmt: skip


if __name__ == "__main__":
    run(main)
