"""`Client`: a server's collections, without awaiting."""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx2

from index.types import Document
from service.client import calls
from service.client.address import Address
from service.client.answers import Stored
from service.client.calls import Wait
from service.client.events import Watch
from service.client.exchange import Answer, Operation, Request, Walk
from service.client.methods import dressed
from service.client.parts import parts
from service.client.retrying import Attempts, Retrying
from service.client.wire import ANSWER_BYTES, Collected, failed, ignore, options_of, sent_as, timeout_of
from service.engine.jobs import Job

P = ParamSpec("P")
T = TypeVar("T")


def _now(make: Callable[P, Operation[T]]) -> "Callable[Concatenate[Client, P], T]":
    """Make a method of a client that carries an operation out."""

    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(make(*args, **kwargs))

    return dressed(method, make)


def _there(make: Callable[Concatenate[str, P], Operation[T]]) -> "Callable[Concatenate[RemoteCollection, P], T]":
    """Make a method of a collection, whose name the operation is given."""

    def method(self: "RemoteCollection", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.client.run(make(self.name, *args, **kwargs))

    return dressed(method, make, drops=1)


def _walked(make: Callable[Concatenate[str, P], Walk[T]]) -> "Callable[Concatenate[RemoteCollection, P], Iterator[T]]":
    """Make a method of a collection that gives things one by one."""

    def method(self: "RemoteCollection", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self.client.walk(make(self.name, *args, **kwargs))

    return dressed(method, make, drops=1, gives=Iterator)


class Client:
    """A server. Threads may share it.

    Example:
        >>> with Client("http://127.0.0.1:8765") as client:  # doctest: +SKIP
        ...     client.create("pets")
        ...     client.collection("pets").add([Document("de", "Der Hund schläft.")], wait="searchable")
        ...     [hit.document_id for hit in client.collection("pets").search("Hund")]
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
        """Send nothing yet.

        Args:
            base_url: as `lfm2-colbert serve` prints it.
            key: of the API; it is sent to this server alone, and no redirect is followed.
            timeout: seconds that may pass until an answer begins, and until it ends.
            retrying: when a request is sent again.
            answer_bytes: that an answer may have; a longer one is an error.
            tls: whom to believe about certificates; None: this machine's authorities.

        Raises:
            InvalidArgumentError: the address or the key cannot be one.
        """
        self._address = Address.of(base_url, key)
        self._timeout, self._retrying, self._answer_bytes = timeout, retrying, answer_bytes
        self._http = httpx2.Client(**options_of(self._address, tls))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    collections = _now(calls.collections)
    create = _now(calls.create)
    remove = _now(calls.remove)
    rerank = _now(calls.rerank)
    embed = _now(calls.embed)
    job = _now(calls.job)

    def collection(self, name: str) -> "RemoteCollection":
        """Give a collection to ask; nothing is sent yet."""
        return RemoteCollection(self, name)

    def follow(self, job_id: str) -> Iterator[Job]:
        """Give a job each time it has come on, and at last as it ended (`Job.state`, `Job.error`).

        Raises:
            NotFoundError: the server knows it no more.
        """
        watch = Watch(job_id, self._retrying)
        while not watch.ended:
            try:
                with self._sent(watch.request) as response:
                    if response.is_success:
                        for piece in response.iter_raw():
                            yield from watch.feed(piece)
                            if watch.ended:
                                break
                    pause = watch.closed() if response.is_success else watch.refused(self._collected(response))
            except httpx2.TransportError as error:
                pause = watch.broken(failed(error, self._address))
            time.sleep(pause)

    def run(self, operation: Operation[T]) -> T:
        """Carry an operation of `calls` out."""
        answer: Answer | Job | None = None
        while True:
            try:
                step = operation.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = self._exchange(step) if isinstance(step, Request) else self._ended(step.job)

    def walk(self, walk: Walk[T]) -> Iterator[T]:
        """Give what a walk of `calls` leads to, one by one."""
        request = walk.first
        while request is not None:
            page = walk.read(self._exchange(request))
            yield from page.items
            request = page.following

    def _exchange(self, request: Request) -> Answer:
        """Send a request until its answer stands."""
        attempts = Attempts(request, self._retrying)
        while True:
            try:
                with self._sent(request) as response:
                    answer = self._collected(response, request.seconds)
            except httpx2.TransportError as error:
                pause: float | None = attempts.after_failure(failed(error, self._address))
            else:
                pause = attempts.after_answer(answer)
                if pause is None:
                    return answer
            time.sleep(pause or 0.0)

    def _sent(self, request: Request) -> AbstractContextManager[httpx2.Response]:
        timeout = timeout_of(max(self._timeout, request.seconds))
        return self._http.stream(**sent_as(request, self._address), timeout=timeout)

    def _collected(self, response: httpx2.Response, seconds: float = 0.0) -> Answer:
        collected = Collected(self._answer_bytes, max(self._timeout, seconds))
        for piece in response.iter_raw():
            collected.add(piece)
        return collected.answer(response)

    def _ended(self, job_id: str) -> Job:
        *_, last = self.follow(job_id)
        return last


class RemoteCollection:
    """A collection on a server, asked as an `index.Collection` is."""

    def __init__(self, client: Client, name: str) -> None:
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

    def add(self, documents: Iterable[Document], *, wait: Wait = "durable") -> Stored:
        """Store documents, replacing those of the same id.

        Args:
            documents: in any number.
            wait: ``durable``: return when they survive a power cut; ``searchable``: when they are found, too.

        Raises:
            Lfm2ColbertError: none could be stored; where some could, `Stored.failed` lists the others.
        """
        return calls.require_some(self.add_stream(documents, wait=wait))

    def add_stream(
        self,
        documents: Iterable[Document],
        *,
        wait: Wait = "durable",
        on_stored: Callable[[Stored], None] = ignore,
    ) -> Stored:
        """Store documents as they come, one that cannot be stored keeping no other from it.

        Nothing is read ahead of what the server has stored, and what is lost on the way is sent again.

        Args:
            documents: in any number, more than memory holds.
            wait: as in `add`.
            on_stored: told what became of the documents so far, after each thousand or four megabytes.
        """
        stored = Stored()
        for part in parts(documents):
            stored += self.client.run(calls.put(self.name, part))
            on_stored(stored)
        return self.client.run(calls.stored_at_last(stored, wait))
