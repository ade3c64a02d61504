"""Saying no to what would wait too long before it costs anything: no task, no guard, no body.

Where more is asked than can be done, refusing is most of the work, and what goes through the whole application is slow
to refuse. What is refused here has had its head read, and no more. Only what the guard, too, would refuse for
want of room comes to this, though before its key was looked at: who has none hears 503 instead of 401 meanwhile.
"""

from collections.abc import Callable

from service.http.admission import Gate, overloaded
from service.http.heads import SECURITY_HEADERS, Head, request_id
from service.http.problems import problem

OVERLOADED = overloaded()
HEADERS = {"content-type": "application/problem+json", **OVERLOADED.headers, **SECURITY_HEADERS}
FIXED = "HTTP/1.1 503 Service Unavailable\r\n" + "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())

ExpensiveRoute = Callable[[str, str], str | None]
"""Gives the route of a method and a path, if it is one of those that only so many may ask at once."""
Noted = Callable[[str, str, str], None]
"""Told the request id, the method and the route of each request that is refused."""


class Shedding:
    """What a connection asks before it hands a request to the application."""

    def __init__(self, gate: Gate, expensive_route: ExpensiveRoute, noted: Noted) -> None:
        """Take who knows whether there is room, which requests need some, and who keeps count."""
        self.gate, self._expensive_route, self._noted = gate, expensive_route, noted

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
        self._noted(named, method, route)
        body = problem(OVERLOADED, named)
        own = f"x-request-id: {named}\r\ncontent-length: {len(body)}\r\n"
        end = b"connection: close\r\n\r\n" if closing else b"\r\n"
        return f"{FIXED}{own}".encode() + date + end + body
