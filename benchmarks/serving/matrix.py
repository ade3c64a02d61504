"""Every route, asked with every kind of key, of one's own and of a foreign collection, by odd hosts and methods.

What must come of each is computed from a table written here by hand, not from the server's own: a route that is missing
here, or that was forgotten there, shows.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.inside import HOST, JSON_TYPE, Headers, Inside, inside
from service.keys import Role

OWN, FOREIGN = "own", "foreign"
ROUTES: Mapping[tuple[str, str], Role | None] = {
    ("GET", "/livez"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): Role.ADMIN,
    ("GET", "/openapi.json"): Role.READ,
    ("GET", "/v1/collections"): Role.READ,
    ("POST", "/v1/collections"): Role.ADMIN,
    ("GET", "/v1/collections/{name}"): Role.READ,
    ("DELETE", "/v1/collections/{name}"): Role.ADMIN,
    ("POST", "/v1/collections/{name}/optimize"): Role.WRITE,
    ("POST", "/v1/collections/{name}/documents"): Role.WRITE,
    ("GET", "/v1/collections/{name}/documents"): Role.READ,
    ("GET", "/v1/collections/{name}/documents/{document_id:path}"): Role.READ,
    ("DELETE", "/v1/collections/{name}/documents/{document_id:path}"): Role.WRITE,
    ("POST", "/v1/collections/{name}/files"): Role.WRITE,
    ("POST", "/v1/collections/{name}/search"): Role.READ,
    ("POST", "/v1/collections/{name}/facets"): Role.READ,
    ("POST", "/v1/collections/{name}/answer"): Role.READ,
    ("POST", "/v1/embeddings/multi"): Role.READ,
    ("POST", "/v1/rankings"): Role.READ,
    ("POST", "/v1/rerank"): Role.READ,
    ("POST", "/v2/rerank"): Role.READ,
    ("GET", "/v1/vector_stores"): Role.READ,
    ("GET", "/v1/vector_stores/{name}"): Role.READ,
    ("POST", "/v1/vector_stores/{name}/search"): Role.READ,
    ("GET", "/v1/models"): Role.READ,
    ("POST", "/v1/chat/completions"): Role.READ,
    ("POST", "/integrations/openwebui/search"): Role.READ,
    ("POST", "/mcp"): Role.READ,
    ("GET", "/"): None,
    ("GET", "/ui/collections"): None,
    ("GET", "/ui/quality"): None,
    ("GET", "/ui/document"): None,
    ("GET", "/ui/static/{name}"): None,
    ("GET", "/ui/parts/search"): Role.READ,
    ("GET", "/ui/parts/hits"): Role.READ,
    ("GET", "/ui/parts/document"): Role.READ,
    ("GET", "/ui/parts/answer"): Role.READ,
    ("GET", "/ui/parts/collections"): Role.READ,
    ("GET", "/ui/parts/jobs/{job}"): Role.READ,
    ("GET", "/ui/parts/quality"): Role.READ,
    ("GET", "/v1/jobs"): Role.READ,
    ("GET", "/v1/jobs/{job}"): Role.READ,
    ("GET", "/v1/jobs/{job}/events"): Role.READ,
}
"""Method and path of each route, and the role it needs; None: nobody needs a key."""
RANKS = {Role.READ: 0, Role.WRITE: 1, Role.ADMIN: 2}
METHODS = ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH")
HOSTS = (HOST, (b"host", b"evil.example"), (b"host", b"localhost:1"))
WRONG: Mapping[str, Headers] = {
    "none": (),
    "empty": ((b"authorization", b""),),
    "scheme alone": ((b"authorization", b"Bearer"),),
    "basic": ((b"authorization", b"Basic YTpi"),),
    "unknown": ((b"authorization", b"Bearer lfm2_colbert_" + b"A" * 43),),
    "bytes": ((b"authorization", b"Bearer \xff\xfe\x00"),),
    "long": ((b"authorization", b"Bearer " + b"x" * 20_000),),
    "other header": ((b"x-api-key", b"TOKEN"),),
    "cookie": ((b"cookie", b"key=TOKEN"),),
}
"""Ways to come without a key that opens; TOKEN stands for one that would open everything, were it sent as agreed."""
CROOKED = (
    "/v1/collections/own/../foreign", "/v1/collections/own//documents", "/v1/collections/own/documents/../../foreign",
    "/livez/../v1/collections", "/livez/v1/collections", "/v1/collections/foreign/", "//v1/collections",
    "/V1/collections",
)  # fmt: skip


@dataclass(slots=True)
class Tried:
    """What came of the matrix."""

    cases: int = 0
    violations: list[str] = field(default_factory=list)

    def require(self, what: str, found: object, expected: object) -> None:
        """Count a case and note where it came out otherwise."""
        self.cases += 1
        if found != expected:
            self.violations.append(f"{what}: {found}, not {expected}")


def try_all() -> Tried:
    """Ask everything."""
    tried = Tried()
    with tempfile.TemporaryDirectory() as folder, inside(Path(folder)) as ask:
        for name in (OWN, FOREIGN):
            ask.json("POST", "/v1/collections", {"name": name})
        tokens = _make_keys(ask)
        known = {(method, route.path) for route, _ in ask.app.routes for method in route.methods or ()}
        tried.require("routes", known ^ ROUTES.keys(), set())
        loaded = ask.engine.library.loaded_encoders()
        for method, path in ROUTES:
            _without_a_key(ask, tried, method, path, tokens[Role.ADMIN, None])
            _by_role(ask, tried, method, path, tokens)
        _crooked(ask, tried, tokens)
        tried.require("encoders loaded", ask.engine.library.loaded_encoders(), loaded)
    return tried


def _make_keys(ask: Inside) -> dict[tuple[Role, str | None], bytes]:
    return {
        (role, scope): ask.keyring.create(f"{role} {scope}", role, [scope] if scope else None)[1].encode()
        for role in Role
        for scope in (OWN, FOREIGN, None)
    }


def _without_a_key(ask: Inside, tried: Tried, method: str, path: str, token: bytes) -> None:
    """Without a key nothing is answered but what is open, and no byte of a body is read."""
    role = ROUTES[method, path]
    for way, headers in WRONG.items():
        sent = tuple((name, value.replace(b"TOKEN", token)) for name, value in headers)
        for host in HOSTS:
            before = ask.read
            answer = ask(method, _path(path, OWN), b"{}" * 20_000, (host, JSON_TYPE, *sent))
            expected = 400 if host[1].startswith(b"evil") else 401 if role else answer.status
            what = f"{method} {path} with {way} at {host[1].decode()}"
            tried.require(what, (answer.status, ask.read - before if role else 0), (expected, 0))
    answer = ask(method, _path(path, OWN), b"{}", (HOST, JSON_TYPE), b"api_key=" + token)
    tried.require(f"{method} {path} with a key in the address", answer.code, "key_in_url")
    if role:
        answer = ask(method, _path(path, OWN), b"{}", (HOST, (b"origin", b"http://evil.example"), _bearer(token)))
        tried.require(f"{method} {path} from another origin", answer.code, "origin_not_allowed")


def _by_role(
    ask: Inside, tried: Tried, method: str, path: str, tokens: Mapping[tuple[Role, str | None], bytes]
) -> None:
    """Each key may do what its role covers, to collections that it may see; all others are not there."""
    needed = ROUTES[method, path]
    for (role, scope), token in tokens.items():
        for name in (OWN, FOREIGN, "nowhere"):
            answer = ask(method, _path(path, name), b"[]", (HOST, JSON_TYPE, _bearer(token)))
            what = f"{method} {path} of {name} by {role} of {scope or 'all'}"
            for wrong in _wrong(answer.status, needed, role, scope, name if "{name}" in path else None):
                tried.violations.append(f"{what}: {answer.status}: {wrong}")
            tried.cases += 1
    for other in METHODS:
        allowed = {known for known, place in ROUTES if place == path}
        answer = ask(other, _path(path, OWN), b"", (HOST, _bearer(tokens[Role.ADMIN, None])))
        tried.require(f"{other} {path}", (answer.status, _allowed(answer.headers)), (405, allowed))


def _wrong(status: int, needed: Role | None, role: Role, scope: str | None, name: str | None) -> Iterator[str]:
    """Bodies are wrong here on purpose (422, of /mcp 406), so that nothing is deleted or made by what is allowed."""
    if needed is None:
        expected = {200, 404, 503}  # 404: a file of the page that there is not
    elif RANKS[role] < RANKS[needed]:
        expected = {403}
    elif name is not None and (name == "nowhere" or scope not in (None, name)):
        expected = {404, 415, 422} if scope in (None, name) else {404}
    else:
        expected = {200, 202, 404, 406, 415, 422}
    if status not in expected:
        yield f"expected {sorted(expected)}"


def _crooked(ask: Inside, tried: Tried, tokens: Mapping[tuple[Role, str | None], bytes]) -> None:
    """A crooked path is judged as the route that answers it, so it opens nothing a straight one does not."""
    for path in CROOKED:
        for method in ("GET", "POST", "DELETE"):
            answer = ask(method, path, b"{}", (HOST, JSON_TYPE))
            tried.require(f"{method} {path} without a key", answer.status in (401, 404, 405), True)
            answer = ask(method, path, b"[]", (HOST, JSON_TYPE, _bearer(tokens[Role.ADMIN, OWN])))
            tried.require(f"{method} {path} with a key of its own", answer.status in (404, 405, 422), True)


def _path(path: str, name: str) -> str:
    return path.replace("{name}", name).replace("{document_id:path}", "nothing").replace("{job}", "nothing")


def _bearer(token: bytes) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + token


def _allowed(headers: Mapping[str, str]) -> set[str]:
    return set(headers.get("allow", "").split(", "))
