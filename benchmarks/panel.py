"""Is the bundled encoder better than the one before? The development panel, both as they are served.

`python -m benchmarks.panel PANEL BEFORE` writes ``results/panel.json``: PANEL is the unpacked panel, BEFORE a model
folder, exported to int8 first. It ends with 1 where the bundled encoder is not what the project asks of it. ``--also``
measures other model folders, too, each held against BEFORE: how far a recipe's seeds are apart.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.quality import BEFORE, CACHE, Verdict, exported_report
from benchmarks.results_file import ROOT, measured, measured_commit, write
from eval.compare import Comparison, compare
from eval.datasets.base import Task
from eval.datasets.folder import tasks
from eval.report import Report
from eval.run import LIBRARIES, Options, evaluate
from eval.systems import OURS
from lfm2_colbert.encoders.loading import NANO
from lfm2_colbert.export.onnx import Precision

SEED = 0
MODES = ("semantic", "hybrid")
OPTIONS = Options(baselines=("bm25",), exact=False)
TEACHER = {
    "scifact en→en": 0.730, "nfcorpus en→en": 0.275, "germanquad de→de": 0.865, "mlqa es→es": 0.773,
    "florescont fr→fr": 0.636, "squadit it→it": 0.789, "faquad pt→pt": 0.777, "arcd ar→ar": 0.805,
    "mlqa zh→zh": 0.755, "jaquad ja→ja": 0.816, "florescont ko→ko": 0.632, "belebele-en-ja en→ja": 0.783,
    "xquad-ar-en ar→en": 0.761, "mlqa-de-es de→es": 0.648, "belebele-de-ko de→ko": 0.653,
}  # fmt: skip
"""nDCG@10 of the teacher's single vectors, whole texts cut at 190 pieces (README of the panel)."""
SHARE_OF_TEACHER = 0.88
LEAST_MEAN, LEAST_CROSSED, LEAST_GAIN = 0.72, 0.69, 0.06


@click.command()
@click.argument("panel", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("before", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--also",
    "others",
    nargs=2,
    multiple=True,
    type=(str, click.Path(exists=True, file_okay=False, path_type=Path)),
    metavar="NAME FOLDER",
    help="Measure this model, too.",
)
@allow_dirty
def main(panel: Path, before: Path, others: tuple[tuple[str, Path], ...], allow_dirty: bool) -> int:
    """Measure the bundled encoder and BEFORE on all tasks of PANEL."""
    commit = measured_commit(allow_dirty=allow_dirty)
    reports = {name: report_of(folder, name, panel) for name, folder in ((BEFORE, before), *others)}
    reports[NANO] = evaluate(all_tasks(panel), OPTIONS, cache=CACHE)
    rows = [row.as_json() | {"encoder": name} for name, report in reports.items() for row in report.rows]
    compared = [
        compared_row(name, mode, compare_modes(reports[BEFORE], reports[name], mode))
        for name in (NANO, *(name for name, _ in others))
        for mode in MODES
    ]
    results = measured(
        "panel", rows + compared, commit=commit, command=command_line("benchmarks.panel"), seed=SEED,
        libraries=LIBRARIES,
    )  # fmt: skip
    click.echo(f"{len(rows)} rows in {write(results).relative_to(ROOT)}")
    found = list(verdicts(rows, compared))
    for verdict in found:
        click.echo(("holds: " if verdict.holds else "FAILS: ") + verdict.sentence)
    return 0 if all(verdict.holds for verdict in found) else 1


def report_of(folder: Path, name: str, panel: Path) -> Report:
    """Export a model folder to int8, and evaluate it as it would be served."""
    return exported_report(folder, name, Precision.INT8, all_tasks(panel), OPTIONS)


def all_tasks(panel: Path) -> Iterator[Task]:
    """Load all tasks of the panel."""
    for folder in sorted(path for path in panel.iterdir() if path.is_dir()):
        yield from tasks(folder)


def compare_modes(before: Report, after: Report, mode: str) -> Comparison:
    """Hold a newer encoder against the older one in a mode."""
    setting = f"{OURS} {mode} {OPTIONS.effort}"
    return compare(before, after, systems=(setting, setting), seed=SEED)


def compared_row(name: str, mode: str, comparison: Comparison) -> dict[str, Any]:
    """Give what a comparison found on the mean."""
    mean = comparison.mean
    verdicts = [str(each.contrast.verdict) for each in comparison.tasks]
    return {
        "dataset": "mean of the panel", "system": f"{name} against {BEFORE}", "setting": mode,
        "before": mean.a, "after": mean.b, "difference": mean.difference, "low": mean.low, "high": mean.high,
        "p": mean.p, "better": verdicts.count("better"), "worse": verdicts.count("worse"),
    }  # fmt: skip


def verdicts(rows: Iterable[Mapping[str, Any]], compared: Iterable[Mapping[str, Any]]) -> Iterator[Verdict]:
    """Judge the bundled encoder by what the project asks of it."""
    own = {_name(row): row for row in rows if row["encoder"] == NANO and row["setting"].startswith("semantic")}
    hybrid = _mean(row for row in rows if row["encoder"] == NANO and row["setting"].startswith("hybrid"))
    words = _mean(row for row in rows if row["encoder"] == NANO and row["system"] == "bm25")
    alone = [row for row in rows if row["encoder"] == NANO and row["system"] == "bm25" and not _is_crossed(row)]
    mean = _mean(own.values())
    crossed = _mean(row for row in own.values() if _is_crossed(row))
    within = _mean(row for row in own.values() if not _is_crossed(row))
    yield Verdict(mean >= LEAST_MEAN, f"mean of the panel {mean:.4f}, asked {LEAST_MEAN}")
    yield Verdict(crossed >= LEAST_CROSSED, f"mean across languages {crossed:.4f}, asked {LEAST_CROSSED}")
    yield Verdict(within >= _mean(alone), f"mean within languages {within:.4f}, BM25 {_mean(alone):.4f}")
    yield Verdict(hybrid >= words + LEAST_GAIN, f"hybrid {hybrid:.4f}, BM25 {words:.4f} and {LEAST_GAIN} asked")
    shares = {name: own[name]["ndcg_at_10"] / teacher for name, teacher in TEACHER.items()}
    worst = min(shares, key=lambda name: shares[name])
    yield Verdict(shares[worst] >= SHARE_OF_TEACHER, f"least share of the teacher's {shares[worst]:.3f} ({worst})")
    for row in compared:
        sentence = f"{row['setting']}: {row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        yield Verdict(row["low"] > 0, f"{row['system']}, {sentence}, worse on {row['worse']} tasks")


def _mean(rows: Iterable[Mapping[str, Any]]) -> float:
    return float(np.mean([row["ndcg_at_10"] for row in rows]))


def _is_crossed(row: Mapping[str, Any]) -> bool:
    return bool(row["query_language"] != row["document_language"])


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['dataset']} {row['query_language']}→{row['document_language']}"


if __name__ == "__main__":
    run(main)
