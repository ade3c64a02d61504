"""An evaluation as a command runs it: progress on standard error, a table on standard output, a folder."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.cli.evaluation.options import Measured
from service.cli.output import print_json, print_line, print_table
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from eval.datasets.base import Task
    from eval.progress import Progress as State
    from eval.report import Report, Row, SystemKey

HEAD = ("task", "system", "queries", "nDCG@10 [95 %]", "R@100", "to exact", "search ms", "B/token")


def run(tasks: "Iterable[Task]", measured: Measured, settings: Settings, *, total: int = 0) -> None:
    """Evaluate, write what was asked for, and show it."""
    from eval.output import write
    from eval.run import Options, evaluate
    from index.home import home_folder
    from lfm2_colbert.encoders.loading import load_encoder

    with _progress() as show:
        report = evaluate(
            tasks,
            Options(**measured.options),
            encoder=load_encoder(measured.model, device=settings.device, threads=settings.threads),
            folder=measured.output,
            cache=measured.cache or home_folder(settings.home) / ".evaluations",
            language_bias=measured.language_bias,
            total=total,
            on_progress=show,
        )
    page = write(report, measured.output) if measured.output else None
    if settings.as_json:
        print_json({"rows": [row.as_json() for row in report.rows], "warnings": list(report.warnings)})
        return
    print_table([HEAD, *_lines(report)])
    _show_published(report)
    for warning in report.warnings:
        print_line(f"warning: {warning}", err=True)
    if page:
        print_line(f"report  {page}", err=True)


def _lines(report: "Report") -> "Iterator[tuple[str, ...]]":
    from eval.report import systems_of

    for row in report.rows:
        yield _line(str(row.task), row)
    systems = [(system, [row for row in report.rows if row.system == system]) for system in systems_of(report.rows)]
    yield from (_mean(system, rows) for system, rows in systems if len(rows) > 1)


def _line(name: str, row: "Row") -> tuple[str, ...]:
    figures = row.figures
    return (
        name,
        str(row.system),
        f"{row.queries:,}",
        f"{100 * figures['ndcg_at_10']:.1f} [{100 * figures['ndcg_low']:.1f}, {100 * figures['ndcg_high']:.1f}]",
        f"{100 * figures['recall_at_100']:.1f}",
        f"{100 * figures['exact_difference']:+.1f}" if "exact_difference" in figures else "",
        f"{figures['search_ms_p50']:.1f}" if "search_ms_p50" in figures else "",
        f"{figures['disk_bytes_per_token']:.0f}" if "disk_bytes_per_token" in figures else "",
    )


def _mean(system: "SystemKey", rows: "list[Row]") -> tuple[str, ...]:
    ndcg, recall = (
        100 * sum(row.figures[name] for row in rows) / len(rows) for name in ("ndcg_at_10", "recall_at_100")
    )
    queries = sum(row.queries for row in rows)
    return (f"mean of {len(rows)} tasks", str(system), f"{queries:,}", f"{ndcg:.1f}", f"{recall:.1f}", "", "", "")


def _show_published(report: "Report") -> None:
    """Print what others have published of the same means, and how their settings differ."""
    from eval.published import MEAN, beside
    from eval.summary import own_first

    first = own_first(report.rows)[0]
    found = [entry for entry in beside(report) if entry.task == MEAN and entry.system == first]
    for entry in found:
        models = {figure.model: figure.value for figure in entry.figures}
        figures = " · ".join(f"{model} {100 * value:.1f}" for model, value in models.items())
        languages = f"{entry.query_language}→{entry.document_language}"
        print_line(f"published, mean of {languages}: {figures}; here {100 * entry.value:.1f} ({entry.system})")
    for warning in dict.fromkeys(warning for entry in found for warning in entry.warnings):
        print_line(f"warning: {warning}", err=True)


@contextmanager
def _progress() -> "Iterator[Callable[[State], None]]":
    """Show a bar of each step where somebody looks at standard error; a line of each task otherwise."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bars:
        bar = bars.add_task("", total=1.0)
        shown = ""

        def show(state: "State") -> None:
            nonlocal shown
            place = f"{state.number} of {state.total}" if state.total else f"{state.number}"
            description = f"{place}  {state.task}  {state.step}"
            if description != shown:
                bars.reset(bar, description=description, total=1.0)
                shown = description
            bars.update(bar, completed=state.done)

        yield show
