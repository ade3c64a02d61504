"""`lfm2-colbert eval folder`: a set of one's own, with a folder for each language."""

from pathlib import Path

import click

from service.cli import options as common_options
from service.cli.evaluation import options
from service.cli.evaluation.options import Measured
from service.cli.output import print_line
from service.settings import Settings


@click.command(short_help="Your own set: questions and documents, a folder for each language.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@options.languages
@options.query_languages
@click.option("--split", default="test", show_default=True, help="The judgements: qrels/SPLIT.tsv.")
@options.language_bias
@options.measured
@common_options.common
def folder(
    folder: Path,
    languages: tuple[str, ...],
    query_languages: tuple[str, ...],
    split: str,
    measured: Measured,
    settings: Settings,
) -> None:
    """Evaluate on DIR/LANGUAGE/corpus.jsonl, queries.jsonl and qrels/test.tsv, in BEIR's format.

    Where ids are the same in every language, `--query-languages all` asks each language in each: a matrix.
    """
    from eval.datasets.folder import parallel_tasks, tasks
    from service.cli.evaluation.running import run

    if query_languages == ("all",):
        found = parallel_tasks(folder, lambda why: print_line(f"left out: {why}", err=True), languages, split=split)
    else:
        found = tasks(folder, document_languages=languages, query_languages=query_languages, split=split)
    run(list(found), measured, settings)
