"""How good is what is found? `lfm2-colbert eval` on all development sets, the bundled encoder as it is served.

`python -m benchmarks.quality SETS` writes ``results/quality.json``, set by set; with names of sets only their rows are
measured again. It ends with 1 if the engine loses more to exact MaxSim, or int8 to fp32, than it may.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import unpack
from benchmarks.results_file import RESULTS, ROOT, measured, measured_commit, write
from eval.datasets.base import Task
from eval.datasets.folder import asked_in, languages, load_crossed
from eval.report import Report, Row
from eval.run import LIBRARIES, Options, evaluate
from eval.systems import OURS
from lfm2_colbert.export.onnx import Precision, export_folder

SEED = 0
CACHE = ROOT / "data" / "evaluations"
QUERIES = 1000
OPTIONS = Options(titles=False, limit=QUERIES, baselines=("bm25", "oracle"))
"""Texts alone: in mlqa only relevant documents have a title."""
OWN = {
    "scifact": ("en",), "nfcorpus": ("en",), "cranfield": ("en",), "vaswani-npl": ("en",), "arcd": ("ar",),
    "germanquad": ("de",), "jaquad": ("ja",), "jsquad": ("ja",), "cmrc2018": ("zh",), "faquad": ("pt",),
    "squad-it": ("it",), "mlqa": ("ar", "de", "es", "zh"),
    "flores-continuation": ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "pt", "zh"),
    "libreoffice-help": ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "zh"),
}  # fmt: skip
"""Set → the languages that are asked in themselves."""
FAR = {"flores-continuation": (("ar", "ja"), ("ja", "ar"), ("ar", "ko"), ("ko", "ar"))}
"""Set → languages of queries and of documents that are far apart: some 1,300 sentences between Arabic and Japanese were
all that the encoder could learn from, and none between Arabic and Korean."""
CROSSED = ("xquad", "belebele")
"""Sets that are asked in every pair of languages that they allow."""
QUERIES_OF_A_PAIR = 200
ACROSS = replace(OPTIONS, limit=QUERIES_OF_A_PAIR, modes=("semantic",), baselines=(), exact=False)
"""Of pairs of languages; words find nothing there."""
FP32 = "xquad"
FP32_LANGUAGES = ("ar", "de", "en", "es", "zh")
NAME_OF_FP32 = "nano-1-fp32"
BEFORE = "nano-0"
"""System of the rows of the bundled encoder before this one: they stay, to be compared with."""
SERVED_TOLERANCE = 0.2
QUANTISATION_TOLERANCE = 0.5
"""Points of nDCG@10, of 100."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something holds, and the figures that say so."""

    holds: bool
    sentence: str


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, type=click.Choice([*OWN, *CROSSED]))
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The bundled encoder's own: its fp32 weights are measured beside int8. Without, their rows stay.",
)
@click.option(
    "--before",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Model folder of nano-0: what it was not asked yet is asked, and nothing else measured.",
)
@allow_dirty
def main(sets: Path, names: tuple[str, ...], checkpoint: Path | None, before: Path | None, allow_dirty: bool) -> int:
    """Measure the bundled encoder on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows = {name: list(_kept(name)) for name in (*OWN, *CROSSED)}
    for name in names or rows:
        folder = unpack(sets, name, ROOT / "data" / "eval")
        own = rows[name] if before else rows_that_stay(rows[name], with_fp32=checkpoint is not None)
        new = rows_of_before(folder, before, own) if before else measured_rows(folder, checkpoint)
        rows[name] = own + [row.as_json() | {"commit": commit} for row in new]
        _show(rows[name])
        every = [row for own in rows.values() for row in own]
        results = measured(
            "quality", every, commit=commit, command=command_line("benchmarks.quality"), seed=SEED, libraries=LIBRARIES
        )
        click.echo(f"{len(every)} rows in {write(results).relative_to(ROOT)}")
    found = list(verdicts(every))
    for verdict in found:
        click.echo(("holds: " if verdict.holds else "FAILS: ") + verdict.sentence)
    return 0 if all(verdict.holds for verdict in found) else 1


def rows_that_stay(rows: Iterable[dict[str, Any]], *, with_fp32: bool) -> list[dict[str, Any]]:
    """Give the rows of other encoders, which measuring the bundled one again leaves as they are."""
    others = {BEFORE} if with_fp32 else {BEFORE, NAME_OF_FP32}
    return [row for row in rows if row["system"] in others]


def measured_rows(folder: Path, checkpoint: Path | None) -> Iterator[Row]:
    """Evaluate a set, and where it is the one for that, fp32 weights beside int8."""
    every = list(tasks(folder))
    for across in (False, True):
        own = [task for task in every if is_across(task) == across]
        if own:
            yield from evaluate(own, options_of(folder.name, is_across=across), cache=CACHE).rows
    if checkpoint and folder.name == FP32:
        same = [load_crossed(folder, language, language) for language in FP32_LANGUAGES]
        options = replace(OPTIONS, modes=("semantic",), baselines=(), exact=False)
        yield from exported_rows(checkpoint, NAME_OF_FP32, Precision.FP32, same, options)


def rows_of_before(folder: Path, checkpoint: Path, rows: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """Ask the encoder before what it was not asked in `rows`."""
    asked = {(row["query_language"], row["document_language"]) for row in rows if row["system"] == BEFORE}
    for across in (False, True):
        new = [
            task
            for task in tasks(folder)
            if is_across(task) == across and (task.query_language, task.language) not in asked
        ]
        options = replace(options_of(folder.name, is_across=across), baselines=(), exact=False)
        yield from exported_rows(checkpoint, BEFORE, Precision.INT8, new, options)


def exported_rows(
    checkpoint: Path, name: str, precision: Precision, asked: Sequence[Task], options: Options
) -> Iterator[Row]:
    """Give the rows of an exported model folder under its name; none where nothing is asked."""
    for row in exported_report(checkpoint, name, precision, asked, options).rows if asked else ():
        yield replace(row, system=replace(row.system, system=name))


def exported_report(
    checkpoint: Path, name: str, precision: Precision, asked: Iterable[Task], options: Options
) -> Report:
    """Export a model folder, and evaluate it as it would be served."""
    with tempfile.TemporaryDirectory() as exported:
        model = Path(exported) / name
        export_folder(checkpoint, model, name, precision)
        return evaluate(asked, options, encoder=str(model), cache=CACHE)


def options_of(name: str, *, is_across: bool) -> Options:
    """Give how a set is asked within its languages, or across them."""
    if name not in CROSSED:
        return OPTIONS
    return ACROSS if is_across else replace(OPTIONS, limit=QUERIES_OF_A_PAIR)


def tasks(folder: Path) -> Iterator[Task]:
    """Load what is asked of a set, the tasks over the same documents one after the other."""
    if folder.name in OWN:
        for language in OWN[folder.name]:
            yield load_crossed(folder, language, language)
        for asked, language in FAR.get(folder.name, ()):
            yield load_crossed(folder, language, asked)
        return
    known = languages(folder)
    for language in known:
        for asked in asked_in(folder, language) if asked_in(folder, language) != [language] else known:
            yield load_crossed(folder, language, asked)


def verdicts(rows: Iterable[dict[str, Any]]) -> Iterator[Verdict]:
    """Judge what the engine may lose: to exact MaxSim on each task, by int8 weights on the mean of some."""
    semantic = [row for row in rows if row["system"] == OURS and row["setting"].startswith("semantic")]
    exactly = [row for row in semantic if "exact_difference" in row]
    worst = min(exactly, key=lambda row: float(row["exact_difference"]))
    loss = 100 * worst["exact_difference"]
    yield Verdict(
        loss >= -SERVED_TOLERANCE,
        f"served - exact MaxSim >= -{SERVED_TOLERANCE} points nDCG@10 on each of {len(exactly)} tasks; {loss:+.2f} "
        f"({_name(worst)})",
    )
    exact = {_name(row): row["ndcg_at_10"] for row in rows if row["system"] == NAME_OF_FP32}
    if exact:
        own = {_name(row): row["ndcg_at_10"] for row in semantic}
        gain = 100 * float(np.mean([own[name] - exact[name] for name in exact]))
        yield Verdict(
            gain >= -QUANTISATION_TOLERANCE,
            f"int8 - fp32 >= -{QUANTISATION_TOLERANCE} points on the mean of {len(exact)} tasks; {gain:+.2f}",
        )


def is_across(task: Task) -> bool:
    """Whether it asks in another language than its documents'."""
    return task.query_language != task.language


def _kept(name: str) -> Iterator[dict[str, Any]]:
    """Give the rows of a set that were measured before in this form."""
    path = ROOT / RESULTS / "quality.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return (row for row in rows if row["dataset"] == name and "commit" in row)


def _name(row: dict[str, Any]) -> str:
    return f"{row['dataset']} {row['query_language']}→{row['document_language']}"


def _show(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        system = f"{row['system']} {row['setting']}"
        click.echo(f"{_name(row):28} {system:40} nDCG@10 {row['ndcg_at_10']:.4f}  R@100 {row['recall_at_100']:.4f}")


if __name__ == "__main__":
    run(main)
