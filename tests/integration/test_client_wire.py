"""What a client does when a server is slow, busy, false, or gone: what it asks again, and what it never sends twice."""

import asyncio
import gzip
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from index import Document
from lfm2_colbert.errors import (
    InvalidConfigError,
    InvalidFilterError,
    Lfm2ColbertError,
    OverloadedError,
    RemoteError,
)
from service.backend.remote import Remote
from service.client import AsyncClient, Client, calls
from service.client.exchange import Answer, Operation, Request
from service.client.problems import error_of_code
from service.client.retrying import Attempts, Failed, Retrying, Stage
from service.settings import Settings

QUICK = Retrying(first_seconds=0.01)
Act = Callable[[BaseHTTPRequestHandler], None]
PETS = {"collections": [{"collection": "pets", "documents": 1, "bytes": 2, "encoder": "hashing"}]}


def says(status: int, value: Any = None, **headers: str) -> Act:
    """Answer with JSON, as a problem where it is one."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        kind = "application/problem+json" if status >= 400 and isinstance(value, dict) else "application/json"
        sent = {"content-type": kind, "content-length": str(len(body))}
        handler.send_response(status)
        for name, header in (sent | {name.replace("_", "-"): each for name, each in headers.items()}).items():
            handler.send_header(name, header)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def refuses(status: int, code: str, **headers: str) -> Act:
    return says(
        status, {"code": code, "detail": "No.", "hint": "wait", "request_id": "r1", "status": status}, **headers
    )


def resets(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection off, so that the other end is told."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def resets_later(handler: BaseHTTPRequestHandler) -> None:
    """Give the other end time to read: a reset throws away what it has not read."""
    time.sleep(0.3)
    resets(handler)


def begins(pieces: Sequence[bytes], pause: float, then: Act | None = None, length: int = 10**6) -> Act:
    """Send a body piece by piece that is announced as longer."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(length))
        handler.end_headers()
        handler.close_connection = True
        for piece in pieces:
            try:
                handler.wfile.write(piece)
            except OSError:
                return
            time.sleep(pause)
        if then:
            then(handler)

    return act


@dataclass
class Script:
    """What a server does with one request after the other, and what it was asked; the last act is repeated."""

    acts: Sequence[Act]
    url: str = ""
    asked: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)


@contextmanager
def scripted(*acts: Act, tls: ssl.SSLContext | None = None) -> Iterator[Script]:
    script = Script(acts)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def act(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            named = {name.lower(): value for name, value in self.headers.items()}
            script.asked.append((f"{self.command} {self.path}", body, named))
            script.acts[min(len(script.asked), len(script.acts)) - 1](self)

        do_GET = do_POST = do_DELETE = act

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):  # reset
                pass

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    script.url = f"http{'s' if tls else ''}://127.0.0.1:{listening.server_port}"
    try:
        yield script
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


Carry = Callable[..., Any]


