"""Clients in a process of their own: some that wait for each answer, or so many requests a second whatever happens."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Protocol
from urllib.parse import urlsplit

ANSWER_SECONDS = 30.0
BETWEEN_SENDING = 0.002
"""Seconds; all that is due meanwhile is sent at once, since waking up costs more than a request."""
MOST_CONNECTIONS = 4096
LENGTH = re.compile(rb"content-length: *(\d+)")


class Asked(Protocol):
    """What is asked, one after another; it goes to another process."""

    def __call__(self, number: int) -> tuple[str, Any]:
        """Give the path and the body, as JSON, of a request by its number, from 0."""


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches of a collection.

    Attributes:
        collection: that is searched.
        queries: asked in turn; each gets a number, so that none is the same twice.
        options: of each search.
    """

    collection: str
    queries: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, number: int) -> tuple[str, Any]:
        """Give a search."""
        query = f"{self.queries[number % len(self.queries)]} {number}"
        return f"/v1/collections/{self.collection}/search", {"query": query, "k": 10, **self.options}


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of whom.

    Attributes:
        url: of the server.
        asked: what.
        seconds: how long.
        clients: that each wait for their answer before they ask again; 0: open loop.
        rate: requests a second of an open loop.
        first: number of the first request.
    """

    url: str
    asked: Asked
    seconds: float
    clients: int = 0
    rate: float = 0.0
    first: int = 0


@dataclass(slots=True)
class Answered:
    """When each answer came, seconds since the begin, how long it took in ms, its status; 0 is none.

    `cpu_seconds` is what the clients themselves took of the processors.
    """

    at: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    told_to_wait: int = 0
    cpu_seconds: float = 0.0

    def good(self) -> list[float]:
        """Give the milliseconds of all that were answered."""
        return sorted(ms for ms, status in zip(self.ms, self.status, strict=True) if status == 200)

    def refused(self) -> list[float]:
        """Give the milliseconds of all that were told to come back."""
        return sorted(ms for ms, status in zip(self.ms, self.status, strict=True) if status in (429, 503))


def put_under(load: Load) -> Answered:
    """Run clients in another process; this one, and a server, have their own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, load).result()


def quantile(ordered: Sequence[float], share: float) -> float:
    """Give a quantile of ordered values; 0 of none."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def _run(load: Load) -> Answered:
    return asyncio.run(_Clients(load).run())


class _Clients:
    """Sends what is due and takes the answers in, for little: a server shares these processors."""

    def __init__(self, load: Load) -> None:
        self._load, self.found = load, Answered()
        self._numbers = itertools.count(load.first)
        place = urlsplit(load.url)
        self._host, self._port = place.hostname or "localhost", place.port or 80
        self._free: list[_Connection] = []
        self._waiting: set[_Connection] = set()
        self._asking: set[asyncio.Future[None]] = set()
        self._n_open = 0
        self._begin = time.perf_counter()
        self._over = asyncio.Event()

    async def run(self) -> Answered:
        self._begin = time.perf_counter()
        before = time.process_time()
        await (self._closed_loop() if self._load.clients else self._open_loop())
        self.found.cpu_seconds = time.process_time() - before
        for connection in self._free:
            connection.close()
        return self.found

    async def _closed_loop(self) -> None:
        for _ in range(self._load.clients):
            await self._ask()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), self._load.seconds + ANSWER_SECONDS)
        self._give_up(time.perf_counter())

    async def _open_loop(self) -> None:
        sent, looked = 0, 0.0
        while (now := time.perf_counter() - self._begin) < self._load.seconds:
            while sent < now * self._load.rate:
                await self._ask()
                sent += 1
            if now > looked + 1:
                looked = now
                self._give_up(time.perf_counter() - ANSWER_SECONDS)
            await asyncio.sleep(BETWEEN_SENDING)
        while self._waiting and time.perf_counter() - self._begin < self._load.seconds + ANSWER_SECONDS:
            await asyncio.sleep(BETWEEN_SENDING)
        self._give_up(time.perf_counter())

    async def _ask(self) -> None:
        try:
            connection = self._free.pop() if self._free else await self._connected()
        except OSError:
            self._note(time.perf_counter(), 0)
            if self._load.clients:
                self._go_on()
            return
        self._waiting.add(connection)
        connection.ask(self._request())

    async def _connected(self) -> "_Connection":
        if self._n_open >= MOST_CONNECTIONS:
            raise OSError("no connection is free")
        self._n_open += 1
        try:
            made = asyncio.get_running_loop().create_connection(
                lambda: _Connection(self.answered), self._host, self._port
            )
            return (await made)[1]
        except OSError:
            self._n_open -= 1
            raise

    def answered(self, connection: "_Connection", status: int, *, keeps: bool, waits: bool) -> None:
        """Take in an answer, or 0 where there will be none."""
        if connection not in self._waiting:  # it was closed while nothing was asked
            self._free = [each for each in self._free if each is not connection]
            self._n_open -= 1
            return
        self._waiting.remove(connection)
        self._note(connection.asked_at, status)
        self.found.told_to_wait += waits
        if keeps:
            self._free.append(connection)
        else:
            self._n_open -= 1
            connection.close()
        if self._load.clients:
            self._go_on()

    def _go_on(self) -> None:
        """Ask again for a client that has its answer."""
        if time.perf_counter() - self._begin < self._load.seconds:
            self._asking.add(task := asyncio.ensure_future(self._ask()))
            task.add_done_callback(self._asking.discard)
        elif not self._waiting:
            self._over.set()

    def _give_up(self, before: float) -> None:
        for connection in [each for each in self._waiting if each.asked_at < before]:
            self.answered(connection, 0, keeps=False, waits=False)

    def _note(self, asked_at: float, status: int) -> None:
        now = time.perf_counter()
        self.found.at.append(now - self._begin)
        self.found.ms.append((now - asked_at) * 1000)
        self.found.status.append(status)

    def _request(self) -> bytes:
        path, asked = self._load.asked(next(self._numbers))
        body = json.dumps(asked).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class OnAnswer(Protocol):
    """Told of an answer."""

    def __call__(self, connection: "_Connection", status: int, *, keeps: bool, waits: bool) -> None:
        """Take in its status, whether the connection may be used again, and whether it says when to come back."""


class _Connection(asyncio.Protocol):
    """Asks one thing at a time, and reads no more of an answer than where it ends."""

    def __init__(self, answered: OnAnswer) -> None:
        self._answered = answered
        self._received, self._is_closed = b"", False
        self.asked_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> None:
        """Send a request."""
        assert self._transport is not None
        self._received, self.asked_at = b"", time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Look whether the answer is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        head = head.lower()
        length = LENGTH.search(head)
        if length is None:
            self._answered(self, 0, keeps=False, waits=False)
        elif len(body) >= int(length[1]):
            status = int(head.split(b" ", 2)[1])
            self._answered(self, status, keeps=b"connection: close" not in head, waits=b"retry-after:" in head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that there will be no answer, if one is waited for."""
        if not self._is_closed:
            self._answered(self, 0, keeps=False, waits=False)

    def close(self) -> None:
        """Hang up."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.close()
