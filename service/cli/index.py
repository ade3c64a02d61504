"""`lfm2-colbert index`: bring a collection up to date with folders and files."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.home import home_folder
from index.reading.formats import SHOWN
from service.backend.base import Build, backend_of
from service.cli import options
from service.cli.interrupting import INTERRUPTED, finishing_first
from service.cli.output import print_json, print_line
from service.cli.pricing import price
from service.settings import Settings

if TYPE_CHECKING:
    from index import IndexReport

SHOWN_FAILURES = 20
SHOWN_NOTICES = 5
UNSUPPORTED = "unsupported_file"
DRY_RUN, WATCH = "dry run", "watch"

Run = Callable[[Sequence[Path], Callable[[], bool]], dict[str, Any]]


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@options.collection
@options.build
@click.option(
    "--prefix", default="", metavar="NAME", help="Put before document ids, where two folders hold the same names."
)
@click.option("--text-field", default="text", show_default=True, help="The field of JSONL rows that holds their text.")
@click.option("--strict", is_flag=True, help="Exit with 3 if any file failed.")
@click.option(
    "--dry-run",
    "instead",
    flag_value=DRY_RUN,
    help="Store nothing: say what it would take, and what each codec would lose.",
)
@click.option("--watch", "instead", flag_value=WATCH, help="Go on, and index what changes, until Ctrl-C.")
@options.common_or_remote
def index(
    paths: tuple[Path, ...],
    collection_name: str,
    build: Build,
    prefix: str,
    text_field: str,
    strict: bool,
    instead: str | None,
    settings: Settings,
) -> int:
    """Read folders and files into a collection; run again, it encodes only what changed.

    Reads text, Markdown, HTML, PDF, Word, PowerPoint, Excel, EPUB, e-mail, CSV, JSON Lines and source code, also within
    ZIP and TAR archives; other files are listed. A document's id is its path below the folder. Ctrl-C stops after the
    batch that is being encoded; the same command goes on from there.
    """
    for path in paths:
        _require(path)
    if instead == DRY_RUN:
        estimated = price(paths, collection_name, build, prefix, text_field, settings)
        return 3 if strict and estimated.found.failed else 0
    run = partial(_indexed, settings, collection_name, build, {"prefix": prefix, "text_field": text_field})
    with finishing_first() as stopped:
        if instead == WATCH:
            _keep_in_sync(paths, collection_name, settings, run, stopped)
            return 0
        report, interrupted = run(paths, stopped), stopped()
    _show(report, collection_name, settings)
    if interrupted:
        return INTERRUPTED
    return 3 if strict and report["failed"] else 0


def _indexed(
    settings: Settings,
    collection_name: str,
    build: Build,
    reading: Mapping[str, str],
    paths: Sequence[Path],
    stopped: Callable[[], bool],
) -> dict[str, Any]:
    """Bring the collection up to date with paths, one after the other, and give what all of them came to."""
    from service.cli.progress import progress_bars

    reports: list[IndexReport] = []
    with backend_of(settings).indexing(collection_name, build) as collection:
        for path in paths:
            if stopped() and reports:
                break
            with progress_bars() as bars:
                reports.append(
                    collection.add_files(
                        path,
                        **reading,
                        on_file=bars.file,
                        on_progress=bars.encoded,
                        on_clustered=bars.clustered,
                        stopped=stopped,
                    )
                )
    return _joined(reports)


def _keep_in_sync(
    paths: Sequence[Path], collection_name: str, settings: Settings, run: Run, stopped: Callable[[], bool]
) -> None:
    """Index at once and after each change; between two runs others may write."""
    from service.cli.watching import runs

    for n_runs, report in enumerate(runs(paths, home_folder(settings.home), run, stopped)):
        if n_runs == 0 or settings.as_json:
            _show(report, collection_name, settings)


def _show(report: dict[str, Any], collection_name: str, settings: Settings) -> None:
    if settings.as_json:
        print_json(report)
    else:
        _print_report(report, collection_name, settings)


def _print_rows(title: str, rows: Sequence[Mapping[str, str]], all_of_them: str) -> None:
    """Print what was not taken, and which formats are known once below it, however many had another."""
    known = f"; known: {SHOWN}"
    for row in rows[:SHOWN_FAILURES]:
        print_line(f"{title:7} {row['path']}: {row['code']}: {row['message'].removesuffix(known)}")
    if len(rows) > SHOWN_FAILURES:
        print_line(f"        … and {len(rows) - SHOWN_FAILURES} more: {all_of_them}")
    if any(row["message"].endswith(known) for row in rows):
        print_line(f"        known: {SHOWN}")


def _print_notices(notices: list[dict[str, str]]) -> None:
    """Print what should be known, of each kind the first few."""
    shown: dict[str, int] = {}
    for notice in notices:
        shown[notice["code"]] = shown.get(notice["code"], 0) + 1
        if shown[notice["code"]] <= SHOWN_NOTICES:
            print_line(f"note    {notice['message']}")
    for code, number in shown.items():
        if number > SHOWN_NOTICES:
            print_line(f"        … and {number - SHOWN_NOTICES:,} more of {code}: --json lists them")


def _require(path: Path) -> None:
    from lfm2_colbert.errors import NotFoundError

    if not path.exists():
        raise NotFoundError(f"there is no {path}", help="check the path")


def _joined(reports: "list[IndexReport]") -> dict[str, Any]:
    last = reports[-1]
    summed = ("added", "changed", "unchanged", "removed", "renamed", "truncated")
    failed = [{"path": f.path, "code": f.code, "message": f.message} for report in reports for f in report.failed]
    return {
        "documents": last.documents,
        "passages": last.passages,
        **{name: sum(getattr(report, name) for report in reports) for name in summed},
        "failed": failed,
        "warnings": [{"code": n.code, "message": n.message} for report in reports for n in report.notices],
        "encoded_passages": sum(report.encoded_passages for report in reports),
        "seconds": round(sum(report.seconds for report in reports), 3),
    }


def _print_report(report: dict[str, Any], collection_name: str, settings: Settings) -> None:
    failed = [f for f in report["failed"] if f["code"] != UNSUPPORTED]
    skipped = [f for f in report["failed"] if f["code"] == UNSUPPORTED]
    rate = f" ({report['encoded_passages'] / report['seconds']:,.0f} passages/s)" if report["encoded_passages"] else ""
    print_line(f"done    {report['documents']:,} documents, {report['passages']:,} passages in '{collection_name}'")
    print_line(
        f"        added {report['added']:,} · changed {report['changed']:,} · unchanged {report['unchanged']:,}"
        f" · removed {report['removed']:,} · truncated {report['truncated']:,} · {report['seconds']:.1f} s{rate}"
    )
    if report["renamed"]:
        print_line(f"        {report['renamed']:,} renamed files kept their vectors")
    _print_notices(report["warnings"])
    all_of_them = "--json" if settings.url else f"lfm2-colbert status --failed -c {collection_name}"
    _print_rows("failed", failed, all_of_them)
    _print_rows("skipped", skipped, all_of_them)
    if not report["documents"]:
        print_line("next    no document was found; what is read: lfm2-colbert index --help")
        return
    there = f" --url {settings.url}" if settings.url else ""
    option = "" if collection_name == options.DEFAULT_COLLECTION else f" -c {collection_name}"
    print_line(f'next    lfm2-colbert search{option}{there} "your question"')
