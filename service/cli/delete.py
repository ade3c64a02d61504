"""`lfm2-colbert delete`: documents out of a collection."""

import click

from service.backend.base import backend_of
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@click.argument("document_ids", nargs=-1, required=True, metavar="ID...")
@options.collection
@options.common_or_remote
def delete(document_ids: tuple[str, ...], collection_name: str, settings: Settings) -> int:
    """Remove documents by id; their files bring them back only when they change. Exits with 1 if one was not there."""
    found = backend_of(settings).delete(collection_name, document_ids)
    if settings.as_json:
        print_json({"collection": collection_name, "deleted": found.deleted, "missing": found.missing})
    else:
        print_line(f"deleted {len(found.deleted)} of {len(document_ids)}")
        for document_id in found.missing:
            print_line(f"not there: {document_id}")
    return 1 if found.missing else 0
