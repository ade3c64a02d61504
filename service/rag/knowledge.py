"""A collection as answers need it, on this machine or in a server: found, read, and encoded with, all behind awaits."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.collection import Collection
from index.evidence import Evidence
from index.queries import encode_questions
from index.request import Request
from index.types import Hit, SearchResult
from lfm2_colbert.encoders.base import Encoder

if TYPE_CHECKING:  # a server's; a collection of this machine is asked without its libraries
    from service.engine.engine import Engine

T = TypeVar("T")


class Knowledge(Protocol):
    """A collection that questions are asked of."""

    name: str

    async def search(self, query: str, request: Request) -> SearchResult:
        """Find passages."""

    async def evidence(self, hits: Sequence[Hit]) -> list[Evidence | None]:
        """Give their vectors."""

    async def encoder(self) -> Encoder:
        """Give the collection's encoder."""

    async def run(self, work: Callable[[], T]) -> T:
        """Let a thread compute something."""


class Served:
    """A collection of a server."""

    def __init__(self, engine: "Engine", name: str) -> None:
        """Ask through `engine`."""
        self._engine, self.name = engine, name

    async def search(self, query: str, request: Request) -> SearchResult:
        """Find passages."""
        return await self._engine.search(self.name, query, request)

    async def evidence(self, hits: Sequence[Hit]) -> list[Evidence | None]:
        """Give their vectors."""
        return await self._engine.read(self.name, lambda collection: collection.evidence(hits))

    async def encoder(self) -> Encoder:
        """Give the collection's encoder, which remembers queries."""
        return await self._engine.encoder_of(self.name)

    async def run(self, work: Callable[[], T]) -> T:
        """Let a thread of those that search compute something."""
        return await self._engine.compute(work)


class Opened:
    """A collection that this process opened. One thread at a time uses it."""

    def __init__(self, collection: Collection) -> None:
        """Ask `collection`."""
        self._collection, self.name = collection, collection.name

    async def search(self, query: str, request: Request) -> SearchResult:
        """Find passages."""
        return self._collection.search(
            query, k=request.k, effort=request.effort, mode=request.mode, where=request.where,
            highlight=request.highlight, options=request.options,
        )  # fmt: skip

    async def evidence(self, hits: Sequence[Hit]) -> list[Evidence | None]:
        """Give their vectors."""
        return self._collection.evidence(hits)

    async def encoder(self) -> Encoder:
        """Give the collection's encoder."""
        return self._collection.encoder

    async def run(self, work: Callable[[], T]) -> T:
        """Let a thread compute something, so that a generator's words go on coming."""
        return await asyncio.to_thread(work)


def asked_vectors(query: str, encoder: Encoder) -> NDArray[np.float32]:
    """Give the token vectors of a query, all its windows together, ``(n, dim)``."""
    (question,) = encode_questions([query], encoder)
    return np.concatenate([window.vectors for window in question.windows])
