"""What is refused for want of room before it becomes a request looks like every other refusal, and spoils nothing."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.serving.server import Asking, served
from service.engine.engine import Engine
from service.http import shedding
from service.http.config import Limits, ServerConfig

PAGE = "https://docs.example"
LIMITS = Limits(answering=1, waiting=0, head_seconds=0.5, refusal_delay_seconds=0.1)
FACETS = "/v1/collections/pets/facets"
BODY = b'{"field": "lang"}'


@dataclass(frozen=True, slots=True)
class Answer:
    """What came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection that sends bytes and reads answers."""

    def __init__(self, ask: Asking) -> None:
        place = urlsplit(ask.url)
        self.socket = socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=10)
        self._read = self.socket.makefile("rb")

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def answer(self) -> Answer | None:
        """Give the next answer; None where the connection ends instead."""
        line = self._read.readline()
        if not line:
            return None
        headers = {}
        while (header := self._read.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name.lower()] = value
        return Answer(int(line.split()[1]), headers, self._read.read(int(headers["content-length"])))

    def close(self) -> None:
        self._read.close()
        self.socket.close()


@pytest.fixture
def wire(full: Asking) -> Iterator[Wire]:
    opened = Wire(full)
    yield opened
    opened.close()


@pytest.fixture
def room() -> threading.Event:
    """Set: what is being answered ends."""
    return threading.Event()


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: threading.Event) -> Iterator[Asking]:
    """A server that has no room until `room` is set."""
    begun, facets = threading.Event(), Engine.facets

    async def slowly(*asked: object) -> object:
        begun.set()
        await asyncio.to_thread(room.wait, 30)
        return await facets(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "facets", slowly)
    with served(tmp_path, ServerConfig(port=0, limits=LIMITS, allowed_origins=(PAGE,))) as ask:
        ask("POST", "/v1/collections", {"name": "pets"})
        with asking_beside(ask):
            assert begun.wait(10)
            yield ask
            room.set()


@contextmanager
def asking_beside(ask: Asking) -> Iterator[None]:
    thread = threading.Thread(target=lambda: ask("POST", FACETS, json.loads(BODY)))
    thread.start()
    try:
        yield
    finally:
        thread.join()


def request(path: str = FACETS, body: bytes = BODY, *headers: str, method: str = "POST", length: int = -1) -> bytes:
    own = "".join(f"{header}\r\n" for header in headers)
    announced = len(body) if length < 0 else length
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{own}"
    return f"{head}content-length: {announced}\r\n\r\n".encode() + body


def answered(wire: Wire) -> Answer:
    wire.send(request())
    answer = wire.answer()
    assert answer is not None
    return answer


def refused(answer: Answer | None) -> Answer:
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "overloaded")
    return answer


def test_it_looks_like_what_the_guard_answers(wire: Wire) -> None:
    wire.send(request())
    early = refused(wire.answer())
    wire.send(request(FACETS, BODY, f"origin: {PAGE}"))  # which the guard alone understands
    late = refused(wire.answer())
    assert late.headers["access-control-allow-origin"] == PAGE
    kept = set(late.headers) - {"access-control-allow-origin", "vary"}
    fixed = kept - {"x-request-id", "date"}
    assert {name: early.headers[name] for name in fixed} == {name: late.headers[name] for name in fixed}
    assert set(early.headers) == kept
    said, also = json.loads(early.body), json.loads(late.body)
    assert said.pop("request_id") == early.headers["x-request-id"] != also.pop("request_id")
    assert said == also


def test_the_connection_serves_on(wire: Wire, room: threading.Event) -> None:
    for _ in range(3):
        wire.send(request())
        assert "connection" not in refused(wire.answer()).headers
    wire.send(request("/livez", b"", method="GET"))
    answer = wire.answer()
    assert answer is not None
    assert answer.status == 200
    room.set()
    for _ in range(100):
        answer = answered(wire)
        if answer.status == 200:
            return
        refused(answer)
    pytest.fail("there was never room again")


def test_what_needs_no_room_is_answered(full: Asking) -> None:
    assert full("GET", "/livez").status == 200
    assert full("GET", "/v1/collections/pets").json["collection"] == "pets"
    assert full("POST", "/v1/nothing", {}).code == "not_found"
    assert full("POST", "/v1/collections/pets", {}).code == "method_not_allowed"


def test_it_is_counted(full: Asking, wire: Wire) -> None:
    wire.send(request())
    refused(wire.answer())
    exposed = full("GET", "/metrics").body.decode()
    assert 'lfm2_colbert_errors_total{code="overloaded"} 1.0' in exposed
    counted = 'lfm2_colbert_request_seconds_count{route="/v1/collections/{name}/facets",status="503"} 1.0'
    assert counted in exposed


def test_the_log_has_the_id_of_each_within_a_second(
    wire: Wire, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shedding, "TOLD_AT_ONCE", 2)
    with caplog.at_level(logging.INFO, "lfm2_colbert.http"):
        named = [answered(wire).headers["x-request-id"] for _ in range(3)]
        deadline = time.monotonic() + 30
        while len(lines := [each for each in caplog.records if hasattr(each, "requests")]) < 2:
            assert time.monotonic() < deadline, "the last one is not told"
            time.sleep(0.05)
    assert [(each.requests, each.request_ids) for each in lines] == [(2, " ".join(named[:2])), (1, named[2])]
    assert {(each.route, each.status, each.code) for each in lines} == {
        ("/v1/collections/{name}/facets", 503, "overloaded")
    }


def test_what_was_sent_before_the_refusal_ends_with_it(wire: Wire) -> None:
    wire.send(request() + request("/livez", b"", method="GET") + request())
    assert refused(wire.answer()).headers["connection"] == "close"
    assert wire.answer() is None


def test_who_wants_the_connection_closed_gets_that(wire: Wire) -> None:
    wire.send(request(FACETS, BODY, "connection: close"))
    assert refused(wire.answer()).headers["connection"] == "close"
    assert wire.answer() is None


def test_a_body_comes_in_pieces_or_in_the_time_of_a_head(wire: Wire, full: Asking) -> None:
    whole = request()
    for piece in (whole[:20], whole[20:-5], whole[-5:]):
        wire.send(piece)
        time.sleep(0.1)
    refused(wire.answer())
    wire.send(request(length=100))
    late = wire.answer()
    assert late is not None
    assert (late.status, json.loads(late.body)["code"]) == (408, "request_timeout")
    assert wire.answer() is None
    assert full("GET", "/livez").status == 200


def test_a_client_that_waits_for_a_word_before_its_body_gets_it(wire: Wire) -> None:
    wire.send(request(FACETS, b"", "expect: 100-continue", length=len(BODY)))
    refused(wire.answer())


def test_a_body_of_unknown_length_ends_the_connection(wire: Wire) -> None:
    head = f"POST {FACETS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    wire.send(f"{head}transfer-encoding: chunked\r\n\r\n".encode() + b"11\r\n" + BODY + b"\r\n0\r\n\r\n")
    assert refused(wire.answer()).headers["connection"] == "close"


def test_heads_that_are_wrong_are_told_so_by_the_guard(wire: Wire) -> None:
    wire.send(request(FACETS, BODY, f"origin: {PAGE}", f"origin: {PAGE}"))
    answer = wire.answer()
    assert answer is not None
    assert json.loads(answer.body)["code"] == "repeated_header"
    wire.send(request(FACETS, b"", length=10**20))
    answer = wire.answer()
    assert answer is not None
    assert (answer.status, json.loads(answer.body)["code"]) in {(400, "invalid_length"), (400, "invalid_http")}


def test_an_old_client_is_not_kept_waiting(wire: Wire) -> None:
    wire.send(request(FACETS, BODY, "connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert refused(wire.answer()).headers["connection"] == "close"
    assert wire.answer() is None


def test_a_long_body_ends_the_connection_unread(wire: Wire) -> None:
    wire.send(request(FACETS, b"", length=100_000))
    assert refused(wire.answer()).headers["connection"] == "close"
    assert wire.answer() is None
