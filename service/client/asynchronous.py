"""`AsyncClient`: the same to await."""

import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import anyio
import httpx2

from index.types import Document
from service.client import calls
from service.client.address import Address
from service.client.answers import Stored
from service.client.calls import Wait
from service.client.events import Watch
from service.client.exchange import Answer, Operation, Request, Walk
from service.client.methods import dressed
from service.client.parts import parts_as_they_come
from service.client.retrying import Attempts, Retrying
from service.client.wire import ANSWER_BYTES, Collected, failed, ignore, late, options_of, sent_as, timeout_of
from service.engine.jobs import Job

P = ParamSpec("P")
T = TypeVar("T")


def _soon(make: Callable[P, Operation[T]]) -> "Callable[Concatenate[AsyncClient, P], Awaitable[T]]":
    """Make a method of a client that carries an operation out."""

    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(make(*args, **kwargs))

    return dressed(method, make, gives=Awaitable)


def _there(
    make: Callable[Concatenate[str, P], Operation[T]],
) -> "Callable[Concatenate[AsyncRemoteCollection, P], Awaitable[T]]":
    """Make a method of a collection, whose name the operation is given."""

    async def method(self: "AsyncRemoteCollection", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.client.run(make(self.name, *args, **kwargs))

    return dressed(method, make, drops=1, gives=Awaitable)


def _walked(
    make: Callable[Concatenate[str, P], Walk[T]],
) -> "Callable[Concatenate[AsyncRemoteCollection, P], AsyncIterator[T]]":
    """Make a method of a collection that gives things one by one."""

    def method(self: "AsyncRemoteCollection", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self.client.walk(make(self.name, *args, **kwargs))

    return dressed(method, make, drops=1, gives=AsyncIterator)


class AsyncClient:
    """A server. Tasks of one event loop may share it.

    Example:
        >>> async def ask():
        ...     async with AsyncClient("http://127.0.0.1:8765") as client:
        ...         return await client.collection("pets").search("Hund")
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = 60.0,
        retrying: Retrying = Retrying(),  # noqa: B008 - immutable
        answer_bytes: int = ANSWER_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Send nothing yet; everything is as in `Client`."""
        self._address = Address.of(base_url, key)
        self._timeout, self._retrying, self._answer_bytes = timeout, retrying, answer_bytes
        self._http = httpx2.AsyncClient(**options_of(self._address, tls))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    collections = _soon(calls.collections)
    create = _soon(calls.create)
    remove = _soon(calls.remove)
    rerank = _soon(calls.rerank)
    embed = _soon(calls.embed)
    job = _soon(calls.job)

    def collection(self, name: str) -> "AsyncRemoteCollection":
        """Give a collection to ask; nothing is sent yet."""
        return AsyncRemoteCollection(self, name)

    async def follow(self, job_id: str) -> AsyncIterator[Job]:
        """Give a job each time it has come on, and at last as it ended; as `Client.follow`."""
        watch = Watch(job_id, self._retrying)
        while not watch.ended:
            try:
                async with self._sent(watch.request) as response:
                    if response.is_success:
                        async for piece in response.aiter_raw():
                            for job in watch.feed(piece):
                                yield job
                            if watch.ended:
                                break
                    pause = watch.closed() if response.is_success else watch.refused(await self._collected(response))
            except httpx2.TransportError as error:
                pause = watch.broken(failed(error, self._address))
            await anyio.sleep(pause)

    async def run(self, operation: Operation[T]) -> T:
        """Carry an operation of `calls` out."""
        answer: Answer | Job | None = None
        while True:
            try:
                step = operation.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = await (self._exchange(step) if isinstance(step, Request) else self._ended(step.job))

    async def walk(self, walk: Walk[T]) -> AsyncIterator[T]:
        """Give what a walk of `calls` leads to, one by one."""
        request = walk.first
        while request is not None:
            page = walk.read(await self._exchange(request))
            for item in page.items:
                yield item
            request = page.following

    async def _exchange(self, request: Request) -> Answer:
        """Send a request until its answer stands."""
        attempts = Attempts(request, self._retrying)
        while True:
            try:
                answer = await self._attempt(request)
            except httpx2.TransportError as error:
                pause: float | None = attempts.after_failure(failed(error, self._address))
            else:
                pause = attempts.after_answer(answer)
                if pause is None:
                    return answer
            await anyio.sleep(pause or 0.0)

    async def _attempt(self, request: Request) -> Answer:
        seconds = max(self._timeout, request.seconds)
        try:
            with anyio.fail_after(seconds):
                async with self._sent(request) as response:
                    return await self._collected(response, seconds)
        except TimeoutError as error:
            raise late(seconds) from error

    def _sent(self, request: Request) -> AbstractAsyncContextManager[httpx2.Response]:
        timeout = timeout_of(max(self._timeout, request.seconds))
        return self._http.stream(**sent_as(request, self._address), timeout=timeout)

    async def _collected(self, response: httpx2.Response, seconds: float = 0.0) -> Answer:
        collected = Collected(self._answer_bytes, max(self._timeout, seconds))
        async for piece in response.aiter_raw():
            collected.add(piece)
        return collected.answer(response)

    async def _ended(self, job_id: str) -> Job:
        return [job async for job in self.follow(job_id)][-1]


class AsyncRemoteCollection:
    """A collection on a server, asked as an `index.Collection` is, and awaited."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        """Ask through `client`."""
        self.client, self.name = client, name

    status = _there(calls.status)
    get = _there(calls.get)
    delete = _there(calls.delete)
    documents = _walked(calls.documents)
    search = _there(calls.search)
    search_many = _walked(calls.search_many)
    facets = _there(calls.facets)
    answer = _there(calls.answer)
    optimize = _there(calls.optimize)

    async def add(self, documents: Iterable[Document] | AsyncIterable[Document], *, wait: Wait = "durable") -> Stored:
        """Store documents, replacing those of the same id; as `RemoteCollection.add`."""
        return calls.require_some(await self.add_stream(documents, wait=wait))

    async def add_stream(
        self,
        documents: Iterable[Document] | AsyncIterable[Document],
        *,
        wait: Wait = "durable",
        on_stored: Callable[[Stored], None] = ignore,
    ) -> Stored:
        """Store documents as they come, one that cannot be stored keeping no other from it.

        All is as in `RemoteCollection.add_stream`; documents may have to be waited for.
        """
        stored = Stored()
        async for part in parts_as_they_come(documents):
            stored += await self.client.run(calls.put(self.name, part))
            on_stored(stored)
        return await self.client.run(calls.stored_at_last(stored, wait))
