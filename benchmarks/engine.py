"""How fast are the engines, and what do they find? The same vectors, queries and threads for all, against exact MaxSim.

`python -m benchmarks.engine SETS` writes ``results/engine.json``. Recall is over passages, at k = 100 asked for; wall
times carry the load average; `peak_rss_mb` and `memory_bytes_per_token` (growth of the resident set between the loaded
libraries and the last answer) are of the process that searches. A peer's index that lies in ``data/engine/indexes`` is
not built again, its figures lie beside it; remove the folder to measure builds anew. What this repository's own code
builds always is.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine_measures import Judgements, best_passages, digest, exact_scores, pareto_front, recall
from benchmarks.engine_vectors import Part, engine_set, engine_texts
from benchmarks.lexical import own_row
from benchmarks.peers import ENGINES
from benchmarks.peers.processes import Answers, NotRunError, built, interpreter, searched
from benchmarks.peers.protocol import Engine
from benchmarks.peers.worker import Job
from benchmarks.results_file import ROOT, measured, measured_commit, write
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

LIBRARIES = ("faiss-cpu",)
PASSAGES = ("passages.npy", "offsets.npy", "token_ids.npy")
"""Files that decide an index."""
SEED = 0
FOUND = 100
THREADS: Mapping[str, tuple[int, ...]] = {"lfm2-colbert": (1, 2)}
"""Of build and search alike; one thread for the others."""
BUILD_CPU_SECONDS = 3 * 3600
SEARCH_CPU_SECONDS = 20
"""Of one setting: an engine that is slower than the queries allow is asked fewer, drawn by the seed."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is to be found.

    Attributes:
        exact: ``(n_queries, n_passages)`` exact MaxSim.
        folder: where the passages' vectors lie.
        indexes: where what is built from them lies.
        queries: where the queries' vectors lie.
        facts: what rows say of the passages.
        judgements: of documents, where there are any.
    """

    exact: NDArray[np.float32]
    folder: Path
    indexes: Path
    queries: Path
    facts: dict[str, Any]
    judgements: Judgements | None = None


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--engine", "names", multiple=True, type=click.Choice(sorted(ENGINES)), help="These alone; by default all."
)
@click.option(
    "--not-run",
    "skipped",
    nargs=2,
    multiple=True,
    metavar="ENGINE REASON",
    help="A row with a reason instead of figures.",
)
@click.option("--trial", type=click.Path(file_okay=False, path_type=Path), help="Write below this folder instead.")
@click.option("--part", type=click.Choice(list(Part)), default=Part.REPORTED, help="Of the queries.")
@allow_dirty
def main(
    sets: Path,
    names: tuple[str, ...],
    skipped: tuple[tuple[str, str], ...],
    trial: Path | None,
    part: Part,
    allow_dirty: bool,
) -> None:
    """Measure the engines on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    data, folder = engine_set(sets, ROOT / "data", part, SEED), ROOT / "data" / "engine"
    name = digest(folder, PASSAGES)
    exact = exact_scores(data.queries, data.passages, data.queries_folder, name)
    facts = facts_of(data.passages) | {"languages": len(set(data.languages))}
    judgements = Judgements(data.documents, data.qrels)
    truth = Truth(exact, folder, folder / "indexes" / name, data.queries_folder, facts, judgements)
    rows: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    reasons = dict(skipped)
    rows += [not_run(named(name, 1, truth) | {"setting": "build"}, NotRunError(text)) for name, text in skipped]
    for name in (name for name in names or tuple(ENGINES) if name not in reasons):
        for threads in THREADS.get(name, (1,)):
            for row in rows_of(name, threads, truth, versions):
                rows.append(row)
                show(row)
    if not names:
        rows.append(own_row(engine_texts(sets, ROOT / "data", SEED), folder / "words"))
    results = measured(
        "engine", rows, commit=commit, command=command_line("benchmarks.engine"), seed=SEED, libraries=LIBRARIES
    )
    results = replace(results, versions=results.versions | versions)
    path = write(results, trial or ROOT)
    click.echo(f"\n{len(rows)} rows in {path}")
    for row in fronts(rows):
        click.echo(f"front: {row['system']} {row['setting']}")


