"""Collections on this machine. What computes is loaded where it is needed: looking up costs no encoder, no NumPy."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from index.home import collection_folder
from index.records import StoredDocument, Summary
from index.store import Store
from service.backend.base import Build, Deleted, Indexing, OnClustered, Searching
from service.settings import Settings

if TYPE_CHECKING:
    from index.collection import Collection
    from index.types import Ranked
    from service.rag.answer import Answer
    from service.rag.answering import Asking
    from service.rag.generators.choosing import Choice

DEFAULT_MODEL = "nano"


class Local:
    """The collections of a home; see `Backend`."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings

    def collections(self) -> list[Summary]:
        """List them."""
        from index.catalog import summaries

        return list(summaries(self._settings.home))

    def place(self, name: str) -> str:
        """Name the folder."""
        return str(collection_folder(self._settings.home, name))

    def remove(self, name: str) -> None:
        """Remove a collection that nobody writes."""
        from index.catalog import remove

        remove(collection_folder(self._settings.home, name))

    def status(self, name: str, *, failed: bool) -> dict[str, Any]:
        """Describe a collection."""
        from service.status import status_of

        return status_of(self._settings.home, name, failed=failed)

    def documents(self, name: str, ids: Sequence[str]) -> Sequence[StoredDocument | None]:
        """Look documents up."""
        with Store.open(collection_folder(self._settings.home, name), writable=False) as store:
            return [store.document(each) for each in ids]

    def delete(self, name: str, ids: Iterable[str]) -> Deleted:
        """Remove documents, all at once."""
        found = Deleted([], [])
        folder = collection_folder(self._settings.home, name)
        with Store.open(folder, writable=True) as store, store.transaction():
            for each in ids:
                (found.deleted if store.delete(each) else found.missing).append(each)
        return found

    def optimize(self, name: str, on_clustered: OnClustered) -> Mapping[str, Any]:
        """Merge segments, train centroids, measure recall."""
        with self._open(name) as collection:
            return asdict(collection.optimize(on_clustered=on_clustered))

    def searching(self, name: str) -> AbstractContextManager[Searching]:
        """Open a collection to ask it."""
        return self._open(name)

    def indexing(self, name: str, build: Build) -> AbstractContextManager[Indexing]:
        """Open a collection to bring it up to date."""
        return self._open(name, create=True, encoder=build.model, codec=build.codec, pool=build.pool)

    def answer(self, name: str, asking: "Asking", choice: "Choice | None") -> "Answer":
        """Answer with a generator of this process, or one that it asks."""
        import asyncio

        from service.rag.answering import Answerer
        from service.rag.generators.choosing import Choice, generator_of
        from service.rag.knowledge import Opened

        async def answered() -> "Answer":
            answerer = Answerer(generator_of(choice or Choice()))
            try:
                with self._open(name) as collection:
                    return await answerer.answer(Opened(collection), asking)
            finally:
                await answerer.close()

        return asyncio.run(answered())

    def rerank(self, query: str, texts: Sequence[str], model: str | None, top_n: int) -> "Sequence[Ranked]":
        """Order texts with an encoder of this machine."""
        from index.reranking import rerank
        from lfm2_colbert import load_encoder

        settings = self._settings
        encoder = load_encoder(model or DEFAULT_MODEL, device=settings.device, threads=settings.threads)
        return rerank(query, texts, encoder, top_n=top_n)

    def _open(self, name: str, **build: Any) -> "Collection":
        from index.collection import Collection

        settings = self._settings
        return Collection.open(name, home=settings.home, device=settings.device, threads=settings.threads, **build)
