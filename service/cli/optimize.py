"""`lfm2-colbert optimize`: the same documents, found faster."""

from dataclasses import asdict

import click

from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@options.collection
@options.common
def optimize(collection_name: str, settings: Settings) -> None:
    """Merge small segments, train centroids anew and measure recall. `index` does it by itself when it pays."""
    from index.collection import Collection
    from service.cli.progress import progress_bars

    with (
        Collection.open(
            collection_name, home=settings.home, device=settings.device, threads=settings.threads
        ) as collection,
        progress_bars() as bars,
    ):
        report = collection.optimize(on_clustered=bars.clustered)
    if settings.as_json:
        print_json({"collection": collection_name, **asdict(report)})
        return
    print_line(f"done    {report.segments_before} segments are {report.segments_after} now")
    if report.centroids:
        print_line(f"        {report.centroids:,} centroids · recall@10 {report.recall_at_10:.3f} against exact search")
    else:
        print_line("        small enough to be searched whole: no centroids needed")
    if report.calibrated:
        print_line("        scores calibrated")
