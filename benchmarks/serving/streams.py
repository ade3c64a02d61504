"""A stream of documents far larger than what a server may hold: it must be stored as it comes."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from benchmarks.serving.process import resident_bytes
from benchmarks.serving.server import LINES, Asking, serving_process

GROWTH_BYTES = 512 * 1024 * 1024
TEXT = "Der Hund schläft unter dem großen Baum, 東京は日本の首都です。 " * 150
"""Some 10 KiB."""
LINES_PER_PIECE = 32


@dataclass(slots=True)
class Streamed:
    """What came of a stream."""

    n_bytes: int = 0
    documents: int = 0
    seconds: float = 0.0
    grown_bytes: int = 0
    violations: list[str] = field(default_factory=list)


def stream(n_bytes: int) -> Streamed:
    """Send so many bytes of documents in one request."""
    found = Streamed()
    with TemporaryDirectory() as folder, serving_process(Path(folder), "--quiet") as (process, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        ask.put("pets", {"id": "first", "text": "warm"})
        watch = _Watch(process.pid)
        started = time.perf_counter()
        with watch:
            status, answer = _send(ask, _pieces(n_bytes, found))
        found.seconds = round(time.perf_counter() - started, 1)
        found.grown_bytes = watch.grown
        if status != 200 or answer["added"] != found.documents:
            found.violations.append(f"{status}: {answer}, of {found.documents} documents")
        stored = ask("GET", "/v1/collections/pets").json["documents"]
        if stored != found.documents + 1:
            found.violations.append(f"{stored} documents are stored, not {found.documents + 1}")
    found.violations += [f"memory grew by {found.grown_bytes} bytes"] if found.grown_bytes > GROWTH_BYTES else []
    return found


def _pieces(n_bytes: int, found: Streamed) -> Iterator[bytes]:
    while found.n_bytes < n_bytes:
        lines = []
        for _ in range(LINES_PER_PIECE):
            lines.append(json.dumps({"id": f"d{found.documents}", "text": f"{found.documents} {TEXT}"}))
            found.documents += 1
        piece = "\n".join(lines).encode() + b"\n"
        found.n_bytes += len(piece)
        yield piece


def _send(ask: Asking, pieces: Iterator[bytes]) -> tuple[int, dict[str, int]]:
    place = urlsplit(ask.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=600)
    connection.request("POST", "/v1/collections/pets/documents", pieces, LINES, encode_chunked=True)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


class _Watch:
    """Looks at a process's memory ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid, self._before, self.grown = pid, resident_bytes(pid), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self.grown = max(self.grown, resident_bytes(self._pid) - self._before)
