"""What a route asks of a request before anything of it is read: a role, a kind of body, whether it is expensive.

A route without such a row does not start the server: nobody can forget to guard one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from service.keys import Key, Role

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Body(Enum):
    """What may come with a request."""

    NONE = auto()
    JSON = auto()
    STREAM = auto()
    """JSON, or lines of JSON that are read as they come."""
    RAW = auto()
    """Given on as it comes, within the bounds of a JSON body."""


@dataclass(frozen=True, slots=True)
class Access:
    """A row of the table of routes.

    Attributes:
        role: what a key must have; None: no key is asked for.
        body: what may come with it.
        expensive: it encodes or searches, so only so many are carried out at once.
        open_ended: it may take as long as it takes: no deadline.
        scope: name of the path parameter that holds a collection; "" where there is none.
    """

    role: Role | None
    body: Body = Body.NONE
    expensive: bool = False
    open_ended: bool = False
    scope: str = ""


_TABLE: dict[Callable[..., Any], Access] = {}


def needs(
    role: Role | None, *, body: Body = Body.NONE, expensive: bool = False, open_ended: bool = False, scope: str = ""
) -> Callable[[Endpoint], Endpoint]:
    """Say what an endpoint asks; see `Access`."""

    def noted(endpoint: Endpoint) -> Endpoint:
        _TABLE[endpoint] = Access(role, body, expensive, open_ended, scope)
        return endpoint

    return noted


def access_of(endpoint: Callable[..., Any]) -> Access:
    """Give what an endpoint asks.

    Raises:
        KeyError: nobody said; the server must not start with it.
    """
    return _TABLE[endpoint]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a key, or, on loopback where there are none, anybody with every right."""

    key: Key | None

    @property
    def name(self) -> str:
        """For logs and rate limits."""
        return self.key.id if self.key else "anonymous"

    def may(self, role: Role) -> bool:
        """Whether the caller has a role."""
        return self.key is None or self.key.role.covers(role)

    def may_see(self, collection: str) -> bool:
        """Whether a collection exists for the caller."""
        return self.key is None or self.key.may_see(collection)
