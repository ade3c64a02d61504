"""What both transports do alike: how requests are put to `httpx2`, how much of an answer is read, what went wrong."""

import ssl
import time
from typing import Any

import httpx2

from lfm2_colbert.errors import RemoteError
from service.client.address import Address
from service.client.exchange import Answer, Request
from service.client.retrying import Failed, Stage

ANSWER_BYTES = 256 * 1024 * 1024
CONNECT_SECONDS = 10.0
UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def ignore(*told: object) -> None:
    """Listen to nothing."""


def options_of(address: Address, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """Give what a client of `httpx2` is made with: no proxies or certificates of the environment, no redirects."""
    # A context costs a tenth of a start; where nothing is encrypted, none is needed.
    verify = (tls or True) if address.encrypted else False
    return {"headers": dict(address.headers), "verify": verify, "trust_env": False, "follow_redirects": False}


def sent_as(request: Request, address: Address) -> dict[str, Any]:
    """Give the arguments that send a request."""
    return {
        "method": request.method,
        "url": address.url + request.path,
        "params": dict(request.query) or None,
        "content": request.body,
        "headers": dict(request.headers),
    }


def timeout_of(seconds: float) -> httpx2.Timeout:
    """Bound each step of an exchange; what they may take together, `Collected` bounds."""
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))


class Collected:
    """An answer's body, read no further than its bound and no longer than its time."""

    def __init__(self, most_bytes: int, seconds: float) -> None:
        """Begin to count."""
        self._most_bytes, self._seconds = most_bytes, seconds
        self._until = time.monotonic() + seconds
        self._pieces: list[bytes] = []
        self._n_bytes = 0

    def add(self, piece: bytes) -> None:
        """Take what came.

        Raises:
            RemoteError: it is too much, or too late.
        """
        self._n_bytes += len(piece)
        if self._n_bytes > self._most_bytes:
            raise RemoteError(f"the answer has more than {self._most_bytes:,} bytes", help="ask for less at once")
        if time.monotonic() > self._until:
            raise late(self._seconds)
        self._pieces.append(piece)

    def answer(self, response: httpx2.Response) -> Answer:
        """Give what came as an answer.

        Raises:
            RemoteError: it is packed, which was not asked for: what comes out of it has no bound.
        """
        if response.headers.get("content-encoding", "identity") != "identity":
            raise RemoteError("the answer is packed", help="let what stands before the server send it as it is")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, b"".join(self._pieces))


def failed(error: httpx2.TransportError, address: Address) -> Failed:
    """Say what a failure of the wire is to the one who asked."""
    if isinstance(error, UNSENT):
        reason = f": {error}" if str(error) else ""
        message = f"no connection to {address.url}{reason}"
        return Failed(
            _caused(error, RemoteError(message, help="is the server running? lfm2-colbert serve")), Stage.UNSENT
        )
    if isinstance(error, httpx2.TimeoutException):
        return Failed(_caused(error, late(None)), Stage.LATE)
    broken = RemoteError(f"the connection to {address.url} broke off", help="ask again; the server's log may say why")
    return Failed(_caused(error, broken), Stage.SENT)


def late(seconds: float | None) -> RemoteError:
    """Give the error of an answer that did not come in time."""
    within = f" within {seconds:g} seconds" if seconds else " in time"
    return RemoteError(f"the server did not answer{within}", help="ask for less, or allow it more time")


def _caused(error: Exception, by: RemoteError) -> RemoteError:
    by.__cause__ = error
    return by
