"""Documents in, hits out: a searchable collection that survives kills and power cuts.

Names are loaded on first use, so that importing this package costs nothing.
"""

from typing import TYPE_CHECKING

from lfm2_colbert.registry import attributes_on_use

if TYPE_CHECKING:
    from index.collection import Collection as Collection
    from index.estimating.estimate import estimate as estimate
    from index.estimating.types import CostEstimate as CostEstimate
    from index.estimating.types import Plan as Plan
    from index.reranking import Ranked as Ranked
    from index.reranking import rerank as rerank
    from index.types import Document as Document
    from index.types import Hit as Hit
    from index.types import IndexReport as IndexReport
    from index.types import SearchOptions as SearchOptions
    from index.types import SearchResult as SearchResult

__all__ = [
    "Collection", "CostEstimate", "Document", "Hit", "IndexReport", "Plan", "Ranked", "SearchOptions", "SearchResult",
    "estimate", "rerank",
]  # fmt: skip

__getattr__ = attributes_on_use(
    __name__,
    {
        "Collection": "index.collection",
        "CostEstimate": "index.estimating.types",
        "Plan": "index.estimating.types",
        "estimate": "index.estimating.estimate",
        "IndexReport": "index.collection",
        "Ranked": "index.reranking",
        "rerank": "index.reranking",
        "Document": "index.types",
        "Hit": "index.types",
        "SearchOptions": "index.types",
        "SearchResult": "index.types",
    },
)
