"""The client of the HTTP API: what a server gives is what its collection gives."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
    QueryTooLongError,
    RemoteError,
)
from service.client import AsyncClient, Client, calls
from service.client.address import Address
from service.client.exchange import Operation
from service.client.retrying import Retrying
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
