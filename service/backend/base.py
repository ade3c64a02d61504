"""What commands ask of collections, wherever they are."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from index.records import StoreCounts, Summary
from index.types import FacetValue, IndexReport, Ranked, SearchOptions, SearchResult
from lfm2_colbert.registry import lookup
from service.settings import Settings

if TYPE_CHECKING:
    from index.indexing import EncodingProgress
    from service.rag.answer import Answer
    from service.rag.answering import Asking
    from service.rag.generators.choosing import Choice

Where = str | Mapping[str, Any]
OnClustered = Callable[[int, int], None]
BACKENDS = {"local": "service.backend.local:Local", "remote": "service.backend.remote:Remote"}


@dataclass(frozen=True, slots=True)
class Build:
    """What a new collection is built with; None: the default, and for an existing one what it has."""

    model: str | None
    codec: str | None
    pool: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """Ids of documents that are gone, and ids that were not there."""

    deleted: list[str]
    missing: list[str]


class Found(Protocol):
    """A document as it is stored."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def text(self) -> str:
        """Its text."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata."""


class Searching(Protocol):
    """A collection that is asked; `index.Collection` is one."""

    name: str

    def search(
        self, query: str, *, k: int = ..., effort: str = ..., mode: str = ..., where: Where | None = ...,
        options: SearchOptions = ...,
    ) -> SearchResult:  # fmt: skip
        """Answer a question."""

    def search_batch(
        self, queries: Sequence[str], *, k: int = ..., effort: str = ..., mode: str = ..., where: Where | None = ...,
        highlight: bool = ..., options: SearchOptions = ...,
    ) -> Iterator[SearchResult]:  # fmt: skip
        """Answer many."""

    def facets(self, field: str, *, where: Where | None = ...) -> list[FacetValue]:
        """Count documents by the values of a field."""

    def counts(self) -> StoreCounts:
        """Say how much there is."""


class Indexing(Protocol):
    """A collection that is brought up to date; `index.Collection` is one."""

    def add_files(
        self,
        path: str | Path,
        *,
        prefix: str = ...,
        text_field: str = ...,
        on_file: Callable[[int], None] = ...,
        on_progress: "Callable[[EncodingProgress], None]" = ...,
        on_clustered: OnClustered = ...,
        stopped: Callable[[], bool] = ...,
    ) -> IndexReport:
        """Read a folder or a file."""


class Backend(Protocol):
    """Collections, and an encoder."""

    def collections(self) -> list[Summary]:
        """List them."""

    def place(self, name: str) -> str:
        """Say where one is, as a person is asked about it; NotFoundError where there is none."""

    def remove(self, name: str) -> None:
        """Remove one with all its documents."""

    def status(self, name: str, *, failed: bool) -> dict[str, Any]:
        """Describe one; `failed` lists the files that gave no document."""

    def documents(self, name: str, ids: Sequence[str]) -> Sequence[Found | None]:
        """Look documents up; None for one that is not there."""

    def delete(self, name: str, ids: Iterable[str]) -> Deleted:
        """Remove documents."""

    def optimize(self, name: str, on_clustered: OnClustered) -> Mapping[str, Any]:
        """Make one faster; gives the fields of `index.maintenance.OptimizeReport`."""

    def searching(self, name: str) -> AbstractContextManager[Searching]:
        """Open one to ask it."""

    def indexing(self, name: str, build: Build) -> AbstractContextManager[Indexing]:
        """Open one to bring it up to date; it is made where it does not exist."""

    def answer(self, name: str, asking: "Asking", choice: "Choice | None") -> "Answer":
        """Answer a question from a collection; None: with what the place has."""

    def rerank(self, query: str, texts: Sequence[str], model: str | None, top_n: int) -> Sequence[Ranked]:
        """Order texts by how well they answer a query."""


def backend_of(settings: Settings) -> Backend:
    """Give the backend that a command was pointed at.

    Raises:
        MissingExtraError: a server is to be asked, and the library for that is not installed.
    """
    made: Callable[[Settings], Backend] = lookup(
        BACKENDS, "remote" if settings.url else "local", "backend", extra="client"
    )
    return made(settings)
