"""Saying no to what would wait too long before it costs anything: no task, no guard, no body.

Where more is asked than can be done, refusing is most of the work, and what goes through the whole application is slow
to refuse. What is refused here has had its head read, and no more. Only what the guard, too, would refuse for
want of room comes to this, though before its key was looked at: who has none hears 503 instead of 401 meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence

from service.http.admission import Gate, overloaded
from service.http.heads import SECURITY_HEADERS, Head, request_id
from service.http.problems import problem

OVERLOADED = overloaded()
HEADERS = {"content-type": "application/problem+json", **OVERLOADED.headers, **SECURITY_HEADERS}
FIXED = "HTTP/1.1 503 Service Unavailable\r\n" + "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
NO_ID = "0" * len(request_id())
BEFORE_ID, AFTER_ID = problem(OVERLOADED, NO_ID).decode().split(NO_ID)
LENGTH = len(problem(OVERLOADED, NO_ID))

TOLD_SECONDS = 1.0
TOLD_AT_ONCE = 256
"""Refusals that share a line of the log: a line for each would cost more than all else about them."""

ExpensiveRoute = Callable[[str, str], str | None]
"""Gives the route of a method and a path, if it is one of those that only so many may ask at once."""
Counted = Callable[[str], None]
"""Told the route of each request that is refused."""
Noted = Callable[[str, str, Sequence[str]], None]
"""Told the method, the route and the ids of requests that were refused, within a second."""


class Shedding:
    """What a connection asks before it hands a request to the application."""

    def __init__(self, gate: Gate, expensive_route: ExpensiveRoute, counted: Counted, noted: Noted) -> None:
        """Take who knows whether there is room, which requests need some, and who keeps count and the log."""
        self.gate, self._expensive_route, self._counted, self._noted = gate, expensive_route, counted, noted
        self._untold: dict[tuple[str, str], list[str]] = {}
        self._telling: asyncio.TimerHandle | None = None

    def expensive_route(self, method: str, url: bytes, head: Head) -> str | None:
        """Give the route that a request is for, if that needs room and may be refused at once.

        Pages of other origins and bodies that are not short go the long way, where their headers are understood.
        """
        if not head.has_short_body() or head.has(b"origin"):
            return None
        return self._expensive_route(method, url.partition(b"?")[0].decode("latin-1"))

    def refusal(self, method: str, route: str, date: bytes, *, closing: bool) -> bytes:
        """Note a refusal, and give it as it goes over the wire; `date` is a header, with its end of line."""
        named = request_id()
        self._counted(route)
        self._note(named, method, route)
        own = f"x-request-id: {named}\r\ncontent-length: {LENGTH}\r\n"
        end = "connection: close\r\n\r\n" if closing else "\r\n"
        return b"%b%b%b" % (f"{FIXED}{own}".encode(), date, f"{end}{BEFORE_ID}{named}{AFTER_ID}".encode())

    def tell(self) -> None:
        """Note what was refused and is not noted yet."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        untold, self._untold = self._untold, {}
        for (method, route), ids in untold.items():
            self._noted(method, route, ids)

    def _note(self, named: str, method: str, route: str) -> None:
        ids = self._untold.setdefault((method, route), [])
        ids.append(named)
        if len(ids) >= TOLD_AT_ONCE:
            self.tell()
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TOLD_SECONDS, self.tell)
