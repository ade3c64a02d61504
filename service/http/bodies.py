"""The body of a request, read no further than its bounds and no longer than its client keeps sending."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from service.http.refusals import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Disconnected(Exception):
    """The client has gone; there is nobody to answer."""


async def whole_body(receive: Receive, most_bytes: int, pause_seconds: float, body_seconds: float) -> bytes:
    """Read a body.

    Raises:
        Refusal: 413 ``body_too_large``, 408 ``request_timeout``.
        Disconnected: the client has gone.
    """
    pieces = []
    try:
        async with asyncio.timeout(body_seconds):
            async for piece in pieces_of(receive, most_bytes, pause_seconds):
                pieces.append(piece)
    except TimeoutError:
        raise too_slow() from None
    return b"".join(pieces)


async def pieces_of(receive: Receive, most_bytes: int, pause_seconds: float) -> AsyncIterator[bytes]:
    """Give a body as it comes, up to its bound; only the time spent on waiting for the client counts.

    Raises:
        Refusal: 413 ``body_too_large``, 408 ``request_timeout``.
        Disconnected: the client has gone.
    """
    read, more = 0, True
    while more:
        try:
            async with asyncio.timeout(pause_seconds):
                message = await receive()
        except TimeoutError:
            raise too_slow() from None
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece, more = message.get("body", b""), message.get("more_body", False)
        within = piece[: most_bytes - read]  # how a body is cut into pieces decides nothing: what is within is given
        read += len(piece)
        if within:
            yield within
        if read > most_bytes:
            raise too_large()


def too_large() -> Refusal:
    """Give the refusal of a body over its bound."""
    return Refusal(413, "body_too_large", "The body is larger than this route reads.", "send it in several requests")


def too_slow() -> Refusal:
    """Give the refusal of a body that does not come."""
    return Refusal(408, "request_timeout", "The body did not come in time.", "send it again, without long pauses")
