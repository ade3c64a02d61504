"""Documents in, hits out: a searchable collection that survives kills and power cuts.

Names are loaded on first use, so that importing this package costs nothing.
"""

from typing import TYPE_CHECKING

from lfm2_colbert.registry import attributes_on_use

if TYPE_CHECKING:
    from index.collection import Collection as Collection
    from index.reranking import Ranked as Ranked
    from index.reranking import rerank as rerank
    from index.types import Document as Document
    from index.types import Hit as Hit
    from index.types import IndexReport as IndexReport
    from index.types import SearchOptions as SearchOptions
    from index.types import SearchResult as SearchResult

__all__ = ["Collection", "Document", "Hit", "IndexReport", "Ranked", "SearchOptions", "SearchResult", "rerank"]

__getattr__ = attributes_on_use(
    __name__,
    {
        "Collection": "index.collection",
        "IndexReport": "index.collection",
        "Ranked": "index.reranking",
        "rerank": "index.reranking",
        "Document": "index.types",
        "Hit": "index.types",
        "SearchOptions": "index.types",
        "SearchResult": "index.types",
    },
)
