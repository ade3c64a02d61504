"""`lfm2-colbert get`: documents by id."""

from collections.abc import Mapping
from typing import Any

import click

from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@click.argument("document_ids", nargs=-1, required=True, metavar="ID...")
@options.collection
@options.common
def get(document_ids: tuple[str, ...], collection_name: str, settings: Settings) -> None:
    """Print documents as they are stored."""
    from index.home import collection_folder
    from index.store import Store
    from lfm2_colbert.errors import NotFoundError

    documents: list[Mapping[str, Any]] = []
    with Store.open(collection_folder(settings.home, collection_name), writable=False) as store:
        for document_id in document_ids:
            found = store.document(document_id)
            if found is None:
                raise NotFoundError(
                    f"no document '{document_id}' in '{collection_name}'",
                    help="ids are paths below the indexed folder, as `search` prints them",
                )
            documents.append({"document_id": found.id, "metadata": found.metadata, "text": found.text})
    if settings.as_json:
        print_json({"collection": collection_name, "documents": documents})
        return
    for document in documents:
        if len(documents) > 1:
            print_line(f"# {document['document_id']}", err=True)
        print_line(document["text"])