@pytest.fixture(params=["called", "awaited"])
def carry(request: pytest.FixtureRequest) -> Carry:
    """Carry an operation out by either client."""

    def called(url: str, operation: Operation[Any], **options: Any) -> Any:
        with Client(url, **({"retrying": QUICK} | options)) as client:
            return client.run(operation)

    def awaited(url: str, operation: Operation[Any], **options: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(url, **({"retrying": QUICK} | options)) as client:
                return await client.run(operation)

        return asyncio.run(run())

    return called if request.param == "called" else awaited


def test_a_server_that_asks_for_time_gets_it(carry: Carry) -> None:
    with scripted(refuses(503, "overloaded", retry_after="1"), says(200, PETS)) as script:
        started = time.monotonic()
        (found,) = carry(script.url, calls.collections())
        assert time.monotonic() - started >= 1
        assert (found.name, len(script.asked)) == ("pets", 2)


def test_what_was_certainly_not_done_is_asked_again_whatever_it_is(carry: Carry) -> None:
    with scripted(refuses(429, "rate_limited", retry_after="0"), says(202, {"job": "j"})) as script:
        assert carry(script.url, calls.optimize("pets")) == "j"
        assert len(script.asked) == 2


@pytest.mark.parametrize(
    "operation",
    [
        lambda: calls.search("pets", "東京"),
        lambda: calls.facets("pets", "f"),
        lambda: calls.status("pets"),
        lambda: calls.rerank("a", ["b"]),
        lambda: calls.put("pets", full_part()),
    ],
    ids=["search", "facets", "status", "rerank", "add"],
)
def test_what_may_be_repeated_outlives_broken_connections(carry: Carry, operation: Any) -> None:
    with scripted(resets, begins([b"{"], 0, resets), refuses(422, "invalid_filter")) as script:
        with pytest.raises(InvalidFilterError):
            carry(script.url, operation())
        assert len(script.asked) == 3
        assert len({asked[:2] for asked in script.asked}) == 1


@pytest.mark.parametrize(
    "operation",
    [lambda: calls.create("a"), lambda: calls.delete("a", "b"), lambda: calls.remove("a"), lambda: calls.optimize("a")],
    ids=["create", "delete", "remove", "optimize"],
)
def test_what_might_be_done_twice_is_not_sent_twice(carry: Carry, operation: Any) -> None:
    with scripted(resets) as script:
        with pytest.raises(RemoteError, match="broke off") as raised:
            carry(script.url, operation())
        assert (raised.value.exit_status, len(script.asked)) == (6, 1)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (refuses(400, "invalid_json"), "invalid_json"),
        (refuses(401, "unauthenticated"), "unauthenticated"),
        (refuses(404, "not_found"), "not_found"),
        (refuses(409, "index_locked", retry_after="0"), "index_locked"),
        (refuses(500, "internal"), "internal"),
        (refuses(503, "corrupt_data"), "corrupt_data"),
        (refuses(503, "overloaded", retry_after="3600"), "overloaded"),
        (refuses(400, "No code\x1b[2J"), "remote"),
        (says(500, b"<html>"), "remote"),
        (says(302, b"", location="/elsewhere"), "remote"),
        (says(200, b"<html>"), "remote"),
        (says(200, {"collections": [{}]}), "remote"),
        (says(200, gzip.compress(b"{}"), content_encoding="gzip"), "remote"),
        (says(200, PETS | {"more": "x" * 5000}), "remote"),
    ],
)
def test_what_a_server_says_once_is_not_asked_again(carry: Carry, act: Act, code: str) -> None:
    with scripted(act) as script:
        with pytest.raises(Lfm2ColbertError) as raised:
            carry(script.url, calls.collections(), answer_bytes=4000)
        assert (raised.value.code, len(script.asked)) == (code, 1)
        assert raised.value.help


def test_patience_ends(carry: Carry) -> None:
    with scripted(refuses(503, "overloaded", retry_after="0")) as script:
        with pytest.raises(OverloadedError) as raised:
            carry(script.url, calls.collections())
        assert (len(script.asked), raised.value.request_id) == (4, "r1")
    with pytest.raises(RemoteError, match="no connection"):
        carry(script.url, calls.create("a"))  # nobody listens any more


def test_an_answer_that_dribbles_has_no_more_time_than_another(carry: Carry) -> None:
    given_up = threading.Event()
    for act in (begins([b"{"] * 300, 0.1), lambda handler: given_up.wait(30)):
        with scripted(act) as script:
            started = time.monotonic()
            with pytest.raises(RemoteError, match="did not answer"):
                carry(script.url, calls.collections(), timeout=0.5)
            assert time.monotonic() - started < 15  # half of what the server would take
            assert len(script.asked) == 1
            given_up.set()


