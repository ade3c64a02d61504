"""`lfm2-colbert eval download`: a copy of NanoBEIR, for machines without a network."""

from pathlib import Path

import click

from service.cli import options as common_options
from service.cli.evaluation import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command(short_help="Copy NanoBEIR, for a machine without a network.")
@click.argument("dataset", type=click.Choice(["nanobeir"]))
@options.languages
@options.tasks
@options.source
@click.option("--to", "into", type=options.FOLDER, required=True, metavar="DIR", help="Where the copy goes.")
@common_options.common
def download(
    dataset: str, languages: tuple[str, ...], tasks: tuple[str, ...], source: str, into: Path, settings: Settings
) -> None:
    """Copy NanoBEIR from the hub, at its pinned revision; what is there already is not fetched again.

    Take the folder to the other machine and evaluate there: lfm2-colbert eval nanobeir --data DIR
    """
    from eval.datasets.nanobeir import Wanted
    from eval.datasets.nanobeir import download as copy

    n_files = 0
    for n_files, path in enumerate(copy(Wanted(languages, (), tasks, source), into), start=1):  # noqa: B007
        print_line(f"copied  {path.relative_to(into)}", err=True)
    if settings.as_json:
        print_json({"dataset": dataset, "files": n_files, "folder": str(into)})
    else:
        print_line(f"done    {n_files} files · lfm2-colbert eval {dataset} --data {into}")
