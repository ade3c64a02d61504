"""How good is what is found? nDCG@10 of the engine as it is served, beside its oracle and a word index, by language.

`python -m benchmarks.quality SETS` writes ``results/quality.json`` and ends with 1 if the engine loses more against its
oracle, or int8 against fp32, than it may.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import tasks
from benchmarks.results_file import ROOT, measured, measured_commit, write
from benchmarks.systems import SEED, Ranking, lexical, oracle, served, truncated
from eval.datasets.base import Task
from eval.measures import measure
from eval.significance import bootstrap_interval
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.export.onnx import Precision, export_folder

LIBRARIES = ("bm25s", "faiss-cpu", "ir-measures", "apsw")
QUERIES = 1000
SAMPLES = 1000
INT8, FP32 = Precision.INT8.value, Precision.FP32.value
ORACLE_TOLERANCE = 0.2
QUANTISATION_TOLERANCE = 0.5
"""Points of nDCG@10, of 100."""
DEVIATION_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's rows, and how far its oracle was from the definition of MaxSim."""

    rows: list[dict[str, Any]]
    deviation: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something holds, and the figures that say so."""

    holds: bool
    sentence: str


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The bundled encoder's own: its fp32 weights are measured beside int8.",
)
@click.option("--queries", default=QUERIES, show_default=True, help="Of a task at most, drawn by the seed.")
@allow_dirty
def main(sets: Path, checkpoint: Path | None, queries: int, allow_dirty: bool) -> int:
    """Measure the bundled encoder on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        encoders = {INT8: load_encoder("nano")}
        if checkpoint:
            encoders[FP32] = _unquantised(checkpoint, Path(folder))
        for task in tasks(sets, ROOT / "data" / "eval", queries, SEED):
            outcomes.append(outcome(task, encoders))
            _show(outcomes[-1].rows)
    rows = [row for each in outcomes for row in each.rows]
    command = command_line("benchmarks.quality")
    path = write(measured("quality", rows, commit=commit, command=command, seed=SEED, libraries=LIBRARIES))
    click.echo(f"\n{len(rows)} rows in {path.relative_to(ROOT)}")
    found = verdicts(rows, max(each.deviation for each in outcomes))
    for verdict in found:
        click.echo(("holds: " if verdict.holds else "FAILS: ") + verdict.sentence)
    return 0 if all(verdict.holds for verdict in found) else 1


def outcome(task: Task, encoders: dict[str, Encoder]) -> Outcome:
    """Measure all systems on a task; `encoders` by precision, int8 among them."""
    default = encoders[INT8]
    rankings = [served(task, encoder, precision) for precision, encoder in encoders.items()]
    rankings += [oracle(task, default, INT8), truncated(task, default, INT8), lexical(task)]
    return Outcome([row_of(task, ranking) for ranking in rankings], max(each.deviation for each in rankings))


def row_of(task: Task, ranking: Ranking) -> dict[str, Any]:
    """Measure what a system found: a row of results."""
    found = measure(task.qrels, ranking.run)
    interval = bootstrap_interval(np.array(list(found.per_query["nDCG@10"].values())), seed=SEED, samples=SAMPLES)
    crossed = task.query_language != task.language
    return {
        "dataset": task.name,
        "task": "cross-lingual" if crossed else "monolingual",
        "query_language": task.query_language,
        "document_language": task.language,
        "system": ranking.system,
        "setting": ranking.setting,
        "queries": len(task.queries),
        "passages": ranking.passages,
        "ndcg_at_10": round(found.mean["nDCG@10"], 4),
        "ndcg_low": round(interval.low, 4),
        "ndcg_high": round(interval.high, 4),
        "recall_at_100": round(found.mean["R@100"], 4),
        **ranking.costs,
    }


def verdicts(rows: Iterable[dict[str, Any]], deviation: float) -> Iterator[Verdict]:
    """Judge what the engine may lose: against its oracle on each task, by int8 weights on the mean of all."""
    rows = list(rows)
    engine, ideal, exact = (
        _points(rows, "lfm2-colbert", INT8),
        _points(rows, "oracle", INT8),
        _points(rows, "lfm2-colbert", FP32),
    )
    task, loss = max(((name, abs(engine[name] - ideal[name])) for name in engine), key=lambda pair: pair[1])
    yield Verdict(
        loss <= ORACLE_TOLERANCE,
        f"|collection - oracle| <= {ORACLE_TOLERANCE} points nDCG@10 on each task; at most {loss:.2f} ({task})",
    )
    yield Verdict(
        deviation <= DEVIATION_TOLERANCE,
        f"the oracle's scores are within {DEVIATION_TOLERANCE} of maxsim.py's; at most {deviation:.1e} away",
    )
    if exact:
        gain = float(np.mean([engine[name] - exact[name] for name in exact]))
        means = f"{np.mean(list(engine.values())):.2f} and {np.mean(list(exact.values())):.2f}"
        yield Verdict(
            gain >= -QUANTISATION_TOLERANCE,
            f"int8 - fp32 >= -{QUANTISATION_TOLERANCE} points on the mean of {len(exact)} tasks; {gain:+.2f} ({means})",
        )


def _points(rows: Iterable[dict[str, Any]], system: str, setting: str) -> dict[str, float]:
    """Give nDCG@10 of 100 by task."""
    return {
        f"{row['dataset']} {row['query_language']}→{row['document_language']}": 100 * row["ndcg_at_10"]
        for row in rows
        if (row["system"], row["setting"]) == (system, setting)
    }


def _unquantised(checkpoint: Path, folder: Path) -> Encoder:
    export_folder(checkpoint, folder, "nano-0-fp32", Precision.FP32)
    return load_encoder(str(folder))


def _show(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        name = f"{row['dataset']} {row['query_language']}→{row['document_language']}"
        system = f"{row['system']} {row['setting']}"
        click.echo(f"{name:20} {system:22} nDCG@10 {row['ndcg_at_10']:.4f}  R@100 {row['recall_at_100']:.4f}")


if __name__ == "__main__":
    run(main)
