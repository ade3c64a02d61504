"""The official client of the Model Context Protocol against our tools: over HTTP with keys, and over a pipe."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError

from benchmarks.serving.poison import CANARY, VALUES
from benchmarks.serving.server import JSON, Asking, served
from index import Collection, Document
from lfm2_colbert import load_encoder
from service.keys import Keyring, Role
from service.mcp.coded import CodedTool
from service.mcp.tools import FETCHED_CHARACTERS

TEXTS = {
    "de/urlaub.md": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.",
    "ar/عطلة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
    "ja/休暇 1%.txt": "新入社員は初年度に二十四日の休暇を取得できます。",
    "ko/휴가": "신입 사원은 첫 해에 24일의 휴가를 받습니다.",
    "th/วันหยุด": "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก",
    "emoji/🐈‍⬛": "Auf dem Sofa 🐈‍⬛ schnurrt es im Café.",
}
TRUTHS = [
    ("Urlaubstage", "de/urlaub.md"),
    ("الإجازة", "ar/عطلة"),
    ("休暇", "ja/休暇 1%.txt"),
    ("휴가를", "ko/휴가"),
    ("วันหยุดพักร้อน", "th/วันหยุด"),
    ("🐈‍⬛", "emoji/🐈‍⬛"),
]
LONG = "Der Hund 🐕 bellt laut im Garten.\n" * 1500
TOOLS = {"search", "fetch", "list_collections", "explain"}
Use = Callable[[Client], Awaitable[None]]


@dataclass(frozen=True)
class Served:
    """A server of two collections, and keys: one that sees both, one that sees one of them."""

    ask: Asking
    everything: str
    pets_only: str

    def use(self, run: Use, key: str = "", mode: str = "auto") -> None:
        """Do something with a client that is connected over HTTP."""

        async def connected() -> None:
            async with over_http(self.ask.url, key or self.everything, mode) as client:
                await run(client)

        asyncio.run(connected())

    def post(self, message: Any, key: str = "") -> Any:
        headers = {**JSON, "accept": "application/json, text/event-stream"}
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.ask.by(key or self.everything)("POST", "/mcp", body, headers)


@asynccontextmanager
async def over_http(url: str, key: str, mode: str) -> AsyncIterator[Client]:
    async with AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
        async with Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client:
            yield client


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("tools")
    texts = [Document(key, text, {"year": 2020 + n}) for n, (key, text) in enumerate(TEXTS.items())]
    texts.append(Document("long", LONG, {"title": "Hunde", "url": "https://hunde.example/"}))
    for name, documents in (("pets", texts), ("secret", [Document("plan", "Die Katze plant den Umsturz.")])):
        with Collection.open(name, create=True, encoder=load_encoder("hashing"), home=home) as collection:
            collection.add(documents)
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Served]:
    keyring = Keyring(home)
    everything = keyring.create("all", Role.READ)[1]
    pets_only = keyring.create("pets", Role.READ, ["pets"])[1]
    with served(home) as ask:
        yield Served(ask, everything, pets_only)


async def said(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool that succeeds; its text and its structure say the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    (text,) = result.content
    assert json.loads(text.text) == result.structured_content  # type: ignore[union-attr]
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that fails; give what it says."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    (text,) = result.content
    return str(text.text)  # type: ignore[union-attr]


async def tools_are_described(client: Client) -> None:
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert listed.keys() == TOOLS
    for tool in listed.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert "untrusted" in (tool.description or "")
        assert tool.output_schema is not None
        assert "context" not in tool.input_schema["properties"]


async def truths_are_found(client: Client) -> None:
    for query, expected in TRUTHS:
        answer = await said(client, "search", query=query, collection="pets", k=1)
        (found,) = answer["results"]
        assert (found["id"], found["text"]) == (f"pets/{expected}", TEXTS[expected])
        fetched = await said(client, "fetch", id=found["id"])
        assert (fetched["text"], fetched["next_start"]) == (TEXTS[expected], None)
        explained = await said(client, "explain", query=query, id=found["id"])
        pieces = {(match["query"], match["document"]) for match in explained["matches"]}
        assert all(asked == answered and asked in query for asked, answered in pieces)
        assert sum(len(asked) for asked, _ in pieces) >= len(set(query))
        assert all(word in found["text"] for word in explained["words"])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_tools_are_described_to_clients_of_both_generations(server: Served, mode: str) -> None:
    server.use(tools_are_described, mode=mode)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_what_is_found_can_be_read_and_explained(server: Served, mode: str) -> None:
    server.use(truths_are_found, mode=mode)


def test_collections_are_listed_with_the_fields_of_filters(server: Served) -> None:
    async def run(client: Client) -> None:
        listed = await said(client, "list_collections")
        assert listed["more"] == 0
        pets, secret = listed["collections"]
        assert (pets["collection"], pets["documents"], secret["collection"]) == ("pets", len(TEXTS) + 1, "secret")
        assert {field["name"] for field in pets["fields"]} >= {"year", "title"}
        for where in ("year = 2023", {"type": "eq", "key": "year", "value": 2023}):
            found = await said(client, "search", query="Urlaubstage", collection="pets", where=where)
            assert [each["id"] for each in found["results"]] == ["pets/ko/휴가"]

    server.use(run)


def test_a_long_document_is_read_piece_by_piece(server: Served) -> None:
    async def run(client: Client) -> None:
        (found,) = (await said(client, "search", query="Hund Garten", collection="pets", k=1))["results"]
        assert (found["title"], found["url"]) == ("Hunde", "https://hunde.example/")
        assert LONG[found["start"] : found["end"]] == found["text"]
        pieces, start = [], 0
        while start is not None:
            piece = await said(client, "fetch", id=found["id"], start=start)
            assert piece["characters"] == len(LONG)
            pieces.append(piece["text"])
            start = piece["next_start"]
        assert "".join(pieces) == LONG
        assert max(map(len, pieces)) == FETCHED_CHARACTERS
        behind = await said(client, "fetch", id=found["id"], start=len(LONG) + 5)
        assert (behind["text"], behind["next_start"]) == ("", None)

    server.use(run)


def test_a_key_sees_its_collections_only(server: Served) -> None:
    async def run(client: Client) -> None:
        listed = await said(client, "list_collections")
        assert [each["collection"] for each in listed["collections"]] == ["pets"]
        only = await said(client, "search", query="Urlaubstage", collection="", where="")
        assert only["collection"] == "pets"
        hidden = await refused(client, "search", query="Katze", collection="secret")
        assert hidden == await refused(client, "search", query="Katze", collection="nowhere")
        assert hidden == await refused(client, "fetch", id="secret/plan")
        assert hidden == await refused(client, "explain", query="Katze", id="secret/plan")
        assert hidden.startswith("not_found: ")

    server.use(run, server.pets_only)


@pytest.mark.parametrize(
    ("tool", "arguments", "code", "way_out"),
    [
        ("search", {"query": "Katze"}, "invalid_request", "list_collections"),
        ("search", {"query": "Katze", "collection": "pets", "k": 51}, "invalid_request", "k: "),
        ("search", {"query": "", "collection": "pets"}, "invalid_request", "query: "),
        (
            "search",
            {"query": "Katze", "collection": "pets", "limit": "schlüssel"},
            "invalid_request",
            "query, collection",
        ),
        ("search", {"query": "Katze", "collection": "pets", "where": "farbe = 'schlüssel'"}, "invalid_filter", "("),
        ("search", {"query": ["schlüssel"], "collection": "pets"}, "invalid_request", "query: "),
        ("fetch", {"id": "schlüssel"}, "invalid_request", "search"),
        ("fetch", {"id": "pets/schlüssel"}, "not_found", "list_collections"),
        ("explain", {"query": "Katze", "id": "pets/schlüssel"}, "not_found", "list_collections"),
        ("fetch", {"id": "../../schlüssel"}, "invalid_argument", "("),
    ],
)
def test_errors_have_a_code_and_a_way_out_and_repeat_nothing(
    server: Served, tool: str, arguments: dict[str, Any], code: str, way_out: str
) -> None:
    async def run(client: Client) -> None:
        text = await refused(client, tool, **arguments)
        assert text.startswith(f"{code}: ")
        assert way_out in text
        assert "schlüssel" not in text

    server.use(run)


def test_the_guard_stands_before_the_tools(server: Served) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    assert server.post(message).json["result"]["tools"]
    wrong = server.post(message, "lfm2_colbert_wrong")
    assert (wrong.status, wrong.code) == (401, "unauthenticated")
    by_name = server.ask.by(server.everything)("POST", "/mcp", message, {"host": "evil.example"})
    assert by_name.code == "invalid_host"
    page = server.ask.by(server.everything)("POST", "/mcp", message, {"origin": "https://evil.example"})
    assert page.code == "origin_not_allowed"
    assert server.post(b'{"a": 1, "a": 2}').code == "duplicate_key"
    assert server.post({"padding": "x" * 2**20}).code == "body_too_large"
    plain = server.ask.by(server.everything)(
        "POST", "/mcp", json.dumps(message).encode(), {"content-type": "text/plain"}
    )
    assert plain.code == "unsupported_media_type"
    for method in ("GET", "DELETE"):
        answer = server.ask.by(server.everything)(method, "/mcp")
        assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("field", ["query", "k", "where", "collection"])
def test_hostile_values_are_refused_in_words_and_not_repeated(server: Served, field: str) -> None:
    arguments = json.dumps({"query": "Katze", "collection": "pets"} | {field: "VALUE"}).encode()
    message = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":%b}}' % arguments
    for value in VALUES:
        answer = server.post(message.replace(b'"VALUE"', value))
        assert answer.status < 500
        if answer.status == 200:
            result = answer.json["result"]
            assert not result["isError"] or re.match("[a-z_]+: ", result["content"][0]["text"])
            assert not result["isError"] or CANARY not in result["content"][0]["text"]
        else:
            assert CANARY.encode() not in answer.body


def test_a_crash_is_logged_and_says_nothing_of_itself() -> None:
    async def crash() -> str:
        """Fail."""
        raise RuntimeError("/secret/path")

    with pytest.raises(UnexpectedToolError) as crashed:
        asyncio.run(CodedTool.from_function(crash).run({}, Context()))
    assert str(crashed.value).startswith("internal: ")
    assert "secret" not in str(crashed.value)


def over_a_pipe(home: Path, run: Use) -> None:
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "service", "mcp", "--home", str(home)], env={**os.environ}
    )

    async def connected() -> None:
        async with Client(stdio_client(parameters)) as client:
            await run(client)

    asyncio.run(connected())


def test_a_pipe_leads_to_the_same_tools_and_to_everything(home: Path) -> None:
    async def run(client: Client) -> None:
        await tools_are_described(client)
        await truths_are_found(client)
        listed = await said(client, "list_collections")
        assert [each["collection"] for each in listed["collections"]] == ["pets", "secret"]
        assert (await refused(client, "fetch", id="secret/none")).startswith("not_found: ")

    over_a_pipe(home, run)


def test_nothing_but_the_protocol_is_on_standard_output(home: Path) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "service", "mcp", "--home", str(home)],
        input=json.dumps(message).encode() + b"\n", capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["result"]["serverInfo"]["name"] == "lfm2-colbert"
    assert not done.stderr
