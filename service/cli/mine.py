"""`lfm2-colbert mine`: passages that are found for a question and do not answer it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lfm2_colbert.registry import lookup
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings

MINING = {
    "pairs": "lfm2_colbert.training.sources:read_all_pairs",
    "pooled": "lfm2_colbert.training.mining:pooled",
    "options": "lfm2_colbert.training.mining:MiningOptions",
    "mine": "lfm2_colbert.training.mining:mine",
    "form": "lfm2_colbert.training.lists:Format",
    "write": "lfm2_colbert.training.lists:write_lists",
}
"""Loaded by name, as all of training is."""
WORK, JOURNAL = ".mining", "mined.jsonl"
MODES = ("hybrid", "semantic", "lexical")


@click.command()
@click.argument("pairs", type=click.Path(path_type=Path, exists=True), metavar="PAIRS")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Where the lists go; the same again goes on from where it was.",
)  # fmt: skip
@click.option("--model", default="nano", show_default=True, metavar="NAME", help="Encoder that looks for candidates.")
@click.option("--candidates", default=32, show_default=True, help="Negatives of a question, at most.")
@click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True, help="What is searched by.")
@click.option(
    "--share", default=0.95, show_default=True,
    help="What scores this share of the answer's score, or more, is taken for an answer and left out.",
)  # fmt: skip
@click.option("--lang-balance", is_flag=True, help="Let languages of candidates take turns.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Ask N of the questions, evenly spread.")
@click.option("--format", "form", default="jsonl", show_default=True, metavar="jsonl|parquet", help="Of the lists.")
@options.common
def mine(
    pairs: Path,
    output: Path,
    model: str,
    limit: int | None,
    mode: str,
    form: str,
    settings: Settings,
    **chosen: Any,
) -> None:
    """Mine hard negatives for PAIRS: a .jsonl of {"query": "…", "positive": "…"}, or a folder of SOURCE/LANGUAGE.jsonl.

    All positives are indexed, each question is asked, and what is found and is no answer becomes its negatives.
    DIR/train.jsonl, queries.jsonl and documents.jsonl are for `lfm2-colbert score` and for [data] lists of a recipe.
    """
    from lfm2_colbert.encoders.loading import load_encoder
    from service.cli.progress import progress_bars
    from service.pool import Pool

    part = {name: lookup(MINING, name, "part of training", extra="train") for name in MINING}
    written = _form(part["form"], form)
    mining = part["options"](**chosen)
    found = [pair for pair in part["pairs"](pairs) if pair.query and pair.document]
    pool = part["pooled"](found, limit)
    encoder = load_encoder(model, device=settings.device, threads=settings.threads)
    with progress_bars() as bars, Pool(pool.documents, encoder, mode, output / WORK, bars) as served:
        mined = part["mine"](
            pool, served, mining, output / WORK / JOURNAL, lambda *told: bars.counted("mine", "questions", *told)
        )
    part["write"](output, mined.lists, written)
    counts = {name: value for name, value in asdict(mined).items() if name != "lists"}
    if settings.as_json:
        sizes = {"lists": len(mined.lists.rows), "documents": len(mined.lists.documents)}
        print_json({"folder": str(output), **sizes, **counts})
        return
    print_line(f"done    {len(mined.lists.rows):,} lists of {len(mined.lists.documents):,} passages in {output}")
    print_line(
        f"        left out {mined.false_negatives:,} that score like an answer and {mined.duplicates:,} that read like "
        f"one; {mined.unfound:,} answers were not found; {mined.without:,} questions have no negative"
    )


def _form(forms: Any, name: str) -> Any:
    from lfm2_colbert.errors import UnknownNameError

    if name not in list(forms):
        raise UnknownNameError.of("format", name, list(forms))
    return forms(name)
