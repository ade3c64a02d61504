"""`lfm2-colbert train`: make an encoder by a recipe."""

from dataclasses import asdict
from pathlib import Path

import click

from lfm2_colbert.registry import lookup
from service.cli import options
from service.cli.output import print_json, print_line
from service.cli.trained import prepared, told
from service.settings import Settings

TRAINING = {
    "recipe": "lfm2_colbert.training.recipe:read_recipe",
    "run": "lfm2_colbert.training.runner:train",
}
"""Loaded by name: what needs torch is never a part of this package."""


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False), metavar="RECIPE.toml")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Where the run lives; the same again goes on from where it was.",
)  # fmt: skip
@options.common
def train(recipe: Path, output: Path, settings: Settings) -> None:
    """Train an encoder as RECIPE.toml says: texts are read, a teacher reads them, and the encoder learns its vectors.

    DIR/checkpoint is a model folder for --model; curve.svg, curve.jsonl and training.json in DIR say how it came about.
    """
    read_recipe, run = (lookup(TRAINING, name, "part of training", extra="train") for name in TRAINING)
    trained = run(read_recipe(recipe), output, prepared, told)
    if settings.as_json:
        print_json({"checkpoint": str(trained.checkpoint), **asdict(trained.last)})
    else:
        print_line(f"done    {trained.last.tokens:,} tokens · lfm2-colbert index FOLDER --model {trained.checkpoint}")
