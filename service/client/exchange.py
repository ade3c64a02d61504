"""What is sent and what comes back, as data; nothing here touches a network."""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lfm2_colbert.errors import RemoteError
from service.client.problems import error_of

T = TypeVar("T")
JSON, LINES = "application/json", "application/x-ndjson"
ANOTHER_PROGRAM = "is this the address of an lfm2-colbert server, and of this version?"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a server.

    Attributes:
        method: ``GET``, ``POST`` or ``DELETE``.
        path: below the server's address, percent-encoded.
        query: parameters behind the path.
        body: as it is sent; None: none.
        kind: media type of the body.
        repeatable: asked twice, it does no more than once; it is sent again when a connection breaks.
        seconds: that its answer may take at least, whatever the client's timeout is.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    kind: str = JSON
    repeatable: bool = True
    seconds: float = 0.0

    @classmethod
    def post(cls, path: str, body: Mapping[str, Any], *, repeatable: bool = True) -> "Request":
        """Send JSON."""
        return cls("POST", path, body=json.dumps(body).encode(), repeatable=repeatable)

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of its own."""
        return {} if self.body is None else {"content-type": self.kind}


@dataclass(frozen=True, slots=True)
class Follow:
    """A job whose end is waited for."""

    job: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def refused(self) -> bool:
        """Whether it is anything but what was asked for."""
        return not 200 <= self.status < 300

    @property
    def problem(self) -> Mapping[str, Any] | None:
        """The problem it describes; None where it describes none."""
        if not self.refused or not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def read(self, reader: Callable[[Any], T]) -> T:
        """Give what the answer holds, as `reader` understands it.

        Raises:
            Lfm2ColbertError: the server refused.
            RemoteError: the answer is in another shape.
        """
        if self.refused:
            raise error_of(self.status, self.problem)
        try:
            return reader(json.loads(self.body))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise RemoteError("the server's answer has another shape than was agreed", help=ANOTHER_PROGRAM) from error


Operation = Generator[Request | Follow, Any, T]
"""Gives requests, gets an `Answer` to each (to `Follow` the job as it ended), and returns what all came to."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many things, and the request for those behind them; None: there are none."""

    items: Sequence[T]
    following: Request | None


@dataclass(frozen=True, slots=True)
class Walk(Generic[T]):
    """Many things that come in pages, one request each; the next is sent when what is there has been taken."""

    first: Request | None
    read: Callable[[Answer], Page[T]]


def answered(request: Request) -> Operation[Answer]:
    """Send a request."""
    answer: Answer = yield request
    return answer
