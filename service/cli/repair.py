"""`lfm2-colbert repair`: what is damaged, made again from the stored texts."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli import options
from service.cli.output import print_json, print_line, print_table
from service.settings import Settings

if TYPE_CHECKING:
    from index.repair import RepairReport


@click.command()
@options.collection
@click.option("--apply", is_flag=True, help="Mend; without it nothing is changed.")
@click.option("--accept-loss", is_flag=True, help="Go on although acknowledged changes are missing.")
@click.option(
    "--backup", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Take damaged documents from here."
)
@options.common
def repair(collection_name: str, apply: bool, accept_loss: bool, backup: Path | None, settings: Settings) -> int:
    """Say what is damaged and what would be done about it; with --apply, do it.

    Damaged files are kept in the collection's folder `quarantine`. Exits with 1 if documents were lost, or if there is
    damage and --apply was not given.
    """
    from index.home import collection_folder
    from index.repair import repair as mend

    folder = collection_folder(settings.home, collection_name)
    report = mend(folder, apply=apply, accept_lost=accept_loss, backup=backup)
    if report.applied:
        _encode_again(collection_name, settings)
    if settings.as_json:
        shown = asdict(report) | {"quarantine": str(report.quarantine) if report.quarantine else None}
        print_json({"collection": collection_name, **shown})
    else:
        _print(report)
    return 1 if report.lost or report.unreadable or (report.steps and not report.applied) else 0


def _encode_again(collection_name: str, settings: Settings) -> None:
    from index.collection import Collection
    from service.cli.progress import progress_bars

    with (
        Collection.open(
            collection_name, home=settings.home, device=settings.device, threads=settings.threads
        ) as collection,
        progress_bars() as bars,
    ):
        collection.index_pending(bars.encoded)


def _print(report: "RepairReport") -> None:
    print_table([(step.action, step.finding.part, step.finding.name, step.finding.message) for step in report.steps])
    if not report.steps:
        print_line("whole   nothing to repair")
        return
    if not report.applied:
        print_line("next    run again with --apply")
        return
    print_line(f"mended  {report.pending:,} documents were encoded again, {len(report.restored)} came from the backup")
    for name, ids in (("lost", report.lost), ("without metadata", report.without_metadata)):
        for document_id in ids:
            print_line(f"{name}: {document_id}")
    if report.unreadable:
        print_line(f"lost: {report.unreadable:,} documents whose ids cannot be read; a --backup may have them")
    if report.quarantine:
        print_line(f"kept    what was damaged lies in {report.quarantine}")
