"""`lfm2-colbert delete`: documents out of a collection."""

import click

from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@click.argument("document_ids", nargs=-1, required=True, metavar="ID...")
@options.collection
@options.common
def delete(document_ids: tuple[str, ...], collection_name: str, settings: Settings) -> int:
    """Remove documents by id; their files bring them back only when they change. Exits with 1 if one was not there."""
    from index.home import collection_folder
    from index.store import Store

    deleted: list[str] = []
    missing: list[str] = []
    with Store.open(collection_folder(settings.home, collection_name), writable=True) as store, store.transaction():
        for document_id in document_ids:
            (deleted if store.delete(document_id) else missing).append(document_id)
    if settings.as_json:
        print_json({"collection": collection_name, "deleted": deleted, "missing": missing})
    else:
        print_line(f"deleted {len(deleted)} of {len(document_ids)}")
        for document_id in missing:
            print_line(f"not there: {document_id}")
    return 1 if missing else 0
