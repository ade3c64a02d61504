"""A Haystack component that retrieves from a collection on a server.

`python haystack_retriever.py URL COLLECTION QUESTION [FILTER]`; a key is read from ``LFM2_COLBERT_KEY``.
"""

import sys
from typing import Any

from haystack import Document, component
from haystack.utils import Secret

from index.types import Hit
from service.client import AsyncClient, Client

KEY = Secret.from_env_var("LFM2_COLBERT_KEY", strict=False)


@component
class CollectionRetriever:
    """Gives the best passage of each document; a pipeline that is saved holds the key's name, not the key."""

    def __init__(
        self, url: str, name: str, key: Secret = KEY, top_k: int = 4, where: str | dict[str, Any] | None = None
    ) -> None:
        """Ask a collection by its server's address and its name; nothing is sent yet."""
        self.url, self.name, self.key, self.top_k, self.where = url, name, key, top_k, where
        self._collection = Client(url, key.resolve_value()).collection(name)
        self._awaited = AsyncClient(url, key.resolve_value()).collection(name)

    @component.output_types(documents=list[Document])
    def run(self, query: str, where: str | dict[str, Any] | None = None) -> dict[str, list[Document]]:
        """Give the documents that answer a query best; `where` counts instead of the component's own."""
        found = self._collection.search(query, k=self.top_k, where=where or self.where)
        return {"documents": [document_of(hit) for hit in found]}

    @component.output_types(documents=list[Document])
    async def run_async(self, query: str, where: str | dict[str, Any] | None = None) -> dict[str, list[Document]]:
        """Do the same while others go on."""
        found = await self._awaited.search(query, k=self.top_k, where=where or self.where)
        return {"documents": [document_of(hit) for hit in found]}


def document_of(hit: Hit) -> Document:
    """Write a hit as Haystack's document: span and language stand in its `meta`, over the document's own."""
    said = {"start": hit.span.start, "end": hit.span.end, "language": hit.language}
    return Document(id=hit.document_id, content=hit.text, meta={**hit.metadata, **said}, score=hit.score)


def main(url: str, name: str, question: str, where: str | None = None) -> None:
    """Print what a question finds."""
    for found in CollectionRetriever(url, name).run(question, where)["documents"]:
        print(f"{found.score:.2f}  {found.id}  {found.meta['start']}:{found.meta['end']}  {found.content}")


if __name__ == "__main__":
    main(*sys.argv[1:])
