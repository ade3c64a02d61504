"""An evaluation as a command runs it: progress on standard error, figures on standard output, a folder."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from service.cli.evaluation.options import Measured
from service.cli.evaluation.progress import progress
from service.cli.evaluation.shown import show, show_warnings
from service.cli.output import print_json, print_line
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eval.datasets.base import Task


def run(tasks: "Iterable[Task]", measured: Measured, settings: Settings, *, total: int = 0) -> None:
    """Evaluate, write what was asked for, and show it."""
    from eval.output import write
    from eval.run import Options, evaluate
    from index.home import home_folder
    from lfm2_colbert.encoders.loading import load_encoder

    options = Options(**measured.options)
    with progress() as tell:
        report = evaluate(
            tasks,
            options,
            encoder=load_encoder(measured.model, device=settings.device, threads=settings.threads),
            folder=measured.output,
            cache=measured.cache or home_folder(settings.home) / ".evaluations",
            language_bias=measured.language_bias,
            total=total,
            on_progress=tell,
        )
    page = write(report, measured.output) if measured.output else None
    if settings.as_json:
        rows, bias = [row.as_json() for row in report.rows], [asdict(share) for share in report.language_bias]
        print_json({"rows": rows, "language_bias": bias, "warnings": list(report.warnings)})
        return
    show(report)
    show_warnings(report.warnings, f"{measured.output}/report.json" if page else "name a folder for the report by -o")
    if page:
        print_line(f"report  {page}", err=True)
