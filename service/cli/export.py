"""`lfm2-colbert export`: an encoder in the form that the base install runs."""

from pathlib import Path

import click

from lfm2_colbert.errors import AlreadyExistsError
from lfm2_colbert.registry import lookup
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings

EXPORTS = {"onnx": "lfm2_colbert.export.onnx:export_folder"}
"""Loaded by name: what needs onnx is never a part of this package."""


@click.group()
def export() -> None:
    """Write encoders for machines that have nothing but the base install."""


@export.command()
@click.argument("checkpoint", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="CHECKPOINT")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="A new folder, for --model DIR.",
)  # fmt: skip
@click.option(
    "--precision",
    default="int8",
    show_default=True,
    type=click.Choice(["int8", "fp32"]),
    help="How weights are stored.",
)
@click.option("--name", help="Full name, which collections keep.  [default: the checkpoint's folder]")
@click.option("--licence", default="", help="Of the weights, which goes along with them.")
@options.common
def model(checkpoint: Path, output: Path, precision: str, name: str | None, licence: str, settings: Settings) -> None:
    """Export a model folder to one ONNX file, its vocabulary and its settings; it needs the extra `torch`.

    CHECKPOINT has sentence-transformers' and PyLate's layout, as `train` writes it.
    """
    if output.exists() and any(output.iterdir()):
        raise AlreadyExistsError(f"{output} is not empty", help="name a new folder: -o DIR")
    export_folder = lookup(EXPORTS, "onnx", "export", extra="torch")
    export_folder(checkpoint, output, name or checkpoint.resolve().name, precision, licence)
    n_bytes = sum(path.stat().st_size for path in output.iterdir())
    if settings.as_json:
        print_json({"model": str(output), "precision": precision, "bytes": n_bytes})
    else:
        print_line(f"done    {n_bytes / 1e6:.1f} MB · lfm2-colbert index FOLDER --model {output}")
