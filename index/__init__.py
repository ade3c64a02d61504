"""Documents in, hits out: a searchable collection that survives kills and power cuts.

Names are loaded on first use, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.collection import Collection as Collection
    from index.collection import IndexReport as IndexReport
    from index.types import Document as Document
    from index.types import Hit as Hit
    from index.types import SearchResult as SearchResult

__all__ = ["Collection", "Document", "Hit", "IndexReport", "SearchResult"]

_HOMES = {
    "Collection": "index.collection",
    "IndexReport": "index.collection",
    "Document": "index.types",
    "Hit": "index.types",
    "SearchResult": "index.types",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'index' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
