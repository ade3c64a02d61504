"""The client of the HTTP API: what a server gives is what its collection gives; what a bad wire does to it."""

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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.server import serving_process
from index import Collection, Document, SearchOptions, SearchResult, rerank
from lfm2_colbert import load_encoder
from lfm2_colbert.errors import (
    AlreadyExistsError,
    EmptyDocumentError,
    InvalidArgumentError,
    InvalidFilterError,
    Lfm2ColbertError,
    NotFoundError,
    OverloadedError,
    QueryTooLongError,
    RemoteError,
)
from service.client import AsyncClient, Client, calls
from service.client.address import Address
from service.client.exchange import Answer, Operation, Request
from service.client.problems import error_of_code
from service.client.retrying import Attempts, Failed, Retrying, Stage
from service.engine.jobs import JobState
from service.keys import Keyring, Role

TEXTS = {
    "de/Urlaub 100 %.md": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.",
    "ar/عطلة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
    "ja/休暇%2F1.txt": "新入社員は初年度に二十四日の休暇を取得できます。",
    "ko/휴가?a=b#c": "신입 사원은 첫 해에 24일의 휴가를 받습니다.",
    "zh/假期/": "新员工第一年有二十四天假期。",
    "th/วันหยุด": "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก",
    "emoji/🐈‍⬛": "Die Katze 🐈‍⬛ schläft im Café, wo e\u0301 steht.",
    "..": "Zwei Punkte und 24 Tage Urlaub.",
    ".": "Ein Punkt.",
    "a/../b//c": "Der Weg hinauf, und Urlaub.",
}
DOCUMENTS = [
    Document(
        key, text, {"folder": key.split("/")[0], "year": 2020 + n, "names": ["ä", "京"], "deep": {"x": [1.5, None]}}
    )
    for n, (key, text) in enumerate(TEXTS.items())
]
QUERIES = ["wie viele Urlaubstage", "休暇は何日ですか", "الإجازة", "휴가를", "假期", "วันหยุด", "🐈‍⬛", 'a" OR "b']
QUICK = Retrying(first_seconds=0.01)


@dataclass(frozen=True)
class Served:
    """A server and the home that it serves."""

    url: str
    home: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    with serving_process(home, "--quiet") as (_, ask):
        with Client(ask.url) as client:
            client.create("pets")
            client.collection("pets").add(DOCUMENTS, wait="searchable")
        yield Served(ask.url, home)


@pytest.fixture
def client(server: Served) -> Iterator[Client]:
    with Client(server.url) as opened:
        yield opened


@pytest.fixture
def local(server: Served) -> Iterator[Collection]:
    with Collection.open("pets", home=server.home) as opened:
        yield opened


def bare(result: SearchResult) -> SearchResult:
    """Leave out how long it took, and the cursor, which names the reader of a server that gave it."""
    return replace(result, timings_ms={}, cursor=None)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"k": 2, "mode": "semantic", "effort": "exact"},
        {"mode": "lexical", "where": 'year >= 2021 and folder in ("ja", "ko", "emoji")'},
        {"fusion": "rrf", "where": {"type": "gte", "key": "year", "value": 2022}, "highlight": False},
        {"options": SearchOptions(group_by="folder", per_group=2, collapse=0.9, lang_balance=True)},
    ],
    ids=["default", "exact", "lexical", "rrf", "grouped"],
)
def test_a_search_gives_what_the_collection_gives(
    client: Client, local: Collection, query: str, asked: dict[str, Any]
) -> None:
    there, here = client.collection("pets").search(query, **asked), local.search(query, **asked)
    assert bare(there) == bare(here)
    assert there.timings_ms.keys() == here.timings_ms.keys()


def test_pages_lead_through_the_same_hits(client: Client, local: Collection) -> None:
    def walked(search: Callable[..., SearchResult]) -> list[str]:
        found, cursor = [], None
        while True:
            page = search("Urlaub 24", k=3, options=SearchOptions(cursor=cursor))
            found += [hit.document_id for hit in page]
            cursor = page.cursor
            if cursor is None:
                return found

    there = walked(client.collection("pets").search)
    assert there == walked(local.search)
    assert sorted(there) == sorted(TEXTS)


