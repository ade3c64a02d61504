"""A server as tests and benchmarks start it, in this process or as a process of its own, and how it is asked."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.engine.engine import Engine
from service.http.config import ServerConfig
from service.http.server import Server
from service.keys import Keyring

JSON = {"content-type": "application/json"}
LINES = {"content-type": "application/x-ndjson"}
MEMBERS = frozenset({"type", "title", "status", "code", "detail", "hint", "request_id"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of a refusal, which must have the agreed shape; "" of anything else."""
        if self.status < 400:
            return ""
        problem = self.json
        agreed = self.headers["content-type"] == "application/problem+json" and problem.keys() >= MEMBERS
        if not agreed or problem["status"] != self.status:
            raise ValueError(f"{self.status} without the agreed shape: {self.body[:200]!r}")
        return str(problem["code"])


@dataclass
class Asking:
    """Asks a server; a connection each time."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request; `body`: bytes as they are, an iterator's in pieces, anything else as JSON."""
        sent = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, bytes | Iterator):
            body, sent = json.dumps(body).encode(), {**JSON, **sent}
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()

    def by(self, token: str) -> "Asking":
        """Ask with a key."""
        return Asking(self.url, {**self.headers, "authorization": f"Bearer {token}"})

    def search(self, collection: str, **asked: Any) -> Answer:
        """Search a collection."""
        return self("POST", f"/v1/collections/{collection}/search", asked)

    def put(self, collection: str, *documents: Mapping[str, Any], wait: str = "searchable") -> Answer:
        """Store documents."""
        path = f"/v1/collections/{collection}/documents?wait={wait}"
        return self("POST", path, {"documents": list(documents)})


@contextmanager
def served(home: Path, config: ServerConfig | None = None, model: str = "hashing") -> Iterator[Asking]:
    """Serve a home from a thread of this process."""
    listening: list[str] = []
    engine = Engine(home, model, readers=2)
    server = Server(engine, Keyring(home), config or ServerConfig(port=0), listening.append)
    thread = threading.Thread(target=server.listen, daemon=True)
    thread.start()
    try:
        _wait_until(lambda: server.started or not thread.is_alive())
        ask = Asking(listening[0])
        _wait_until(lambda: ask("GET", "/readyz").status == 200)
        yield ask
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def serving_process(
    home: Path, *options: str, model: str = "hashing", log: Path | None = None, descriptors: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Asking]]:
    """Serve a home from a process of its own, which is killed at the end if it still lives.

    Args:
        home: where collections live.
        options: of `lfm2-colbert serve`.
        model: encoder of new collections.
        log: file for what it logs.
        descriptors: files and sockets it may have open.
    """
    command = [sys.executable, "-m", "service", "serve", "--home", str(home), "--port", "0", "--model", model, *options]
    limited = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command] if descriptors else command
    with listening(limited, log=log) as (process, ask):
        _wait_until(lambda: _is_ready(ask))
        yield process, ask


@contextmanager
def listening(
    command: Sequence[str], *, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Asking]]:
    """Start a server that prints its address first; it is killed at the end if it still lives.

    Args:
        command: that starts it.
        log: file for its errors.
        environment: its variables; None: those of this process.

    Raises:
        ValueError: it printed something else, or ended.
    """
    with (log or Path(os.devnull)).open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
    try:
        yield process, Asking(_address_in(process.stdout.readline() if process.stdout else b""))
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _address_in(line: bytes) -> str:
    found = re.match(rb"http://\S+", line)
    if found is None:
        raise ValueError(f"the server said {line!r} in place of its address")
    return found[0].decode()


def _is_ready(ask: Asking) -> bool:
    try:
        return ask("GET", "/readyz").status == 200
    except OSError:
        return False


def _wait_until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)
