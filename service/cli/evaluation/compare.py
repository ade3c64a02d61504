"""`lfm2-colbert eval compare`: is one report's system better than another's?"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli import options
from service.cli.evaluation.shown import titles
from service.cli.output import print_json, print_line, print_table
from service.settings import Settings

if TYPE_CHECKING:
    from eval.compare import Comparison, Contrast

FOLDER = click.Path(path_type=Path, file_okay=False)
UNDECIDED = "–"


@click.command(short_help="Say whether one report is better than another.")
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@click.option("--measure", default="ndcg_at_10", show_default=True, metavar="NAME", help="What is compared.")
@click.option(
    "--systems", nargs=2, metavar="OF_A OF_B",
    help='As in "lfm2-colbert hybrid balanced" bm25.  [default: lfm2-colbert, in the first setting that both have]',
)  # fmt: skip
@click.option("--fail-on-regression", is_flag=True, help="Exit with 1 if B is worse on a task or on the mean.")
@options.common
def compare(
    a: Path, b: Path, measure: str, systems: tuple[str, str] | None, fail_on_regression: bool, settings: Settings
) -> int:
    """Compare two reports query by query: folder A with folder B, which may be the same.

    The interval of a difference is a paired bootstrap's; p is a randomisation test's, corrected by Holm for all tasks.
    """
    from eval.compare import compare as compare_reports
    from eval.report import load

    found = compare_reports(load(a), load(b), measure=measure, systems=systems)
    if settings.as_json:
        print_json(asdict(found) | {"regressed": found.regressed})
    else:
        _show(found)
    return 1 if fail_on_regression and found.regressed else 0


def _show(found: "Comparison") -> None:
    print_line(f"A  {found.system_a}")
    print_line(f"B  {found.system_b}")
    print_line()
    print_table([*_lines(found)], right=(1, 2, 3, 5))
    print_line()
    print_line(found.sentence)
    for warning in found.warnings:
        print_line(f"warning: {warning}", err=True)


def _lines(found: "Comparison") -> Iterator[tuple[str, ...]]:
    named = titles([each.task for each in found.tasks])
    yield (found.measure, "queries", "A", "B", "B - A [95 %]", "p (Holm)", "B is")
    for each in found.tasks:
        yield (named[each.task], str(each.queries), *_cells(each.contrast))
    if len(found.tasks) > 1:
        yield (f"mean of {len(found.tasks)} tasks", "", *_cells(found.mean))


def _cells(contrast: "Contrast") -> tuple[str, ...]:
    interval = f"{contrast.difference:+.4f} [{contrast.low:+.4f}, {contrast.high:+.4f}]"
    verdict = UNDECIDED if contrast.verdict == "not distinguishable" else str(contrast.verdict)
    return (f"{contrast.a:.4f}", f"{contrast.b:.4f}", interval, f"{contrast.p_corrected:.4f}", verdict)
