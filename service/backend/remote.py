"""Collections on a server, asked through `service.client`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from index.records import StoreCounts, Summary
from index.types import FacetValue, Ranked, SearchOptions, SearchResult
from lfm2_colbert.errors import InvalidArgumentError, LocalOnlyError, NotFoundError
from service.backend.base import Build, Deleted, OnClustered, Where
from service.backend.sending import Sending
from service.client import Client, RemoteCollection, RemoteDocument
from service.client.calls import failure_of
from service.engine.jobs import JobState
from service.settings import Settings, server_authorities, server_key

if TYPE_CHECKING:
    from service.rag.answer import Answer
    from service.rag.answering import Asking
    from service.rag.generators.choosing import Choice

EVERY_DOCUMENT = SearchOptions()


class Remote:
    """The collections of a server; see `Backend`."""

    def __init__(self, settings: Settings) -> None:
        """Send nothing yet."""
        self._url = settings.url or ""

    def collections(self) -> list[Summary]:
        """List those that the key may see."""
        with self._client() as client:
            return client.collections()

    def place(self, name: str) -> str:
        """Name the server."""
        self.status(name, failed=False)
        return f"'{name}' on {self._url}"

    def remove(self, name: str) -> None:
        """Remove a collection."""
        with self._client() as client:
            client.remove(name)

    def status(self, name: str, *, failed: bool) -> dict[str, Any]:
        """Describe a collection."""
        if failed:
            raise LocalOnlyError(
                "a server does not tell which files failed", help="`index` lists them; or ask on the server's machine"
            )
        with self._client() as client:
            return client.collection(name).status()

    def documents(self, name: str, ids: Sequence[str]) -> Sequence[RemoteDocument | None]:
        """Look documents up."""
        with self._client() as client:
            return [client.collection(name).get(each) for each in ids]

    def delete(self, name: str, ids: Iterable[str]) -> Deleted:
        """Remove documents, one after the other."""
        found = Deleted([], [])
        with self._client() as client:
            collection = client.collection(name)
            for each in ids:
                (found.deleted if collection.delete(each) else found.missing).append(each)
        return found

    def optimize(self, name: str, on_clustered: OnClustered) -> Mapping[str, Any]:
        """Let the server optimise, and wait until it has."""
        with self._client() as client:
            for job in client.follow(client.collection(name).optimize()):
                if job.progress:
                    on_clustered(int(job.progress["done"]), int(job.progress["total"]))
        if job.state is JobState.FAILED:
            raise failure_of(job)
        return job.result or {}

    @contextmanager
    def searching(self, name: str) -> "Iterator[Asked]":
        """Open a collection to ask it."""
        with self._client() as client:
            yield Asked(client.collection(name))

    @contextmanager
    def indexing(self, name: str, build: Build) -> Iterator[Sending]:
        """Open a collection to send documents to it."""
        if build.model is not None:
            raise LocalOnlyError("a server's encoder is chosen by who runs it", help="leave --model out")
        with self._client() as client:
            collection = client.collection(name)
            try:
                _require_as_built(name, collection.status()["encoder"], build)
            except NotFoundError:
                client.create(name, codec=build.codec, pool=build.pool)
            yield Sending(client, collection)

    def answer(self, name: str, asking: "Asking", choice: "Choice | None") -> "Answer":
        """Answer with what the server has."""
        if choice is not None:
            raise LocalOnlyError("a server's language model is chosen by who runs it", help="leave --llm out")
        with self._client() as client:
            return client.collection(name).answer(
                asking.question, history=[asdict(turn) for turn in asking.history], where=asking.where,
                k=asking.passages, rewrite=asking.rewrite,
            )  # fmt: skip

    def rerank(self, query: str, texts: Sequence[str], model: str | None, top_n: int) -> Sequence[Ranked]:
        """Order texts with the server's encoder."""
        if model is not None:
            raise LocalOnlyError("a server's encoder is chosen by who runs it", help="leave --model out")
        with self._client() as client:
            return client.rerank(query, texts, top_n=top_n) if texts else []

    def _client(self) -> Client:
        return Client(self._url, server_key(), tls=server_authorities())


class Asked:
    """A collection of a server, under the names of `index.Collection`."""

    def __init__(self, collection: RemoteCollection) -> None:
        """Ask through `collection`."""
        self._collection, self.name = collection, collection.name

    def search(
        self, query: str, *, k: int = 10, effort: str = "balanced", mode: str = "hybrid", where: Where | None = None,
        options: SearchOptions = EVERY_DOCUMENT,
    ) -> SearchResult:  # fmt: skip
        """Answer a question."""
        return self._collection.search(query, k=k, effort=effort, mode=mode, where=where, options=options)

    def search_batch(
        self, queries: Sequence[str], *, k: int = 10, effort: str = "balanced", mode: str = "hybrid",
        where: Where | None = None, highlight: bool = False, options: SearchOptions = EVERY_DOCUMENT,
    ) -> Iterator[SearchResult]:  # fmt: skip
        """Answer many."""
        return self._collection.search_many(
            queries, k=k, effort=effort, mode=mode, where=where, highlight=highlight, options=options
        )

    def facets(self, field: str, *, where: Where | None = None) -> list[FacetValue]:
        """Count documents by the values of a field."""
        return self._collection.facets(field, where=where)

    def counts(self) -> StoreCounts:
        """Say how much there is."""
        status = self._collection.status()
        return StoreCounts(**{field.name: status[field.name] for field in fields(StoreCounts)})


def _require_as_built(name: str, built: Mapping[str, Any], build: Build) -> None:
    """Refuse to add to a collection what it would store in another way than it was asked for."""
    for what, wanted in (("codec", build.codec), ("pool", build.pool)):
        if wanted is not None and wanted != built[what]:
            raise InvalidArgumentError(
                f"'{name}' was built with {what} {built[what]}, not {wanted}", help=f"leave --{what} out"
            )
