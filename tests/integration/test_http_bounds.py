"""What a server does to those who are slow, send too much, ask too often, or come when it is busy."""

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.serving.server import LINES, Asking, served
from service.engine.engine import Engine
from service.http.config import Limits, ServerConfig
from service.http.server import bound
from service.keys import Keyring, Role

SHORT = Limits(
    head_seconds=0.5, pause_seconds=0.5, body_seconds=1.5, body_bytes=4096, stream_bytes=100_000, document_bytes=1000,
    answering=1, waiting=1, refusal_delay_seconds=0.1, deadline_seconds=2.0, connections=6,
)  # fmt: skip


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Asking]:
    with served(tmp_path, ServerConfig(port=0, limits=SHORT)) as asking:
        asking("POST", "/v1/collections", {"name": "pets"})
        yield asking


def connected(ask: Asking) -> socket.socket:
    place = urlsplit(ask.url)
    return socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=10)


def answer_to(ask: Asking, *pieces: bytes, pause: float = 0.2) -> bytes:
    """Send pieces with pauses and read until the server closes."""
    with connected(ask) as each:
        for piece in pieces:
            try:
                each.sendall(piece)
            except OSError:
                break
            time.sleep(pause)
        found = b""
        try:
            while piece := each.recv(65536):
                found += piece
        except ConnectionResetError:
            pass
        return found


def head(path: str, length: int, kind: str = "application/json") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n".encode()
    )


async def no_delay_of_an_accepted_socket(listener: socket.socket) -> int:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Accepting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async with await asyncio.get_running_loop().create_server(Accepting, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        try:
            return await accepted
        finally:
            writer.close()
            await writer.wait_closed()


def test_no_answer_waits_for_an_acknowledgement() -> None:
    """By Nagle's algorithm each answer after the first on a connection would wait some 40 ms."""
    with bound(ServerConfig(port=0)) as listener:
        assert asyncio.run(no_delay_of_an_accepted_socket(listener))


def test_a_head_that_trickles_is_cut_off(ask: Asking) -> None:
    started = time.monotonic()
    assert answer_to(ask, b"GET /livez HTTP/1.1\r\n", *[b"x"] * 200) == b""
    assert time.monotonic() - started < 30


def test_the_second_head_of_a_connection_has_its_clock_too(ask: Asking) -> None:
    whole = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
    found = answer_to(ask, whole, b"GET /livez HTTP/1.1\r\n", *[b"x"] * 200)
    assert found.count(b"HTTP/1.1 200") == 1


def test_a_body_that_stops_is_refused(ask: Asking) -> None:
    found = answer_to(ask, head("/v1/collections/pets/search", 100), b'{"query"', pause=0.1)
    assert b"408" in found.split(b"\r\n")[0]
    assert b'"code": "request_timeout"' in found


def test_a_body_that_trickles_is_refused(ask: Asking) -> None:
    found = answer_to(ask, head("/v1/collections/pets/search", 100), *[b" "] * 30)
    assert b'"code": "request_timeout"' in found


def test_a_stream_that_stops_is_refused_and_what_came_is_stored(ask: Asking) -> None:
    lines = b"".join(b'{"id": "d%d", "text": "x"}\n' % n for n in range(256))
    kind = "application/x-ndjson"
    found = answer_to(ask, head("/v1/collections/pets/documents", len(lines) + 100, kind), lines, pause=0.1)
    assert b'"code": "request_timeout"' in found
    assert ask("GET", "/v1/collections/pets").json["documents"] == 256


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/" + "a" * 9000, b"", b"414"),
        ("/livez", b"x: " + b"a" * 40_000 + b"\r\n", b"431"),
        ("/livez", b"\x00\r\n", b"400"),
    ],
    ids=["url", "headers", "no http"],
)
def test_a_head_has_bounds(ask: Asking, path: str, headers: bytes, status: bytes) -> None:
    found = answer_to(ask, f"GET {path} HTTP/1.1\r\nhost: localhost\r\n".encode() + headers + b"\r\n", pause=0)
    assert found.split(b" ")[1] == status
    assert b"application/problem+json" in found


def test_a_body_has_bounds(ask: Asking) -> None:
    found = answer_to(ask, head("/v1/collections/pets/search", 5000), pause=0)
    assert b"413" in found.split(b"\r\n")[0]
    chunked = b"POST /v1/collections/pets/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    found = answer_to(
        ask, chunked + b"transfer-encoding: chunked\r\n\r\n" + (b"400\r\n" + b" " * 1024 + b"\r\n") * 5, pause=0
    )
    assert b"413" in found.split(b"\r\n")[0]


def test_a_stream_has_bounds_and_what_came_before_is_stored(ask: Asking) -> None:
    lines = (b'{"id": "d%d", "text": "%s"}\n' % (n, b"x" * 180) for n in range(600))
    answer = ask("POST", "/v1/collections/pets/documents", lines, LINES)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert ask("GET", "/v1/collections/pets").json["documents"] == 256


def test_a_line_that_is_too_long_spoils_no_other(ask: Asking) -> None:
    lines = b'{"id": "a", "text": "x"}\n{"id": "b", "text": "' + b"x" * 5000 + b'"}\n{"id": "c", "text": "x"}'
    answer = ask("POST", "/v1/collections/pets/documents", lines, LINES).json
    assert (answer["added"], answer["failed"]) == (2, 1)
    assert answer["items"][0]["line"] == 2
    assert answer["items"][0]["error"]["code"] == "document_too_large"


