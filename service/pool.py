"""Documents that negatives are looked for in: a collection, which is made when it is first asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from index.collection import Collection
from index.types import Document
from lfm2_colbert.encoders.base import Encoder
from service.cli.progress import Bars

COLLECTION = "pool"
LONGEST_QUERY = 8192
"""Characters of a query that a collection takes."""


class Pool:
    """All documents in a collection, which is made when it is first asked."""

    def __init__(self, documents: Mapping[str, str], encoder: Encoder, mode: str, home: Path, bars: Bars) -> None:
        """Make nothing yet; `home` is the folder of the collection."""
        self._documents, self._encoder, self._mode = documents, encoder, mode
        self._home, self._bars = home, bars
        self._collection: Collection | None = None
        self.fingerprint = f"{mode} {encoder.fingerprint}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._collection is not None:
            self._collection.close()

    def search(self, query: str, k: int) -> list[tuple[str, float]]:
        """Give documents in the order of the mode with their raw scores, which no calibration bends."""
        if self._collection is None:
            self._collection = self._indexed()
        result = self._collection.search(query[:LONGEST_QUERY], k=k, mode=self._mode, highlight=False)
        return [(hit.document_id, hit.raw_score) for hit in result.hits]

    def _indexed(self) -> Collection:
        collection = Collection.open(COLLECTION, create=True, encoder=self._encoder, home=self._home)
        documents = (Document(key, text) for key, text in self._documents.items())
        collection.add(documents, on_progress=self._bars.encoded)
        return collection