def test_many_searches_come_in_their_order(client: Client, local: Collection) -> None:
    queries = [f"{query} {n}" for n in range(9) for query in QUERIES]
    asked = {"k": 3, "highlight": True, "fusion": "rrf"}
    there = [bare(each) for each in client.collection("pets").search_many(queries, **asked)]
    assert there == [bare(each) for each in local.search_batch(queries, **asked)]
    assert there[:8] == [bare(local.search(query, **asked)) for query in queries[:8]]
    assert list(client.collection("pets").search_many([])) == []


def test_facets_status_and_documents_are_those_of_the_collection(
    client: Client, local: Collection, server: Served
) -> None:
    pets = client.collection("pets")
    assert pets.facets("folder", where="year > 2021", limit=3) == local.facets("folder", where="year > 2021", limit=3)
    counts, status = local.counts(), pets.status()
    assert (status["documents"], status["languages"]) == (counts.documents, counts.languages)
    found = list(pets.documents(page=3))
    assert [(each.id, each.text, each.metadata) for each in found] == [
        (each.id, each.text, each.metadata) for each in local.documents()
    ]
    assert {each.text for each in pets.documents(text=False)} == {""}
    assert "pets" in [summary.name for summary in client.collections()]


def test_every_id_leads_to_its_document(client: Client) -> None:
    client.create("ids")
    ids = client.collection("ids")
    assert ids.add(DOCUMENTS).added == len(DOCUMENTS)
    for document in DOCUMENTS:
        found = ids.get(document.id)
        assert found is not None
        assert (found.id, found.text, found.metadata) == (document.id, document.text, document.metadata)
    assert [ids.delete(document.id) for document in DOCUMENTS] == [True] * len(DOCUMENTS)
    assert list(ids.documents()) == []
    assert (ids.get(".."), ids.delete("..")) == (None, False)
    client.remove("ids")
    assert "ids" not in [summary.name for summary in client.collections()]


def test_an_id_is_found_however_it_is_spelled(client: Client) -> None:
    client.create("spelled")
    spelled = client.collection("spelled")
    apart, composed = "Cafe\u0301/가.md", "Café/가.md"
    assert spelled.add([Document(apart, "a"), Document(composed, "b")]).changed == 1
    assert [each.id for each in spelled.documents()] == [composed]
    assert [each and each.text for each in map(spelled.get, (apart, composed))] == ["b", "b"]
    assert (spelled.delete(apart), spelled.get(composed)) == (True, None)


def test_token_vectors_are_the_encoders(client: Client) -> None:
    encoder, texts = load_encoder("hashing"), list(TEXTS.values()) * 5
    there, here = client.embed(texts), encoder.encode_documents(texts)
    assert np.array_equal(there.offsets, here.offsets)
    assert np.array_equal(there.vectors, here.vectors.astype(np.float32))
    assert np.array_equal(client.embed(["Hund"], kind="query").vectors, encoder.encode_queries(["Hund"]).vectors)


def test_texts_are_ranked_as_here(client: Client) -> None:
    texts = [*TEXTS.values(), ""]
    assert client.rerank("24 Urlaubstage", texts) == rerank("24 Urlaubstage", texts, load_encoder("hashing"))
    assert [each.index for each in client.rerank("猫 🐈‍⬛", texts, top_n=1)] == [6]


def test_a_source_is_read_no_faster_than_the_server_stores(client: Client) -> None:
    client.create("many")
    many = client.collection("many")
    n_read, seen = 0, []

    def source() -> Iterator[Document]:
        nonlocal n_read
        for n_read in range(1, 2501):
            yield Document(f"東京/{n_read}", f"Zeile {n_read} 🐈" if n_read % 500 else " ", {"n": n_read})

    stored = many.add_stream(source(), wait="searchable", on_stored=lambda so_far: seen.append((n_read, len(so_far))))
    assert [read - told for read, told in seen] == [2, 4, 5]  # what was read is stored, but for the empty ones
    assert [read for read, _ in seen] == [1000, 2000, 2500]
    assert (stored.added, len(stored)) == (2495, 2495)
    assert [(each.path, each.code) for each in stored.failed] == [
        (f"東京/{n}", "empty_document") for n in range(500, 2501, 500)
    ]
    assert many.search("Zeile 2499", k=1, mode="lexical").hits[0].document_id == "東京/2499"
    assert many.status()["pending"] == 0


