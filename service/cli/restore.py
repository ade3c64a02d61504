"""`lfm2-colbert restore`: a backup becomes a collection again."""

from pathlib import Path

import click

from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.collection
@options.common
def restore(source: Path, collection_name: str, settings: Settings) -> None:
    """Make a collection of the backup in SOURCE, after checking every byte of it. There must be none of its name."""
    from index.backup import restore as put_back
    from index.home import new_collection_folder

    manifest = put_back(source, new_collection_folder(settings.home, collection_name))
    if settings.as_json:
        print_json({"collection": collection_name, "documents": manifest.documents, "txid": manifest.txid})
        return
    print_line(f"done    '{collection_name}' has {manifest.documents:,} documents, as '{manifest.collection}' had")
