"""`lfm2-colbert get`: documents by id."""

from collections.abc import Mapping
from typing import Any

import click

from lfm2_colbert.errors import NotFoundError
from service.backend.base import backend_of
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@click.argument("document_ids", nargs=-1, required=True, metavar="ID...")
@options.collection
@options.common_or_remote
def get(document_ids: tuple[str, ...], collection_name: str, settings: Settings) -> None:
    """Print documents as they are stored."""
    documents: list[Mapping[str, Any]] = []
    found = backend_of(settings).documents(collection_name, document_ids)
    for document_id, document in zip(document_ids, found, strict=True):
        if document is None:
            raise NotFoundError(
                f"no document '{document_id}' in '{collection_name}'",
                help="ids are paths below the indexed folder, as `search` prints them",
            )
        documents.append({"document_id": document.id, "metadata": document.metadata, "text": document.text})
    if settings.as_json:
        print_json({"collection": collection_name, "documents": documents})
        return
    for shown in documents:
        if len(documents) > 1:
            print_line(f"# {shown['document_id']}", err=True)
        print_line(shown["text"])
