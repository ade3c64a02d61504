"""`lfm2-colbert backup`: a collection as one commit left it, copied while it is in use."""

from dataclasses import asdict
from pathlib import Path

import click

from service.cli import options
from service.cli.output import megabytes, print_json, print_line
from service.settings import Settings


@click.command()
@click.argument("destination", type=click.Path(path_type=Path))
@options.collection
@options.common
def backup(destination: Path, collection_name: str, settings: Settings) -> None:
    """Copy a collection to the folder DESTINATION, which must not exist; others may search and write meanwhile."""
    from index.backup import backup as copy
    from index.home import collection_folder

    manifest = copy(collection_folder(settings.home, collection_name), destination)
    if settings.as_json:
        print_json({"destination": str(destination), **asdict(manifest)})
        return
    size = sum(int(n_bytes) for _, n_bytes in manifest.files.values())
    print_line(f"done    {manifest.documents:,} documents, {len(manifest.files)} files, {megabytes(size)}")
