"""An application asked without a socket: fast enough for a hundred thousand requests, and it shows what is read."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.server import Answer
from service.engine.engine import Engine
from service.http.app import make_app
from service.http.config import ServerConfig
from service.http.guard import Guard
from service.keys import Keyring

Headers = Sequence[tuple[bytes, bytes]]
HOST = (b"host", b"localhost")
JSON_TYPE = (b"content-type", b"application/json")


@dataclass(slots=True)
class Inside:
    """Asks an application of this process.

    Attributes:
        app: the guard and all behind it.
        engine: what it does the work with.
        keyring: its keys.
        read: bytes of bodies that were asked for, all requests together.
    """

    app: Guard
    engine: Engine
    keyring: Keyring
    read: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __call__(self, method: str, path: str, body: bytes = b"", headers: Headers = (), query: bytes = b"") -> Answer:
        """Ask; `path` is decoded already, as a server does it."""
        return self._loop.run_until_complete(self.ask(method, path, body, headers, query))

    async def ask(self, method: str, path: str, body: bytes, headers: Headers, query: bytes = b"") -> Answer:
        """Ask within an event loop."""
        sent: list[Mapping[str, Any]] = []
        waiting = [body]

        async def receive() -> dict[str, Any]:
            if waiting:
                self.read += len(waiting[-1])
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        named = {name for name, _ in headers}
        length = ((b"content-length", str(len(body)).encode()),) if body and b"content-length" not in named else ()
        await self.app(_scope(method, path, (*headers, *length), query), receive, send)
        answered = {bytes(name).decode(): bytes(value).decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:]))

    def json(self, method: str, path: str, value: Any, headers: Headers = ()) -> Answer:
        """Ask with a JSON body."""
        return self(method, path, json.dumps(value).encode(), (HOST, JSON_TYPE, *headers))


def _scope(method: str, path: str, headers: Headers, query: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765),
        "state": {},
    }


@contextmanager
def inside(home: Path, config: ServerConfig | None = None) -> Iterator[Inside]:
    """Put an application together over a home, with the hashing encoder."""
    engine, keyring = Engine(home, "hashing", readers=2), Keyring(home)
    asking = Inside(make_app(engine, keyring, config or ServerConfig()), engine, keyring)
    try:
        yield asking
    finally:
        engine.close()
        asking._loop.close()
