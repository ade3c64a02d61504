"""uvicorn's HTTP protocol with the clocks and bounds it lacks.

A head must come in time, be it one byte a second; its length is bounded; a client that does not read is let go; and
there are never more connections than file descriptors allow, so that accepting never fails.
"""

import asyncio
import resource
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.http.bodies import too_slow
from service.http.config import Limits
from service.http.heads import Head
from service.http.problems import problem
from service.http.refusals import Refusal
from service.http.shedding import Shedding

OTHER_DESCRIPTORS = 64
"""Kept free for databases, segments, sockets of the server itself."""
MOST_CONNECTIONS = 4096
TOO_LONG_URL = Refusal(414, "url_too_long", "The address is too long.", "send what is long in the body")
TOO_LONG_HEAD = Refusal(431, "headers_too_large", "The headers are too long.", "send fewer or shorter ones")
NO_HTTP = Refusal(400, "invalid_http", "This is no HTTP.", "speak HTTP/1.1")


def protocol_for(limits: Limits, shedding: Shedding) -> type[asyncio.Protocol]:
    """Give a protocol class that keeps bounds, and refuses for want of room before a request becomes a task."""
    kept = {"limits": limits, "most_connections": limits.connections or connections_allowed(), "shedding": shedding}
    return type("BoundedProtocol", (_BoundedProtocol,), kept)


def connections_allowed() -> int:
    """Say how many connections file descriptors allow, a third of them being left to collections."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(max((soft - OTHER_DESCRIPTORS) * 2 // 3, 8), MOST_CONNECTIONS)


class _BoundedProtocol(HttpToolsProtocol):
    limits: Limits
    most_connections: int
    shedding: Shedding
    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # uvicorn begins with None, too

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_clock: asyncio.TimerHandle | None = None
        self._write_clock: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_comes = False
        self._refused = False
        self._shed_route: str | None = None
        self._follows = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self.most_connections:
            self.transport, self._refused = transport, True
            transport.abort()
            return
        super().connection_made(transport)
        self._start_head_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clocks()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._refused and not self.transport.is_closing():
            super().data_received(data)
            if self._head_comes and self._head_clock is None:  # most heads come whole, and need none
                self._start_head_clock()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._head_comes = 0, True

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.url_bytes:
            self._refuse(TOO_LONG_URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self.limits.header_bytes:
            self._refuse(TOO_LONG_HEAD)

    def on_headers_complete(self) -> None:
        if self._shed_route is not None:  # sent before the refusal of the last one: the connection ends with that
            self._follows = True
            return
        route, gate = self._expensive_route(), self.shedding.gate
        if route is not None and gate.is_full():
            self._shed_route = route
            self.cycle = None  # what comes of the body is thrown away; the clock of the head goes on for it
            return
        self._stop_head_clock()
        if not self.transport.is_closing():
            super().on_headers_complete()
            if route is not None:
                gate.expect()

    def on_body(self, body: bytes) -> None:
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._shed_route is not None and not self._follows:
            self._stop_head_clock()
            keeps = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
            self.shedding.gate.in_time(partial(self._shed, self._method(), keeps))
        elif self.cycle is not None:
            super().on_message_complete()

    def _expensive_route(self) -> str | None:
        """Give the route of a request that may be refused at once: one that waits for another, or for 100, may not."""
        answering = self.pipeline or (self.cycle is not None and not self.cycle.response_complete)
        if answering or self.expect_100_continue or self.transport.is_closing():
            return None
        return self.shedding.expensive_route(self._method(), self.url, Head(self.headers))

    def _method(self) -> str:
        return self.parser.get_method().decode("latin-1")

    def _shed(self, method: str, keeps: bool) -> None:
        """Refuse a request that never was the application's, and be ready for another."""
        route, self._shed_route = self._shed_route, None
        if route is None or self.transport.is_closing():
            return
        closing = self._follows or not keeps
        date = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
        self.transport.write(self.shedding.refusal(method, route, date, closing=closing))
        if closing:
            self.transport.close()
        else:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def send_400_response(self, msg: str) -> None:
        self._refuse(NO_HTTP)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_clock = self.loop.call_later(self.limits.pause_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_clock is not None:
            self._write_clock.cancel()
            self._write_clock = None

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one whose client has not taken its answer yet is not waited for."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def _start_head_clock(self) -> None:
        self._head_clock = self.loop.call_later(self.limits.head_seconds, self._end_late)

    def _end_late(self) -> None:
        """End a connection whose head does not come; one whose body does not, of a request to be refused, hears why."""
        if self._shed_route is None:
            self.transport.abort()
        else:
            self._refuse(too_slow())

    def _stop_head_clock(self) -> None:
        self._head_comes = False
        if self._head_clock is not None:
            self._head_clock.cancel()
            self._head_clock = None

    def _stop_clocks(self) -> None:
        for clock in (self._head_clock, self._write_clock):
            if clock is not None:
                clock.cancel()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer before there is a request to answer, and close; once is enough."""
        if self.transport.is_closing():
            return
        body = problem(refusal, "-")
        head = (
            f"HTTP/1.1 {refusal.status} {refusal.code}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
