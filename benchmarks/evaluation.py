"""Does an evaluation see what is wrong, and what does it cost beside the encoding?

`python -m benchmarks.evaluation SETS` writes ``results/evaluation.json``: regressions that were planted have to be
found significant, an index that was built again has to be found the same. It ends with 1 otherwise.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import unpack
from benchmarks.planted_codec import CODEC, NAME
from benchmarks.results_file import ROOT, measured, measured_commit, write
from eval.compare import Contrast, Verdict, compare
from eval.datasets.base import Task, sample
from eval.datasets.folder import load
from eval.report import Report
from eval.run import Options, evaluate
from eval.vectors import KeptVectors
from index.codecs import CODECS
from lfm2_colbert.encoders.loading import load_encoder

SEED = 0
LANGUAGE, OTHER = "de", "es"
MISSING = 10
COST_SETS = (("mlqa", "de"), ("mlqa", "es"))
COST_QUERIES = 500
ALLOWED_RATIO = 1.25
LIBRARIES = ("bm25s", "faiss-cpu", "ir-measures", "apsw")

Plant = Callable[[Task, Mapping[str, Task]], tuple[Task, Options]]
PLAIN = Options(modes=("semantic",), exact=False, baselines=(), titles=False)


def _again(task: Task, others: Mapping[str, Task]) -> tuple[Task, Options]:
    return task, PLAIN


def _quantiser(task: Task, others: Mapping[str, Task]) -> tuple[Task, Options]:
    return task, replace(PLAIN, codec=NAME)


def _language(task: Task, others: Mapping[str, Task]) -> tuple[Task, Options]:
    return replace(task, documents=others[OTHER].documents), PLAIN


def _missing(task: Task, others: Mapping[str, Task]) -> tuple[Task, Options]:
    kept = [key for number, key in enumerate(task.documents) if number % MISSING]
    return replace(task, documents={key: task.documents[key] for key in kept}), PLAIN


PLANTED: Mapping[str, tuple[Plant, Verdict]] = {
    "the same index built again": (_again, Verdict.NOT_DISTINGUISHABLE),
    "a quantiser that mixes up dimensions": (_quantiser, Verdict.WORSE),
    "documents in another language": (_language, Verdict.WORSE),
    "a tenth of the documents missing": (_missing, Verdict.WORSE),
}


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, allow_dirty: bool) -> int:
    """Measure on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    folder = unpack(sets, "xquad", ROOT / "data" / "eval")
    rows = []
    for row in (*planted(folder, None), cost(sets)):
        click.echo(row)
        rows.append(row)
    command = command_line("benchmarks.evaluation")
    click.echo(write(measured("evaluation", rows, commit=commit, command=command, seed=SEED, libraries=LIBRARIES)))
    return 0 if all(row["holds"] == "yes" for row in rows) else 1


def planted(folder: Path, n_queries: int | None) -> Iterator[dict[str, Any]]:
    """Evaluate a set as it is and with each thing that was planted, each in a collection of its own."""
    tasks = {language: load(folder, language) for language in (LANGUAGE, OTHER)}
    task = tasks[LANGUAGE] if n_queries is None else sample(tasks[LANGUAGE], n_queries, SEED)
    sound = _evaluated(task, PLAIN)
    CODECS[NAME] = CODEC
    try:
        for name, (plant, expected) in PLANTED.items():
            found = compare(sound, _evaluated(*plant(task, tasks)), seed=SEED).tasks[0].contrast
            yield _row(name, len(task.queries), found, expected)
    finally:
        del CODECS[NAME]


def _evaluated(task: Task, options: Options) -> Report:
    with tempfile.TemporaryDirectory() as cache:
        return evaluate([task], options, cache=Path(cache))


def _row(name: str, n_queries: int, found: Contrast, expected: Verdict) -> dict[str, Any]:
    return {
        "check": name,
        "queries": n_queries,
        "ndcg_at_10": round(found.b, 4),
        "ndcg_sound": round(found.a, 4),
        "difference": round(found.difference, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "p": round(found.p, 5),
        "verdict": str(found.verdict),
        "holds": "yes" if found.verdict == expected else "no",
    }


def cost(sets: Path) -> dict[str, Any]:
    """Evaluate passages and queries in all default settings, and hold the CPU time against that of encoding alone."""
    tasks = [load(unpack(sets, name, ROOT / "data" / "eval"), language) for name, language in COST_SETS]
    documents = {key: document for task in tasks for key, document in task.documents.items()}
    queries = {key: text for task in tasks for key, text in task.queries.items()}
    qrels = {key: grades for task in tasks for key, grades in task.qrels.items()}
    joined = replace(tasks[0], documents=documents, queries=queries, qrels=qrels)
    with tempfile.TemporaryDirectory() as cache:
        started = time.process_time()
        report = evaluate([sample(joined, COST_QUERIES, SEED)], Options(titles=False), cache=Path(cache))
        spent = time.process_time() - started
        (vectors,) = Path(cache).glob("collections/*/vectors")
        encoding = KeptVectors(load_encoder(), vectors).cost.cpu_seconds
    ratio = spent / encoding
    return {
        "check": "cost",
        "queries": report.rows[0].queries,
        "passages": report.rows[0].passages,
        "cpu_s": round(spent, 1),
        "encoding_cpu_s": round(encoding, 1),
        "ratio": round(ratio, 3),
        "holds": "yes" if ratio <= ALLOWED_RATIO else "no",
    }


if __name__ == "__main__":
    run(main)
