"""`lfm2-colbert verify`: is a collection what was committed?"""

from dataclasses import asdict

import click

from service.cli import options
from service.cli.output import megabytes, print_json, print_line, print_table
from service.settings import Settings


@click.command()
@options.collection
@click.option("--quick", is_flag=True, help="Check tables, sizes and headers, not every text and byte.")
@options.common
def verify(collection_name: str, quick: bool, settings: Settings) -> int:
    """Check every row and byte of a collection. Exits with 1 if something is damaged; nothing is changed."""
    from index.home import collection_folder
    from index.verify import verify as check
    from service.cli.progress import progress_bars

    folder = collection_folder(settings.home, collection_name)
    with progress_bars() as bars:
        report = check(folder, full=not quick, on_verified=bars.verified)
    if settings.as_json:
        print_json({"collection": collection_name, "whole": not report.damage, **asdict(report)})
        return 1 if report.damage else 0
    print_table([(finding.part, finding.name, finding.message) for finding in report.findings])
    read = f"{report.documents:,} documents, {report.segments} segments, {megabytes(report.bytes_read)} read"
    print_line(f"{'DAMAGED' if report.damage else 'whole'}   {read} in {report.seconds:.1f} s")
    if report.damage:
        print_line("next    `lfm2-colbert repair` says what can be done, and does it with --apply")
    return 1 if report.damage else 0
