"""Hostile requests: hand-made ones for every limit and every parser, and honest bodies with bytes changed.

A server passes where each gets an answer of the agreed shape and a documented status, below 500 and within two
seconds, nothing that was sent comes back, and memory does not grow.
"""

import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.inside import HOST, JSON_TYPE, Headers, Inside, inside
from benchmarks.serving.server import MEMBERS, Answer
from service.http.config import ServerConfig

CANARY = "Zitronenfalter"
"""A word in hand-made requests that no refusal may repeat."""
SLOWEST_SECONDS = 2.0
GROWTH_BYTES = 64 * 1024 * 1024
SEARCH, DOCUMENTS = "/v1/collections/pets/search", "/v1/collections/pets/documents"
FACETS, EMBED, CREATE = "/v1/collections/pets/facets", "/v1/embeddings/multi", "/v1/collections"
RANK = "/v1/rankings"
RERANK, FIRST_RERANK = "/v2/rerank", "/v1/rerank"
ANSWER, CHAT = "/v1/collections/pets/answer", "/v1/chat/completions"
STORE, WEB = "/v1/vector_stores/pets/search", "/integrations/openwebui/search"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request."""

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: Headers = (HOST, JSON_TYPE)
    query: bytes = b""


@dataclass(slots=True)
class Poisoned:
    """What came of many of them."""

    cases: int = 0
    slowest_s: float = 0.0
    grown_bytes: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


HONEST: Mapping[str, Any] = {
    SEARCH: {
        "query": f"{CANARY} 東京 🐈‍⬛", "k": 3, "mode": "hybrid", "where": 'lang = "de"', "group_by": "document",
        "explain": True, "collapse": 0.9,
    },
    FACETS: {"field": "lang", "limit": 3, "where": {"type": "eq", "key": "lang", "value": "de"}},
    ANSWER: {
        "question": f"{CANARY} 東京 🐈‍⬛", "history": [{"role": "user", "content": CANARY}], "k": 3,
        "where": 'lang = "de"', "rewrite": True, "stream": False,
    },
    DOCUMENTS: {"documents": [{"id": "d", "text": f"{CANARY} 日本", "metadata": {"year": 2026, "tags": ["a"]}}]},
    EMBED: {"input": [f"{CANARY}"], "kind": "query"},
    CREATE: {"name": "pets"},
    RANK: {"query": CANARY, "texts": [f"{CANARY} 🐈‍⬛", "東京"], "top_n": 1},
    RERANK: {
        "model": "any", "query": f"{CANARY} 東京", "documents": [f"{CANARY} 🐈‍⬛", "東京"], "top_n": 1,
        "max_tokens_per_doc": 3, "relevant_spans": {"mode": "enabled", "threshold": 0.1, "max_spans": 2},
    },
    FIRST_RERANK: {
        "query": CANARY, "documents": ["日本", {"text": "a", CANARY: "b"}], "rank_fields": ["text"],
        "return_documents": True,
    },
    CHAT: {
        "model": "pets", "messages": [{"role": "system", "content": CANARY}, {"role": "user", "content": CANARY}],
        "stream": False, "temperature": 0.1, "stream_options": {"include_usage": True}, "tools": [],
    },
    STORE: {
        "query": [CANARY, "日本"], "max_num_results": 3, "filters": {"type": "eq", "key": "lang", "value": "de"},
        "ranking_options": {"ranker": "auto", "score_threshold": 0.1}, "rewrite_query": True,
    },
    WEB: {"query": CANARY, "count": 3},
}  # fmt: skip
VALUES: tuple[bytes, ...] = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1" * 400, b"9223372036854775808", b"-9223372036854775809",
    b"1.5", b"-1", b"0", b"true", b"null", b"[]", b"{}", b'""', b'" "', b'"\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"',
    b'"\xff\xfe"', b'"' + b"a" * 9000 + b'"', b"[" * 40 + b"]" * 40, b"[" * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40,
    b'{"a":1,"a":2}', b'{"' + b"k" * 300 + b'":1}', b'{"__proto__":{}}', b"'" + CANARY.encode() + b"'",
    b'"' + CANARY.encode() + b'"', b'["' + CANARY.encode() + b'"]', b'{"' + CANARY.encode() + b'":1}', b"undefined",
    b"0x10", b"01", b"+1", b"1.", b".5", b"--1", b'"\\x41"', b'"\t"', b'"\xed\xa0\x80"', b"2e2", b"1E1000000000",
)  # fmt: skip
FILTERS = (
    "", " ", "lang", "lang =", "= de", 'lang = "de', "lang = de", 'lang == "de"', 'lang = "de" and', "((((",
    "not", "()",
    'lang in []', "lang in (", 'a = "b" or ' * 400, "(" * 300 + 'lang = "de"' + ")" * 300, f'{CANARY} = "x"',
    f'lang = "{CANARY}" )', "lang = '; DROP TABLE documents; --", 'lang like "%"', "1 = 1", "lang = 1e999",
    "year >= nan",
    "x" * 20_000, 'lang = "\u202e"', "lang = \ud7ff", "not " * 200 + 'lang = "de"',
)  # fmt: skip
QUERIES = (
    '"', '""', "*", "NEAR(a b)", "a NEAR/2 b", "^a", "a AND", "OR", "NOT", "col:a", "-", "(", "a*b", "\\",
    "'", "%", "_",
    "\u202e", "\u200d", "\ufeff", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "e\u0301" * 2000,
    "\u0301" * 5000, "<|im_start|>",
    "<|pad|>", "a" * 8192, "あ" * 8192, "\U0001f408" * 4000, " a ", "\u00a0", "\u3000", "\u2028", "ﷺ" * 400,
    "x " * 4096,
)  # fmt: skip
HEADERS: tuple[tuple[str, Headers], ...] = (
    ("no host", (JSON_TYPE,)),
    ("two hosts", (HOST, HOST, JSON_TYPE)),
    ("host with path", ((b"host", b"localhost/x"), JSON_TYPE)),
    ("host with user", ((b"host", b"a@localhost"), JSON_TYPE)),
    ("host of others", ((b"host", b"evil.example"), JSON_TYPE)),
    ("host empty", ((b"host", b""), JSON_TYPE)),
    ("host bytes", ((b"host", b"\xff\x00"), JSON_TYPE)),
    ("host long", ((b"host", b"a" * 5000), JSON_TYPE)),
    ("origin null", (HOST, (b"origin", b"null"), JSON_TYPE)),
    ("origin evil", (HOST, (b"origin", b"http://evil.example"), JSON_TYPE)),
    ("length words", (HOST, JSON_TYPE, (b"content-length", b"ten"))),
    ("length negative", (HOST, JSON_TYPE, (b"content-length", b"-1"))),
    ("length huge", (HOST, JSON_TYPE, (b"content-length", b"9" * 18))),
    ("length longer", (HOST, JSON_TYPE, (b"content-length", b"9" * 40))),
    ("two lengths", (HOST, JSON_TYPE, (b"content-length", b"1"), (b"content-length", b"2"))),
    ("gzip", (HOST, JSON_TYPE, (b"content-encoding", b"gzip"))),
    ("br", (HOST, JSON_TYPE, (b"content-encoding", b"br, gzip"))),
    ("no type", (HOST,)),
    ("two types", (HOST, JSON_TYPE, JSON_TYPE)),
    ("form", (HOST, (b"content-type", b"application/x-www-form-urlencoded"))),
    ("multipart", (HOST, (b"content-type", b"multipart/form-data; boundary=x"))),
    ("text", (HOST, (b"content-type", b"text/plain"))),
    ("utf-16", (HOST, (b"content-type", b"application/json; charset=utf-16"))),
    ("type bytes", (HOST, (b"content-type", b"\xff\xfe"))),
    ("type evil", (HOST, (b"content-type", b"application/json\x00"))),
)
PATHS = (
    "/", "//", "/v1", "/v1/", "/v1/collections/", "/v1/collections/../..", "/v1/collections/..",
    "/v1/collections/%2e%2e",
    "/v1/collections/pets/../pets", "/v1/collections/pets//search", "/v1/collections/pets/search/",
    "/v1/collections/\x00",
    "/v1/collections/CON", "/v1/collections/" + "a" * 5000, "/v1/collections/pets/documents/../../../etc/passwd",
    "/v1/collections/pets/documents//etc/passwd", "/v1/collections/pets/documents/" + "ä" * 2000, "/v1/jobs/../x",
    "/v1/collections/pets\n", "/v1/collections/\u202epets", "/v1/collections/ｐets", "/metrics/", "/LIVEZ", "/livez/x",
    "/v1/collections/pets/documents/a\nb", "/v1/collections/pets/documents/\udcff", "/.env", "/.service/keys.db",
)  # fmt: skip
DOCUMENTS_OF_MISCHIEF: tuple[Any, ...] = (
    {}, [], None, {"documents": None}, {"documents": []}, {"documents": {}}, {"documents": [None]}, {"documents": [[]]},
    {"documents": [{}]}, {"documents": [{"id": 1, "text": "a"}]}, {"documents": [{"id": "a", "text": 1}]},
    {"documents": [{"id": "a", "text": "a", "metadata": []}]}, {"documents": [{"id": "a", "text": "a", "vector": [1]}]},
    {"documents": [{"id": "", "text": "a"}]}, {"documents": [{"id": "a" * 600, "text": "a"}]},
    {"documents": [{"id": "../../x", "text": "a"}]}, {"documents": [{"id": "a", "text": ""}]},
    {"documents": [{"id": "a", "text": "\u200b"}]}, {"documents": [{"id": "a\r\nb", "text": "a"}]},
    {"documents": [{"id": "a", "text": "a", "metadata": {str(n): n for n in range(500)}}]},
    {"documents": [{"id": "a", "text": "a", "metadata": {"lc": 1, "type": "constructor", "id": ["os", "system"]}}]},
    {"documents": [{"id": "a", "text": "a"}] * 1001}, {"documents": [{"id": "same", "text": "a"}] * 10},
    {"documents": [{"id": "a", "text": "a"}], "model": "http://evil.example", "trust_remote_code": True},
    {"documents": [{"id": "a", "text": "a"}], "base_url": "http://169.254.169.254/"}, "x", 1, True,
)  # fmt: skip


def hand_made() -> Iterator[Hostile]:
    """Give all hand-made requests."""
    for path, honest in HONEST.items():
        yield from _fields(path, honest)
        whole = json.dumps(honest).encode()
        for name, headers in HEADERS:
            yield Hostile(f"{path} {name}", "POST", path, whole, headers)
        for broken in (
            b"",
            b"\xef\xbb\xbf" + whole,
            whole.decode().encode("utf-16"),
            whole[:-1],
            whole + b"x",
            whole * 2,
        ):
            yield Hostile(f"{path} broken {broken[:8]!r}", "POST", path, broken)
    yield from (
        Hostile(f"filter {each[:20]!r}", "POST", SEARCH, _json({"query": "a", "where": each})) for each in FILTERS
    )
    for mode in ("hybrid", "lexical"):
        yield from (Hostile(f"query {q[:9]!r}", "POST", SEARCH, _json({"query": q, "mode": mode})) for q in QUERIES)
    for method in ("GET", "POST", "DELETE", "PUT", "TRACE", "OPTIONS", "HEAD", "PATCH", "CONNECT"):
        yield from (Hostile(f"{method} {path[:30]!r}", method, path, b"{}") for path in PATHS)
    yield from (Hostile(f"documents {n}", "POST", DOCUMENTS, _json(v)) for n, v in enumerate(DOCUMENTS_OF_MISCHIEF))
    lines: Headers = (HOST, (b"content-type", b"application/x-ndjson"))
    yield from (Hostile(f"lines {value[:20]!r}", "POST", DOCUMENTS, value + b"\n{}\n\n", lines) for value in VALUES)
    for query in (
        b"key=x",
        b"api_key=" + CANARY.encode(),
        b"wait=now",
        b"wait=" + b"a" * 4000,
        b"%ff=%ff",
        b"wait=durable&wait=x",
    ):
        yield Hostile(f"url {query[:20]!r}", "POST", DOCUMENTS, _json(HONEST[DOCUMENTS]), query=query)


def _fields(path: str, honest: Mapping[str, Any]) -> Iterator[Hostile]:
    """Give an honest body with each of its fields, and an unknown one, set to each hostile value."""
    for name in (*honest, CANARY):
        rest = json.dumps({key: value for key, value in honest.items() if key != name})[1:-1]
        for value in VALUES:
            body = f'{{"{name}":'.encode() + value + (b"," + rest.encode() if rest else b"") + b"}"
            yield Hostile(f"{path} {name}={value[:20]!r}", "POST", path, body)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def mutated(n: int, seed: int) -> Iterator[Hostile]:
    """Give honest bodies with some bytes changed, removed, doubled or put elsewhere."""
    rng = random.Random(seed)
    bodies = [(path, json.dumps(honest, ensure_ascii=False).encode()) for path, honest in HONEST.items()]
    for number in range(n):
        path, body = rng.choice(bodies)
        changed = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            _change(changed, rng)
        yield Hostile(f"mutation {number} of seed {seed}", "POST", path, bytes(changed))


def _change(body: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(body) + 1)
    kind = rng.randrange(5)
    if kind == 0:
        body[place:place] = bytes([rng.randrange(256)])
    elif kind == 1:
        del body[place : place + rng.randrange(1, 9)]
    elif kind == 2:
        body[place:place] = body[place : place + rng.randrange(1, 30)]
    elif kind == 3:
        body[place : place + 1] = bytes([rng.randrange(256)])
    else:
        body[place:place] = rng.choice(VALUES)[:200]
    if not body:
        body += b"{"


def feed(requests: Iterator[Hostile]) -> Poisoned:
    """Send requests to an application of this process and look at each answer."""
    found = Poisoned()
    with tempfile.TemporaryDirectory() as folder, inside(Path(folder), ServerConfig(web_search="pets")) as ask:
        ask.json("POST", CREATE, {"name": "pets"})
        for hostile in hand_made():  # all libraries are loaded, all caches filled
            ask(hostile.method, hostile.path, hostile.body, hostile.headers, hostile.query)
        documented = _documented(ask)
        before = _resident()
        for hostile in requests:
            started = time.perf_counter()
            answer = ask(hostile.method, hostile.path, hostile.body, hostile.headers, hostile.query)
            seconds = time.perf_counter() - started
            found.cases += 1
            found.slowest_s = max(found.slowest_s, seconds)
            found.statuses[answer.status] = found.statuses.get(answer.status, 0) + 1
            found.violations += [f"{hostile.name}: {what}" for what in _wrong(hostile, answer, documented, seconds)]
        found.grown_bytes = max(_resident() - before, 0)
    if found.grown_bytes > GROWTH_BYTES:
        found.violations.append(f"memory grew by {found.grown_bytes} bytes")
    return found


def _wrong(hostile: Hostile, answer: Answer, documented: Mapping[str, set[int]], seconds: float) -> Iterator[str]:
    if answer.status >= 500:
        yield f"status {answer.status}"
    if hostile.path in documented and hostile.method == "POST" and answer.status not in documented[hostile.path]:
        yield f"status {answer.status} is not documented"
    if seconds > SLOWEST_SECONDS:
        yield f"took {seconds:.1f} s"
    if answer.status >= 400:
        if answer.headers.get("content-type") != "application/problem+json" or not answer.json.keys() >= MEMBERS:
            yield "a refusal of another shape"
        told = {key: value for key, value in answer.json.items() if key != "errors"}  # these name fields
        if CANARY in json.dumps(told, ensure_ascii=False) and "mutation" not in hostile.name:
            yield "what was sent comes back"


def _documented(ask: Inside) -> dict[str, set[int]]:
    paths = ask("GET", "/openapi.json", b"", (HOST,)).json["paths"]
    return {
        path.replace("{name}", "pets"): {int(status) for status in operations["post"]["responses"]}
        for path, operations in paths.items()
        if "post" in operations
    }


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
