"""Clients that take their time: heads and bodies that trickle in, answers nobody reads, more sockets than descriptors.

They run in this process, the server in another. A server passes where the slow are let go in the time that was promised
and the quick hardly notice them.
"""

import asyncio
import resource
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from benchmarks.serving.server import Asking, serving_process

HEAD_SECONDS, BODY_SECONDS = 10.0, 10.0
"""`service.http.config.Limits`."""
GRACE_SECONDS = 3.0
PROBE_SECONDS = 0.1
LONG_TEXT = "Der Hund schläft. " * 20_000
DESCRIPTORS = 256
LOG_LINES = 1000

Open = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Waited:
    """What came of slow clients.

    Attributes:
        clients: how many there were.
        left: connections still open when none may be.
        probe_ms: median time of a healthy request before them, and among them.
        violations: what was wrong.
    """

    clients: int = 0
    left: int = 0
    probe_ms: tuple[float, float] = (0.0, 0.0)
    violations: list[str] = field(default_factory=list)


def wait_for(n_heads: int, n_bodies: int, n_deaf: int) -> Waited:
    """Let so many clients of each kind be slow at once."""
    _raise_descriptors(n_heads + n_bodies + n_deaf + 200)
    with TemporaryDirectory() as folder, serving_process(Path(folder)) as (process, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        ask.put("pets", {"id": "long", "text": LONG_TEXT})
        found = asyncio.run(_wait(ask, n_heads, n_bodies, n_deaf))
        if process.poll() is not None:
            found.violations.append("the server ended")
    return found


async def _wait(ask: Asking, n_heads: int, n_bodies: int, n_deaf: int) -> Waited:
    found = Waited(n_heads + n_bodies + n_deaf)
    place = urlsplit(ask.url)
    host, port = str(place.hostname), int(place.port or 0)
    quiet = await _probe(host, port, 20)
    heads = await _opened(host, port, n_heads, lambda writer: _trickle(writer, b"GET /livez HTTP/1.1\r\nX-A: "))
    started = time.monotonic()
    bodies = await _opened(host, port, n_bodies, lambda writer: _begin(writer, _slow_body()))
    deaf = await _opened(host, port, n_deaf, lambda writer: _begin(writer, _question() * 8))
    among = await _probe(host, port, 20)
    found.probe_ms = (round(quiet, 2), round(among, 2))
    refused = await asyncio.gather(*(_answer(reader) for reader, _ in bodies))
    other = Counter(answer.decode("latin-1").strip() or "nothing" for answer in refused if b" 408 " not in answer)
    await asyncio.sleep(max(started + HEAD_SECONDS + GRACE_SECONDS - time.monotonic(), 0))
    found.left = sum(not (reader.at_eof() or reader.exception()) for reader, _ in heads)  # closed, or broken off
    found.violations += [f"{found.left} slow heads are still open"] if found.left else []
    found.violations += [f"{n} slow bodies got '{answer}' instead of a refusal" for answer, n in other.items()]
    await asyncio.sleep(max(started + 30 - time.monotonic(), 0) if n_deaf else 0)
    still = await asyncio.gather(*(_is_open(reader, writer) for reader, writer in deaf))
    found.violations += [f"{sum(still)} who never read are still served"] if any(still) else []
    for _, writer in (*heads, *bodies, *deaf):
        writer.close()
    return found


async def _opened(host: str, port: int, n: int, begin: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> list[Open]:
    found = []
    for _ in range(n):
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        await begin(writer)
        found.append((reader, writer))
    return found


async def _begin(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)


async def _trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send what is no whole head, and a byte of it every second from then on."""
    writer.write(data)

    async def drip() -> None:
        while not writer.is_closing():
            await asyncio.sleep(1)
            writer.write(b"a")

    _KEPT.add(asyncio.ensure_future(drip()))


_KEPT: set["asyncio.Future[None]"] = set()


def _slow_body() -> bytes:
    head = "POST /v1/collections/pets/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: 1000\r\n\r\n".encode() + b'{"query": '


def _question() -> bytes:
    """Ask for a page whose answer is longer than what sockets hold."""
    path = "/v1/collections/pets/documents?text=true"
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS + GRACE_SECONDS):
            return await reader.readline()
    except (TimeoutError, OSError):
        return b""


async def _is_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Say whether a connection that was never read from still gives bytes after what its buffers hold."""
    read = 0
    try:
        async with asyncio.timeout(5):
            while piece := await reader.read(1 << 16):
                read += len(piece)
    except (TimeoutError, OSError):
        return False
    return read >= 8 * len(LONG_TEXT)


async def _probe(host: str, port: int, n: int) -> float:
    """Give the median milliseconds of a healthy request."""
    taken = []
    for _ in range(n):
        started = time.perf_counter()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        taken.append(time.perf_counter() - started)
        await asyncio.sleep(PROBE_SECONDS)
    return sorted(taken)[n // 2] * 1000


def exhaust_descriptors(n_sockets: int) -> Waited:
    """Open more sockets than the server has descriptors; it must answer again within five seconds of their end."""
    found = Waited(n_sockets)
    _raise_descriptors(n_sockets + 200)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving_process(Path(folder) / "home", log=log, descriptors=DESCRIPTORS) as (process, ask):
            place = urlsplit(ask.url)
            sockets = _open_sockets(str(place.hostname), int(place.port or 0), n_sockets)
            time.sleep(1)
            for each in sockets:
                each.close()
            found.violations += [] if _answers_within(ask, 5) else ["no answer within five seconds"]
            found.violations += ["the server ended"] if process.poll() is not None else []
        lines = log.read_text().count("\n")
    found.violations += [f"{lines} lines of log"] if lines > LOG_LINES else []
    return found


def _open_sockets(host: str, port: int, n: int) -> list[socket.socket]:
    found = []
    for _ in range(n):
        each = socket.socket()
        each.settimeout(1)
        try:
            each.connect((host, port))
        except OSError:
            each.close()
            continue
        found.append(each)
    return found


def _answers_within(ask: Asking, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ask("GET", "/livez").status == 200:
                return True
        except OSError:
            time.sleep(0.1)
    return False


def _raise_descriptors(n: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(n, hard), hard))
