"""What stands before every route. Nothing of a body is read before its sender is known.

The order is: route and method, host, length, key, rate, room, body, JSON. Each step refuses by raising `Refusal`;
whoever is refused has cost no more than the head of a request, and what is left of its body is not read.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from fastapi.exceptions import RequestValidationError
from starlette.routing import BaseRoute, Match, Route

from lfm2_colbert.errors import Lfm2ColbertError
from service.engine.metrics import Metrics
from service.http.access import Access, Body, Caller, access_of
from service.http.admission import RETRY_SECONDS, Gate
from service.http.bodies import Disconnected, Message, Receive, pieces_of, too_large, whole_body
from service.http.config import Limits, ServerConfig
from service.http.heads import SECURITY_HEADERS, Head, allowed_hosts, request_id, require_no_key_in_url
from service.http.problems import INTERNAL, problem, refusal_of
from service.http.rates import Rates
from service.http.refusals import Refusal
from service.http.shedding import OVERLOADED, Shedding
from service.http.strict_json import parse
from service.keys import Keyring

LOG = logging.getLogger("lfm2_colbert.http")
NOT_ALL_COMES = frozenset({408, 413})
"""After these, what is left of a body is not waited for."""
MOST_ERRORS = 32
KNOWN_PATHS = 1024
"""Whose route is remembered, for the sake of what is refused when there is no room."""
CALLER, BODY, PARSED, PIECES, REQUEST_ID = "caller", "body", "parsed", "pieces", "request_id"
"""Where a request's `state` holds what the guard found out."""

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class _Exchange:
    """One request and what has been answered to it."""

    scope: Scope
    receive: Receive
    send: Send
    head: Head
    id: str = field(default_factory=request_id)
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    route: str = ""
    caller: Caller | None = None
    origin: str | None = None
    unread: bool = True
    code: str = ""

    async def sends(self, message: Message) -> None:
        """Pass an answer on, with the headers that every one has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = {**SECURITY_HEADERS, "x-request-id": self.id}
            if self.origin is not None:
                headers |= {"access-control-allow-origin": self.origin, "vary": "origin"}
            own = {bytes(name).lower() for name, _ in message.get("headers", ())}
            added = [(name.encode(), value.encode()) for name, value in headers.items() if name.encode() not in own]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await self.send(message)

    async def refuse(self, refusal: Refusal, **more: Any) -> None:
        """Answer no; `more` are members of the answer beside those that every one has."""
        self.code = refusal.code
        headers = {"content-type": "application/problem+json", **refusal.headers}
        if self.unread and (refusal.status in NOT_ALL_COMES or not self.head.has_short_body()):
            headers["connection"] = "close"
        body = problem(refusal, self.id, **more)
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        named.append((b"content-length", str(len(body)).encode()))
        await self.sends({"type": "http.response.start", "status": refusal.status, "headers": named})
        await self.sends({"type": "http.response.body", "body": body})


class Guard:
    """An ASGI application around another one, whose routes it knows."""

    def __init__(
        self,
        app: App,
        routes: Iterable[BaseRoute],
        config: ServerConfig,
        keyring: Keyring,
        metrics: Metrics,
        gate: Gate,
    ) -> None:
        """Stand before `app`; `routes` are kept with what each needs.

        Raises:
            KeyError: a route does not say what it needs.
        """
        self._app, self._config, self._keyring, self._metrics, self._gate = app, config, keyring, metrics, gate
        self.routes = [(route, access_of(route.endpoint)) for route in routes if isinstance(route, Route)]
        self._hosts = allowed_hosts(config.host, config.allowed_hosts)
        self._origins = frozenset(config.allowed_origins)
        self._rates = Rates(config.limits.requests_per_minute)
        route_of = lru_cache(KNOWN_PATHS)(self._expensive_route)
        self.shedding = Shedding(gate, route_of, self._count_shed, _note_shed)

    @property
    def limits(self) -> Limits:
        """The bounds it keeps."""
        return self._config.limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; events of the server's own life go through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            self.shedding.tell()
            return
        exchange = _Exchange(scope, receive, send, Head(scope["headers"]))
        with self._metrics.inflight.track_inprogress():
            try:
                await self._answer(exchange)
            except Disconnected:
                exchange.code = "disconnected"
            finally:
                self._note(exchange)

    async def _answer(self, exchange: _Exchange) -> None:
        try:
            await self._carry_out(exchange, self._checked(exchange))
        except Disconnected:
            raise
        except Exception as error:
            refusal = _refusal_for(error, exchange)
            if exchange.status:  # the answer has begun: all that is left is to break it off
                exchange.code = refusal.code
                raise
            await exchange.refuse(refusal, **_more_of(error))

    def _checked(self, exchange: _Exchange) -> Access:
        """Look at the head alone."""
        head = exchange.head
        route, access, parameters = self._matched(exchange.scope)
        exchange.route = route.path
        head.require_host(self._hosts)
        exchange.origin = head.require_origin(self._origins)
        self._require_length(exchange, access)
        require_no_key_in_url(exchange.scope["query_string"])
        caller = exchange.caller = self._caller(head, access)
        if access.scope:
            require_collection(caller, parameters[access.scope])
        self._rates.require(caller.name if caller.key else _address(exchange.scope), access.role is None)
        state = exchange.scope.setdefault("state", {})
        state[CALLER], state[REQUEST_ID] = caller, exchange.id
        return access

    def _matched(self, scope: Scope) -> tuple[Route, Access, Mapping[str, Any]]:
        """Find the route, and the parameters in its path.

        Raises:
            Refusal: 404 ``not_found``; 405 ``method_not_allowed`` with the methods of all routes of this path.
        """
        allowed: set[str] = set()
        for route, access in self.routes:
            match, child = route.matches(scope)
            if match is Match.FULL:
                return route, access, child["path_params"]
            if match is Match.PARTIAL:
                allowed |= route.methods or set()
        if allowed:
            headers = {"allow": ", ".join(sorted(allowed))}
            raise Refusal(
                405, "method_not_allowed", "This path is not asked this way.", "use a method that Allow names", headers
            )
        raise Refusal(404, "not_found", "There is nothing at this path.", "GET /openapi.json lists what there is")

    def _expensive_route(self, method: str, path: str) -> str | None:
        try:
            route, access, _ = self._matched({"type": "http", "method": method, "path": unquote(path)})
        except Refusal:
            return None
        return route.path if access.expensive else None

    def _require_length(self, exchange: _Exchange, access: Access) -> None:
        """Refuse a body that is announced to be too long; where none is wanted, a short one is thrown away."""
        length = exchange.head.length() or 0
        if access.body is Body.NONE and not exchange.head.has_short_body():
            raise too_large()
        if length > (self.limits.stream_bytes if access.body is Body.STREAM else self.limits.body_bytes):
            raise too_large()

    def _caller(self, head: Head, access: Access) -> Caller:
        """Say who asks.

        Raises:
            Refusal: 401 ``unauthenticated``, 403 ``forbidden``.
        """
        if access.role is None or (self._config.is_loopback and not self._keyring.is_in_use):
            return Caller(None)
        token = head.token()
        key = self._keyring.authenticate(token or b"")
        if key is None or token is None:
            headers = {"www-authenticate": "Bearer"}
            raise Refusal(401, "unauthenticated", "API key required.", "send Authorization: Bearer KEY", headers)
        caller = Caller(key)
        if not caller.may(access.role):
            raise Refusal(403, "forbidden", "This key may not do that.", f"use a key with the role {access.role}")
        return caller

    async def _carry_out(self, exchange: _Exchange, access: Access) -> None:
        if access.expensive:
            await self._gate.require_room()
        await self._read(exchange, access)
        async with AsyncExitStack() as stack:
            if not access.open_ended:
                await stack.enter_async_context(asyncio.timeout(self.limits.deadline_seconds))
            if access.expensive:
                await stack.enter_async_context(self._gate.pass_through())
            await self._call(exchange)

    async def _read(self, exchange: _Exchange, access: Access) -> None:
        """Put the body, or the way to read it, where routes look for it."""
        state, limits = exchange.scope["state"], self.limits
        if access.body is Body.NONE:
            return
        if exchange.head.is_lines(access.body):
            state[PIECES] = pieces_of(exchange.receive, limits.stream_bytes, limits.pause_seconds)
            return
        body = await whole_body(exchange.receive, limits.body_bytes, limits.pause_seconds, limits.body_seconds)
        exchange.unread = False
        state[BODY] = body
        if access.body is not Body.RAW:
            state[PARSED] = parse(body)

    async def _call(self, exchange: _Exchange) -> None:
        """Let the route answer, and stop it when the client goes."""
        if PIECES in exchange.scope["state"]:  # it reads what comes, and hears of it there
            await self._app(exchange.scope, exchange.receive, exchange.sends)
            return
        gone = asyncio.ensure_future(_gone(exchange.receive))
        answered = asyncio.ensure_future(self._app(exchange.scope, _replay(exchange, gone), exchange.sends))
        try:
            await asyncio.wait({gone, answered}, return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                raise Disconnected
            answered.result()
        finally:
            for task in (gone, answered):
                task.cancel()
            await asyncio.gather(gone, answered, return_exceptions=True)

    def _note(self, exchange: _Exchange) -> None:
        """Count the request and write its line in the log, without a word of what was asked."""
        seconds = time.perf_counter() - exchange.started
        self._metrics.answered(exchange.route or "-", exchange.status, seconds)
        if exchange.code:
            self._metrics.failed(exchange.code)
        _log(
            seconds, request_id=exchange.id, method=exchange.scope["method"], route=exchange.route or "-",
            status=exchange.status, code=exchange.code, key=exchange.caller.name if exchange.caller else "-",
        )  # fmt: skip

    def _count_shed(self, route: str) -> None:
        self._metrics.answered(route, OVERLOADED.status, 0.0)
        self._metrics.failed(OVERLOADED.code)


def _note_shed(method: str, route: str, ids: Sequence[str]) -> None:
    """Write the one line that requests share which were refused before they were read."""
    LOG.info(
        "requests refused unread",
        extra={
            "method": method, "route": route, "status": OVERLOADED.status, "code": OVERLOADED.code,
            "requests": len(ids), "request_ids": " ".join(ids),
        },
    )  # fmt: skip


def _log(seconds: float, **line: object) -> None:
    """Write the line of a request."""
    LOG.info("request", extra={**line, "ms": round(seconds * 1000, 2)})


NOT_THERE = Refusal(
    404, "not_found", "There is no such thing, or this key may not see it.", "GET /v1/collections lists what there is"
)


def require_collection(caller: Caller, name: str) -> None:
    """Refuse a collection that does not exist for the caller, where its name is not in the path.

    Raises:
        Refusal: 404 ``not_found``.
    """
    if not caller.may_see(name):
        raise Refusal(404, "not_found", NOT_THERE.detail, NOT_THERE.hint)


async def _gone(receive: Receive) -> None:
    """Return when the client has gone; what it still sends is thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _replay(exchange: _Exchange, gone: "asyncio.Future[None]") -> Receive:
    """Give the body once, then the end of the connection, as a route behind the guard expects."""
    bodies = [exchange.scope["state"].get(BODY, b"")]

    async def receive() -> Message:
        if bodies:
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}
        await asyncio.shield(gone)
        return {"type": "http.disconnect"}

    return receive


def _refusal_for(error: Exception, exchange: _Exchange) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Lfm2ColbertError):
        return refusal_of(error)
    if isinstance(error, RequestValidationError):
        return Refusal(422, "invalid_request", "The request is not what this route reads.", "see errors for each field")
    if isinstance(error, TimeoutError):
        return Refusal(
            503, "deadline_exceeded", "This took too long.", "ask for less, or later", {"retry-after": RETRY_SECONDS}
        )
    LOG.error("internal error", exc_info=error, extra={"request_id": exchange.id, "route": exchange.route})
    return INTERNAL


def _more_of(error: Exception) -> dict[str, Any]:
    """Name the fields that are wrong, without what was in them."""
    if not isinstance(error, RequestValidationError):
        return {}
    wrong = error.errors()[:MOST_ERRORS]
    return {"errors": [{"field": _path(each["loc"]), "reason": str(each["msg"])} for each in wrong]}


def _path(location: Sequence[str | int]) -> str:
    return ".".join(str(step)[:64] for step in location)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "-"
