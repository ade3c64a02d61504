"""Clients in a process of their own: some that wait for each answer, or so many requests a second whatever happens."""

import asyncio
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Protocol
from urllib.parse import urlsplit

ANSWER_SECONDS = 30.0
MOST_CONNECTIONS = 4096


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
    """When each answer came, seconds since the begin, how long it took in ms, its status; 0 is none."""

    at: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    status: list[int] = field(default_factory=list)
    told_to_wait: int = 0

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
    def __init__(self, load: Load) -> None:
        self._load, self._found = load, Answered()
        self._numbers = itertools.count(load.first)
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._n_open = 0
        self._begin = time.perf_counter()

    async def run(self) -> Answered:
        self._begin = time.perf_counter()
        if self._load.clients:
            await asyncio.gather(*(self._client() for _ in range(self._load.clients)))
        else:
            await self._open_loop()
        for _, writer in self._free:
            writer.close()
        return self._found

    def _is_over(self) -> bool:
        return time.perf_counter() - self._begin > self._load.seconds

    async def _client(self) -> None:
        while not self._is_over():
            await self._ask()

    async def _open_loop(self) -> None:
        asking = set()
        for number in itertools.count():
            due = self._begin + number / self._load.rate
            if due - self._begin > self._load.seconds:
                break
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            task = asyncio.ensure_future(self._ask())
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)

    async def _ask(self) -> None:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await self._exchange()
        except (TimeoutError, OSError, EOFError, ValueError):
            status = 0
        now = time.perf_counter()
        self._found.at.append(now - self._begin)
        self._found.ms.append((now - started) * 1000)
        self._found.status.append(status)

    async def _exchange(self) -> int:
        place = urlsplit(self._load.url)
        if self._free:
            reader, writer = self._free.pop()
        elif self._n_open >= MOST_CONNECTIONS:
            raise OSError("no connection is free")
        else:
            self._n_open += 1
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            writer.write(self._request())
            status, keep = await self._answer(reader)
        except BaseException:
            self._n_open -= 1
            writer.close()
            raise
        if keep:
            self._free.append((reader, writer))
        else:
            self._n_open -= 1
            writer.close()
        return status

    def _request(self) -> bytes:
        path, asked = self._load.asked(next(self._numbers))
        body = json.dumps(asked).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, bool]:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines[1:] if line)
        await reader.readexactly(int(headers[b"content-length"]))
        self._found.told_to_wait += b"retry-after" in headers
        return int(lines[0].split()[1]), headers.get(b"connection") != b"close"
