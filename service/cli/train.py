"""`lfm2-colbert train`: make an encoder by a recipe."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings

if TYPE_CHECKING:
    from lfm2_colbert.training.loop import Told


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False), metavar="RECIPE.toml")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Where the run lives; the same again goes on from where it was.",
)  # fmt: skip
@options.common
def train(recipe: Path, output: Path, settings: Settings) -> None:
    """Train an encoder as RECIPE.toml says: texts are read, a teacher reads them, and the encoder learns its vectors.

    DIR/checkpoint is a model folder for --model; DIR/curve.jsonl and DIR/training.json say how it came about.
    """
    from lfm2_colbert.registry import missing_extra

    try:
        from lfm2_colbert.training.recipe import read_recipe
        from lfm2_colbert.training.runner import train as run
    except ModuleNotFoundError as error:
        raise missing_extra("training", error.name or "torch", "train") from error
    trained = run(read_recipe(recipe), output, _prepared, _told)
    if settings.as_json:
        print_json({"checkpoint": str(trained.checkpoint), **asdict(trained.last)})
    else:
        print_line(f"done    {trained.last.tokens:,} tokens · lfm2-colbert index FOLDER --model {trained.checkpoint}")


def _prepared(stage: str, done: int, total: int) -> None:
    print_line(f"{stage:8}{done:,} of {total:,}", err=True)


def _told(told: "Told") -> None:
    left = (told.steps - told.step) * told.tokens / max(told.step, 1) / max(told.tokens_per_s, 1)
    print_line(
        f"step    {told.step:,} of {told.steps:,} · {told.tokens:,} tokens · {told.tokens_per_s:,.0f} tokens/s · "
        f"loss {told.loss:.4f} · {left / 60:.0f} min left",
        err=True,
    )