def test_nothing_of_the_environment_leads_elsewhere(carry: Carry, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with scripted(says(200, PETS)) as script:
        assert len(carry(script.url, calls.collections(), key="secret")) == 1
        _, _, headers = script.asked[0]
    assert (headers["authorization"], headers["accept-encoding"]) == ("Bearer secret", "identity")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that nobody vouches for, and what presents it."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-addext"]
    made = [*command, "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    presents = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    presents.load_cert_chain(certificate, key)
    return certificate, presents


def test_a_certificate_that_nobody_vouches_for_gets_no_key(
    carry: Carry, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    path, presents = certificate
    with scripted(says(200, PETS), tls=presents) as script:
        with pytest.raises(RemoteError, match=r"no connection.*certificate"):
            carry(script.url, calls.collections(), key="secret", retrying=Retrying(retries=0))
        assert script.asked == []
        trusted = ssl.create_default_context(cafile=path)
        assert len(carry(script.url, calls.collections(), key="secret", tls=trusted)) == 1


def test_commands_believe_the_authority_that_is_named(
    certificate: tuple[Path, ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, presents = certificate
    with scripted(says(200, PETS), tls=presents) as script:
        settings = Settings(tmp_path, as_json=False, debug=False, device="cpu", threads=1, url=script.url)
        monkeypatch.setenv("LFM2_COLBERT_CA", str(path))
        assert [each.name for each in Remote(settings).collections()] == ["pets"]
        for wrong in ("nowhere.pem", "no-certificate.pem"):
            (tmp_path / "no-certificate.pem").write_text("-----BEGIN", encoding="utf-8")
            monkeypatch.setenv("LFM2_COLBERT_CA", str(tmp_path / wrong))
            with pytest.raises(InvalidConfigError, match="LFM2_COLBERT_CA"):
                Remote(settings).collections()
        assert len(script.asked) == 1


def job(state: str, done: int) -> bytes:
    value = {
        "job": "j", "kind": "索引", "collection": "pets", "state": state, "progress": {"done": done, "total": 9},
        "result": None, "error": None, "started": 1.0, "ended": None,
    }  # fmt: skip
    return f"event: x\ndata: {json.dumps(value, ensure_ascii=False)}\n\n: still at it\n\n".encode()


@pytest.mark.parametrize("awaited", [False, True], ids=["called", "awaited"])
def test_a_job_is_followed_over_broken_connections(awaited: bool) -> None:
    async def followed(url: str) -> list[float]:
        async with AsyncClient(url, retrying=QUICK) as client:
            return [each.progress["done"] async for each in client.follow("j")]

    told = job("running", 1) + job("running", 2)
    bytewise = [told[n : n + 1] for n in range(len(told))]
    acts = (
        refuses(503, "overloaded", retry_after="0"), begins(bytewise, 0, resets_later), resets,
        begins([job("running", 3)], 0), begins([job("done", 9)], 0),
    )  # fmt: skip
    with scripted(*acts) as script:
        if awaited:
            found = asyncio.run(followed(script.url))
        else:
            with Client(script.url, retrying=QUICK) as client:
                found = [each.progress["done"] for each in client.follow("j")]
        assert found == [1, 2, 3, 9]
        assert len(script.asked) == 5


@pytest.mark.parametrize("act", [refuses(404, "not_found"), begins([b"data: {}\n"], 0), begins([b""], 0)])
def test_a_job_that_cannot_be_followed_is_an_error(act: Act) -> None:
    with scripted(act) as script, Client(script.url, retrying=QUICK) as client, pytest.raises(Lfm2ColbertError):
        list(client.follow("j"))


def test_a_job_that_failed_raises_its_own_error() -> None:
    failed = job("failed", 1).replace(b'"error": null', b'"error": {"code": "storage_failed", "message": "full"}')
    stored = {"added": 1, "changed": 0, "unchanged": 0, "failed": 0, "items": [], "job": "j"}
    with scripted(says(200, stored), begins([failed], 0)) as script, Client(script.url) as client:
        with pytest.raises(Lfm2ColbertError, match="full") as raised:
            client.collection("pets").add([Document("a", "b")], wait="searchable")
    assert (raised.value.code, raised.value.exit_status) == ("storage_failed", 4)


def test_pauses_grow_are_spread_and_bounded() -> None:
    def pauses(random: float, retries: int = 8) -> list[float]:
        retrying = Retrying(retries, 0.5, 10.0, lambda: random)
        attempts = Attempts(Request("GET", "/"), retrying)
        broken = Failed(RemoteError("off"), Stage.SENT)
        return [attempts.after_failure(broken) for _ in range(retries)]

    assert pauses(1.0) == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert pauses(0.0) == [0.0] * 8


@pytest.mark.parametrize(("header", "least", "most"), [("2", 2, 2), ("soon", 0, 0), ("", 0, 0), ("-1", 0, 0)])
def test_retry_after_is_seconds(header: str, least: float, most: float) -> None:
    attempts = Attempts(Request("POST", "/", repeatable=False), Retrying(random=lambda: 0.0))
    pause = attempts.after_answer(Answer(429, {"retry-after": header}, b""))
    assert pause is not None
    assert least <= pause <= most


def test_retry_after_may_be_a_date() -> None:
    from email.utils import formatdate

    attempts = Attempts(Request("GET", "/"), Retrying(random=lambda: 0.0))
    answer = Answer(503, {"retry-after": formatdate(time.time() + 10, usegmt=True)}, b"")
    assert attempts.after_answer(answer) == pytest.approx(9.5, abs=1)


def test_every_code_of_this_program_has_its_class_again() -> None:
    assert type(error_of_code("storage_failed", "x")).__name__ == "StorageError"
    assert (error_of_code("unauthenticated", "x").code, RemoteError.code) == ("unauthenticated", "remote")


def full_part() -> Any:
    from service.client.parts import Part

    part = Part()
    part.add(Document("ü/1", "日本語"))
    return part
