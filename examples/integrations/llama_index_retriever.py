"""A LlamaIndex retriever over a collection on a server.

`python llama_index_retriever.py URL COLLECTION QUESTION [FILTER]`; a key is read from ``LFM2_COLBERT_KEY``.
"""

import sys
from typing import Any

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeRelationship, NodeWithScore, QueryBundle, RelatedNodeInfo, TextNode

from index.types import Hit
from service.client import AsyncClient, Client
from service.settings import server_key


class CollectionRetriever(BaseRetriever):
    """Gives the best passage of each document; `where` may be set between questions."""

    def __init__(
        self, url: str, name: str, key: str | None = None, *, k: int = 4, where: str | dict[str, Any] | None = None
    ) -> None:
        """Ask a collection by its server's address and its name; nothing is sent yet."""
        super().__init__()
        self._collection = Client(url, key).collection(name)
        self._awaited = AsyncClient(url, key).collection(name)
        self.k, self.where = k, where

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node_of(hit) for hit in self._collection.search(query_bundle.query_str, k=self.k, where=self.where)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = await self._awaited.search(query_bundle.query_str, k=self.k, where=self.where)
        return [node_of(hit) for hit in found]


def node_of(hit: Hit) -> NodeWithScore:
    """Write a hit as LlamaIndex's node of its passage, whose source (`ref_doc_id`) is the document."""
    node = TextNode(
        id_=f"{hit.document_id}#{hit.passage}",
        text=hit.text,
        metadata={**hit.metadata, "language": hit.language},
        start_char_idx=hit.span.start,
        end_char_idx=hit.span.end,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=hit.document_id)},
    )
    return NodeWithScore(node=node, score=hit.score)


def main(url: str, name: str, question: str, where: str | None = None) -> None:
    """Print what a question finds."""
    for found in CollectionRetriever(url, name, server_key(), where=where).retrieve(question):
        node = found.node
        print(f"{found.score:.2f}  {node.ref_doc_id}  {node.start_char_idx}:{node.end_char_idx}  {node.get_content()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
