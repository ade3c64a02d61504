"""`lfm2-colbert optimize`: the same documents, found faster."""

import click

from service.backend.base import backend_of
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@options.collection
@options.common_or_remote
def optimize(collection_name: str, settings: Settings) -> None:
    """Merge small segments, train centroids anew and measure recall. `index` does it by itself when it pays."""
    from service.cli.progress import progress_bars

    with progress_bars() as bars:
        report = backend_of(settings).optimize(collection_name, bars.clustered)
    if settings.as_json:
        print_json({"collection": collection_name, **report})
        return
    print_line(f"done    {report['segments_before']} segments are {report['segments_after']} now")
    if report["centroids"]:
        recall = f"recall@10 {report['recall_at_10']:.3f} against exact search"
        print_line(f"        {report['centroids']:,} centroids · {recall}")
    else:
        print_line("        small enough to be searched whole: no centroids needed")
    if report["calibrated"]:
        print_line("        scores calibrated")