def test_storing_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    with ExitStack() as servers:
        first, ask = servers.enter_context(serving_process(tmp_path, "--quiet"))
        port = ask.url.rpartition(":")[2]

        def source() -> Iterator[Document]:
            for n in range(1500):
                if n == 1200:  # a thousand are acknowledged
                    first.kill()
                    first.wait()
                    servers.enter_context(serving_process(tmp_path, "--quiet", "--port", port))
                yield Document(f"{n}", f"Zeile {n} 東京")

        with Client(ask.url, retrying=Retrying(retries=6)) as client:
            client.create("killed")
            stored = client.collection("killed").add_stream(source(), wait="searchable")
            status = client.collection("killed").status()
    assert (len(stored), stored.failed) == (1500, ())
    assert (status["documents"], status["passages"], status["pending"]) == (1500, 1500, 0)


def test_what_can_be_stored_nowhere_spoils_nothing(client: Client) -> None:
    client.create("bad")
    bad = client.collection("bad")
    bad_ones = [
        Document("nan", "a", {"x": float("nan")}), Document("half", "a \ud83d"), Document("", "a"),
        Document("key", "a", {1: "a"}),  # type: ignore[dict-item]
        Document("deep", "a", {"a": {"b": {"c": {"d": {"e": 1}}}}}),
    ]  # fmt: skip
    stored = bad.add([*bad_ones, Document("good", "gut")])
    assert stored.added == 1
    assert {each.path for each in stored.failed} == {each.id for each in bad_ones}
    assert {each.code for each in stored.failed} == {"invalid_argument", "invalid_metadata"}
    with pytest.raises(EmptyDocumentError, match="'x'"):
        bad.add([Document("x", "\u3000")])


def test_a_job_is_followed_to_its_end(client: Client) -> None:
    job_id = client.collection("pets").optimize()
    *_, last = client.follow(job_id)
    assert (last.state, last.kind, last.collection) == (JobState.DONE, "optimize", "pets")
    assert last == client.job(job_id)
    assert last.result is not None
    assert last.result["segments_after"] == 1


MISTAKES: Sequence[tuple[Callable[[], Operation[Any]], type[Lfm2ColbertError], int]] = [
    (lambda: calls.status("none"), NotFoundError, 2),
    (lambda: calls.get("none", "x"), NotFoundError, 2),
    (lambda: calls.delete("none", "x"), NotFoundError, 2),
    (lambda: calls.job("none"), NotFoundError, 2),
    (lambda: calls.create("pets"), AlreadyExistsError, 2),
    (lambda: calls.create("UPPER"), InvalidArgumentError, 2),
    (lambda: calls.search("pets", "a", k=0), InvalidArgumentError, 2),
    (lambda: calls.search("pets", " "), InvalidArgumentError, 2),
    (lambda: calls.search("pets", "猫" * 8193), QueryTooLongError, 2),
    (lambda: calls.rerank("猫" * 8193, ["a"]), QueryTooLongError, 2),
    (lambda: calls.search("pets", "a", where="year ="), InvalidFilterError, 2),
    (lambda: calls.search("pets", "a", options=SearchOptions(cursor="0.x")), InvalidArgumentError, 2),
    (lambda: calls.facets("pets", "nofield"), InvalidFilterError, 2),
]


@pytest.mark.parametrize("n", range(len(MISTAKES)))
def test_a_mistake_raises_what_it_raises_here(client: Client, n: int) -> None:
    operation, kind, status = MISTAKES[n]
    with pytest.raises(kind) as raised:
        client.run(operation())
    assert type(raised.value) is kind
    assert raised.value.exit_status == status
    assert raised.value.help
    assert len(raised.value.request_id) > 8