def rows_of(
    name: str, threads: int, truth: Truth, versions: dict[str, str], *, reuse: bool = False
) -> Iterator[dict[str, Any]]:
    """Build an engine and search with each of its settings; its libraries' releases are added to `versions`.

    With `reuse`, what this repository's own code built before is taken as it lies there, too.
    """
    engine = cast(Engine, lookup(ENGINES, name, "engine", extra="eval")())
    common = named(name, threads, truth)
    place = truth.indexes / f"{name}-{threads}"
    job = Job(
        name, "", threads, str(truth.folder), "", str(place / "index"), str(place / "build"), BUILD_CPU_SECONDS
    )  # fmt: skip
    if not engine.environment.requirements and not reuse:
        shutil.rmtree(place, ignore_errors=True)
    try:
        python = interpreter(ROOT, name, engine.environment)
        costs = built(python, job)
    except NotRunError as error:
        yield not_run(common | {"setting": "build"}, error)
        return
    versions |= costs.pop("versions")
    costs.pop("build_peak_rss_mb")
    for setting in engine.settings:
        row = common | {"setting": setting.name}
        asked = replace(
            job, setting=setting.name, queries=str(truth.queries), result=str(place / "search"),
            cpu_seconds=SEARCH_CPU_SECONDS,
        )  # fmt: skip
        try:
            yield ordered(row | quality(searched(python, asked), truth) | costs)
        except NotRunError as error:
            yield not_run(row, error)


def named(name: str, threads: int, truth: Truth) -> dict[str, Any]:
    """Say who is measured on what."""
    return {"system": name.partition(":")[0], "threads": threads} | truth.facts


def facts_of(passages: MultiVectors) -> dict[str, Any]:
    """Say what all engines are given."""
    return {"passages": len(passages), "tokens": len(passages.vectors), "dim": passages.dim}


def quality(answers: Answers, truth: Truth) -> dict[str, Any]:
    """Measure answers against exact MaxSim, and by the judgements of the queries that were asked."""
    exact = truth.exact[answers.queries]
    figures = answers.figures | {
        "queries": len(answers.queries),
        "recall_at_10": round(recall(answers.passages, exact, 10), 4),
        "recall_at_100": round(recall(answers.passages, exact, 100), 4),
    }
    if truth.judgements is None:
        return figures
    ideal = best_passages(exact, FOUND)
    found, best = (
        truth.judgements.ndcg(answers.queries, passages, scores)
        for passages, scores in (
            (answers.passages, answers.scores),
            (ideal, np.take_along_axis(exact, ideal, axis=1)),
        )
    )
    return figures | {"ndcg_at_10": round(found, 4), "ndcg_at_10_exact": round(best, 4)}


def not_run(row: Mapping[str, Any], error: NotRunError) -> dict[str, Any]:
    """Give the row of what could not be measured."""
    return ordered(dict(row) | {"not_run": str(error).replace(str(ROOT), ".")})


KEYS = (
    "system", "setting", "passages", "tokens", "dim", "languages", "threads", "queries", "cpu_ms_per_query",
    "wall_ms_p50", "wall_ms_p95", "load_average", "recall_at_10", "recall_at_100", "ndcg_at_10", "ndcg_at_10_exact",
    "build_cpu_s", "build_tokens_per_cpu_s", "codebook_cpu_s", "memory_bytes_per_token", "disk_bytes_per_token",
    "disk_mb", "peak_rss_mb", "not_run",
)  # fmt: skip
"""Of a row, in their order."""


def ordered(row: Mapping[str, Any]) -> dict[str, Any]:
    """Bring a row's figures into the order of `KEYS`.

    Raises:
        KeyError: a figure has no place there.
    """
    return dict(sorted(row.items(), key=lambda item: PLACES[item[0]]))


PLACES = {key: i for i, key in enumerate(KEYS)}


def fronts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the rows of one thread that no other beats in CPU time and recall@10 together, cheapest first."""
    run_rows = [row for row in rows if "recall_at_10" in row and row["threads"] == 1]
    front = pareto_front([row["cpu_ms_per_query"] for row in run_rows], [row["recall_at_10"] for row in run_rows])
    return [run_rows[i] for i in front]


def show(row: Mapping[str, Any]) -> None:
    """Print a row."""
    name = f"{row['system']:<17} {row['setting']:<60} {row['threads']}"
    if "not_run" in row:
        click.echo(f"{name}  not run: {row['not_run']}")
        return
    judged = f"  nDCG@10 {row['ndcg_at_10']:.3f} ({row['ndcg_at_10_exact']:.3f})" if "ndcg_at_10" in row else ""
    click.echo(
        f"{name}  {row['cpu_ms_per_query']:9.2f} CPU ms"
        f"  R@10 {row['recall_at_10']:.3f}  R@100 {row['recall_at_100']:.3f}{judged}"
        f"  {row['disk_bytes_per_token']} B/token"
    )


if __name__ == "__main__":
    run(main)
