"""`lfm2-colbert eval nanobeir`: thirteen small tasks in eleven languages."""

from pathlib import Path

import click

from service.cli import options as common_options
from service.cli.evaluation import options
from service.cli.evaluation.options import Measured
from service.settings import Settings


@click.command(short_help="NanoBEIR: thirteen small tasks in eleven languages.")
@options.languages
@options.query_languages
@options.tasks
@options.source
@click.option(
    "--data", type=options.FOLDER, metavar="DIR", help="A copy that `eval download` made.  [default: the hub]"
)
@options.language_bias
@options.measured
@common_options.common
def nanobeir(
    languages: tuple[str, ...],
    query_languages: tuple[str, ...],
    tasks: tuple[str, ...],
    source: str,
    data: Path | None,
    measured: Measured,
    settings: Settings,
) -> None:
    """Evaluate on NanoBEIR: thirteen tasks, from arguana to touche2020, of 50 queries each, in eleven languages.

    Published figures of other models stand beside yours in the report. `--query-languages all` asks each language in
    each.
    """
    from eval.datasets.nanobeir import SOURCES, Wanted, count
    from eval.datasets.nanobeir import tasks as load
    from service.cli.evaluation.running import run

    if query_languages == ("all",) and source in SOURCES:
        query_languages = languages or SOURCES[source].languages
    wanted = Wanted(languages, query_languages, tasks, source, data)
    run(load(wanted), measured, settings, total=count(wanted))