def test_keys_are_asked_for_and_shown_nowhere(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    _, token = keyring.create("reader", Role.READ, ("pets",))
    keyring.close()
    with serving_process(tmp_path, "--quiet") as (_, ask):
        for key in (None, "lfm2-wrong"):
            with Client(ask.url, key) as client, pytest.raises(RemoteError) as raised:
                client.collections()
            assert (raised.value.code, raised.value.exit_status) == ("unauthenticated", 6)
        with Client(ask.url, token) as client:
            assert client.collections() == []
            with pytest.raises(RemoteError) as raised:
                client.create("pets")
            assert raised.value.code == "forbidden"
    assert token not in f"{raised.value!r} {Address.of(ask.url, token)!r}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "pets",
        "ftp://a",
        "http://",
        "http://a:b@c",
        "http://a/?key=1",
        "http://a#b",
        "http://a:99999",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Client(url)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nhost: b", "schlüssel"])
def test_what_is_no_key_is_refused_before_anything_is_sent(key: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        Client("http://127.0.0.1:1", key)
    assert not key or key not in str(raised.value)


def test_awaiting_gives_the_same(server: Served, client: Client) -> None:
    async def source() -> AsyncIterator[Document]:
        for document in DOCUMENTS:
            await asyncio.sleep(0)
            yield document

    async def asked() -> list[Any]:
        async with AsyncClient(server.url) as there:
            pets = there.collection("pets")
            await there.create("awaited")
            added = await there.collection("awaited").add(source(), wait="searchable")
            await there.remove("awaited")
            with pytest.raises(NotFoundError):
                await there.collection("awaited").get("x")
            job = await pets.optimize()
            states = [each.state async for each in there.follow(job)]
            return [
                (len(added), added.failed, states[-1]),
                bare(await pets.search(QUERIES[0])),
                [bare(each) async for each in pets.search_many(QUERIES * 5, k=2)],
                [each async for each in pets.documents(page=4)],
                await pets.get(".."),
                await pets.facets("folder"),
                [summary.name for summary in await there.collections() if summary.name == "pets"],
                await there.rerank("Urlaub", list(TEXTS.values())),
                (await there.embed(["東京"])).vectors.tolist(),
            ]

    pets = client.collection("pets")
    assert asyncio.run(asked()) == [
        (len(DOCUMENTS), (), JobState.DONE),
        bare(pets.search(QUERIES[0])),
        [bare(each) for each in pets.search_many(QUERIES * 5, k=2)],
        list(pets.documents(page=4)),
        pets.get(".."),
        pets.facets("folder"),
        ["pets"],
        client.rerank("Urlaub", list(TEXTS.values())),
        client.embed(["東京"]).vectors.tolist(),
    ]


def test_both_clients_can_do_the_same() -> None:
    from service.client import AsyncRemoteCollection, RemoteCollection

    def public(cls: type) -> set[str]:
        return {name for name in dir(cls) if not name.startswith("_")} - {"close", "aclose"}

    assert public(Client) == public(AsyncClient)
    assert public(RemoteCollection) == public(AsyncRemoteCollection)
    for cls in (Client, AsyncClient, RemoteCollection, AsyncRemoteCollection):
        assert all(getattr(cls, name).__doc__ for name in public(cls))


# --- a bad wire ---

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


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_a_certificate_that_nobody_vouches_for_gets_no_key(carry: Carry, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-addext"]
    made = [*command, "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    presents = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    presents.load_cert_chain(certificate, key)
    with scripted(says(200, PETS), tls=presents) as script:
        with pytest.raises(RemoteError, match=r"no connection.*certificate"):
            carry(script.url, calls.collections(), key="secret", retrying=Retrying(retries=0))
        assert script.asked == []
        trusted = ssl.create_default_context(cafile=certificate)
        assert len(carry(script.url, calls.collections(), key="secret", tls=trusted)) == 1


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
