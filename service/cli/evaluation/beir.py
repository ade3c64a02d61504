"""`lfm2-colbert eval beir`: a set in BEIR's layout, or one of BEIR's by name."""

from pathlib import Path

import click

from service.cli import options as common_options
from service.cli.evaluation import options
from service.cli.evaluation.options import Measured
from service.settings import Settings


@click.command(short_help="A folder in BEIR's layout, or a set of BEIR by name.")
@click.argument("dataset", metavar="DIR|NAME")
@click.option("--split", default="test", show_default=True, help="The judgements: qrels/SPLIT.tsv.")
@click.option("--language", default="und", metavar="CODE", help="Of the texts, as the report shows it.")
@click.option("--data", type=options.FOLDER, metavar="DIR", help="Where sets by name are kept.  [default: in the home]")
@options.measured
@common_options.common
def beir(dataset: str, split: str, language: str, data: Path | None, measured: Measured, settings: Settings) -> None:
    """Evaluate on a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv, or on one of BEIR by name.

    scifact, nfcorpus, fiqa, …: the package `beir` (the extra `beir`) fetches it, once.
    """
    from eval.datasets.beir import fetched, load
    from index.home import home_folder
    from service.cli.evaluation.running import run

    folder = Path(dataset)
    if not folder.is_dir():
        folder = fetched(dataset, data or home_folder(settings.home) / ".beir")
        language = "en" if language == "und" else language
    run([load(folder, split=split, language=language)], measured, settings)
