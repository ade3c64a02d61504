"""A LangChain retriever over a collection on a server.

`python langchain_retriever.py URL COLLECTION QUESTION [FILTER]`; a key is read from ``LFM2_COLBERT_KEY``.
"""

import sys
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from index.types import Hit
from service.client import AsyncClient, AsyncRemoteCollection, Client, RemoteCollection
from service.settings import server_key


class CollectionRetriever(BaseRetriever):
    """Gives the best passage of each document; `invoke(question, where=…)` filters that question alone."""

    collection: RemoteCollection
    awaited: AsyncRemoteCollection
    k: int = 4
    where: str | dict[str, Any] | None = None

    @classmethod
    def of(cls, url: str, name: str, key: str | None = None, **options: Any) -> "CollectionRetriever":
        """Ask a collection by its server's address and its name."""
        here, awaited = Client(url, key).collection(name), AsyncClient(url, key).collection(name)
        return cls(collection=here, awaited=awaited, **options)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, where: str | dict[str, Any] | None = None
    ) -> list[Document]:
        return [document_of(hit) for hit in self.collection.search(query, k=self.k, where=where or self.where)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, where: str | dict[str, Any] | None = None
    ) -> list[Document]:
        return [document_of(hit) for hit in await self.awaited.search(query, k=self.k, where=where or self.where)]


def document_of(hit: Hit) -> Document:
    """Write a hit as LangChain's document: score, span and language stand in its metadata, over the document's own."""
    said = {"score": hit.score, "start": hit.span.start, "end": hit.span.end, "language": hit.language}
    return Document(id=hit.document_id, page_content=hit.text, metadata={**hit.metadata, **said})


def main(url: str, name: str, question: str, where: str | None = None) -> None:
    """Print what a question finds."""
    for found in CollectionRetriever.of(url, name, server_key(), where=where).invoke(question):
        said = found.metadata
        print(f"{said['score']:.2f}  {found.id}  {said['start']}:{said['end']}  {found.page_content}")


if __name__ == "__main__":
    main(*sys.argv[1:])
