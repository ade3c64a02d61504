"""`lfm2-colbert export`: an encoder in the form that the base install runs, a collection in forms that others read."""

from dataclasses import asdict
from pathlib import Path

import click

from lfm2_colbert.errors import AlreadyExistsError
from lfm2_colbert.registry import lookup
from service.cli import options
from service.cli.output import megabytes, print_json, print_line
from service.settings import Settings

EXPORTS = {"onnx": "lfm2_colbert.export.onnx:export_folder"}
"""Loaded by name: what needs onnx is never a part of this package."""


@click.group()
def export() -> None:
    """Write an encoder for machines that have only the base install, or a collection for other programs."""


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


@export.command()
@click.argument("destination", type=click.Path(path_type=Path), metavar="DIR")
@options.collection
@click.option(
    "--to", "form", default="jsonl", show_default=True, metavar="jsonl|parquet|qdrant|lancedb",
    help="jsonl is what `import` takes back; parquet and lancedb need the extras of these names.",
)  # fmt: skip
@options.common
def collection(destination: Path, collection_name: str, form: str, settings: Settings) -> None:
    """Export texts, passages and vectors to the folder DIR, which must not exist.

    Vectors are those stored, decoded as float16. Others may search and write meanwhile.
    """
    from index.exporting.export import export as write
    from index.home import collection_folder
    from service.cli.progress import progress_bars

    with progress_bars() as bars:
        manifest = write(
            collection_folder(settings.home, collection_name),
            destination,
            form,
            lambda done, total: bars.counted("export", "passages", done, total),
        )
    size = sum(int(n_bytes) for _, n_bytes in manifest.files.values())
    if settings.as_json:
        print_json({"destination": str(destination), **asdict(manifest)})
        return
    print_line(
        f"done    {manifest.documents:,} documents, {manifest.passages:,} passages, {manifest.vectors:,} vectors"
        f" · {megabytes(size)}"
    )
    if manifest.pending:
        print_line(f"note    {manifest.pending:,} documents wait for their vectors and have none in the export")