def test_more_connections_than_allowed_are_let_go_and_the_others_served(ask: Asking) -> None:
    opened = [connected(ask) for _ in range(20)]
    time.sleep(0.2)
    for each in opened:
        each.close()
    time.sleep(0.2)
    assert ask("GET", "/livez").status == 200


def test_a_busy_server_tells_the_rest_to_come_back(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    searched = Engine.facets

    async def slowly(*asked: object) -> object:
        import asyncio

        await asyncio.sleep(0.5)
        return await searched(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "facets", slowly)

    def once(_: int) -> tuple[int, str, str]:
        answer = ask("POST", "/v1/collections/pets/facets", {"field": "lang"})
        return answer.status, answer.code, answer.headers.get("retry-after", "")

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(once, range(4)))
    assert found == [(200, "", ""), (200, "", ""), (503, "overloaded", "1"), (503, "overloaded", "1")]


def test_what_takes_too_long_is_broken_off(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*asked: object) -> object:
        import asyncio

        return await asyncio.Event().wait()

    monkeypatch.setattr(Engine, "facets", never)
    answer = ask("POST", "/v1/collections/pets/facets", {"field": "lang"})
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "deadline_exceeded", "1")


def test_a_client_that_goes_is_not_worked_for(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    async def forever(*asked: object) -> object:
        import asyncio

        try:
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append("stopped")
            raise

    monkeypatch.setattr(Engine, "facets", forever)
    body = b'{"field": "lang"}'
    with connected(ask) as each:
        each.sendall(head("/v1/collections/pets/facets", len(body)) + body)
        time.sleep(0.3)
    time.sleep(0.3)
    assert stopped == ["stopped"]


def test_each_key_may_ask_so_often_a_minute(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    tokens = [keyring.create(name, Role.READ)[1] for name in ("one", "two")]
    limits = Limits(requests_per_minute=3)
    with served(tmp_path, ServerConfig(port=0, limits=limits)) as ask:
        asked = [ask.by(tokens[0])("GET", "/v1/collections") for _ in range(4)]
        assert [each.status for each in asked] == [200, 200, 200, 429]
        assert asked[-1].code == "rate_limited"
        assert 1 <= int(asked[-1].headers["retry-after"]) <= 60
        assert ask.by(tokens[1])("GET", "/v1/collections").status == 200
        assert ask("GET", "/livez").status == 200


def test_a_page_may_call_only_from_origins_that_were_named(tmp_path: Path) -> None:
    config = ServerConfig(port=0, allowed_origins=("https://docs.example",), allowed_hosts=("search.example",))
    with served(tmp_path, config) as ask:
        answer = ask("GET", "/v1/collections", headers={"origin": "https://docs.example"})
        assert answer.headers["access-control-allow-origin"] == "https://docs.example"
        for origin in ("https://docs.example.evil", "null", "https://docs.example:444", "HTTPS://docs.example"):
            assert ask("GET", "/v1/collections", headers={"origin": origin}).code == "origin_not_allowed"
        assert ask("GET", "/livez", headers={"host": "search.example:8765"}).status == 200
        for host in ("search.example.evil", "evil", "localhost.", "search.example:x", "[::1]"):
            answer = ask("GET", "/livez", headers={"host": host})
            assert answer.status == (200 if host in ("localhost.", "[::1]") else 400), host


def test_every_answer_has_the_headers_that_keep_browsers_from_guessing(ask: Asking) -> None:
    for path in ("/livez", "/nothing", "/v1/collections"):
        headers = ask("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-request-id"]


def test_checks_come_in_the_agreed_order(tmp_path: Path) -> None:
    """Each request is wrong in all that is checked from its place on; what it is told is the first."""
    keyring = Keyring(tmp_path)
    read = keyring.create("read", Role.READ, ["pets"])[1]
    limits = Limits(requests_per_minute=1, body_bytes=100_000)
    with served(tmp_path, ServerConfig(port=0, limits=limits)) as ask:
        bad = {"host": "evil", "origin": "http://evil", "content-length": str(10**9), "content-type": "text/x"}
        wrong = b"{"

        def code(path: str, **changed: str) -> str:
            sent = {name: value for name, value in {**bad, **changed}.items() if value}
            return ask("POST", path, wrong, sent).code

        search = "/v1/collections/pets/search"
        assert code("/nothing") == "not_found"
        assert code("/v1/collections/pets") == "method_not_allowed"
        assert code(search) == "invalid_host"
        assert code(search, host="localhost") == "origin_not_allowed"
        assert code(search, host="localhost", origin="") == "body_too_large"
        sent = {"host": "localhost", "origin": "", "content-length": ""}
        assert code(f"{search}?key=x", **sent) == "key_in_url"
        assert code(search, **sent) == "unauthenticated"
        sent["authorization"] = f"Bearer {read}"
        assert code("/v1/collections/pets/documents", **sent) == "forbidden"
        assert code("/v1/collections/other/search", **sent) == "not_found"
        assert code(search, **sent) == "unsupported_media_type"  # the one request of this minute
        assert code(search, **sent) == "rate_limited"
