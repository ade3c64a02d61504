"""When a request is sent again: never what the server refused, never what might be done twice."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from lfm2_colbert.errors import RemoteError
from service.client.exchange import Answer, Request

TOO_MANY, UNAVAILABLE = 429, 503
OF_PROXIES = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retrying:
    """How patient a client is.

    Attributes:
        retries: times that a request is sent again; 0: never.
        first_seconds: the pause before the first, at most; each next one may be twice as long.
        longest_seconds: that a pause may be; a server that asks for more is not asked again.
        random: gives 0 to 1: pauses are spread, so that many clients do not come back at once.
    """

    retries: int = 3
    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    random: Callable[[], float] = random.random


class Stage(Enum):
    """How far a request came that got no answer."""

    UNSENT = auto()
    """There was no connection."""
    SENT = auto()
    """The connection broke; what was asked may be done."""
    LATE = auto()
    """There was no answer in time: asking again would only add to it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that got no answer."""

    error: RemoteError
    stage: Stage


class Attempts:
    """The attempts of one request."""

    def __init__(self, request: Request, retrying: Retrying) -> None:
        """Begin with the first."""
        self._request, self._retrying, self._made = request, retrying, 0

    def after_failure(self, failed: Failed) -> float:
        """Give the pause before the next attempt, where there was no answer.

        Raises:
            RemoteError: it must not be sent again, or was often enough.
        """
        repeatable = failed.stage is Stage.UNSENT or (failed.stage is Stage.SENT and self._request.repeatable)
        pause = self._pause(0.0) if repeatable else None
        if pause is None:
            raise failed.error
        return pause

    def after_answer(self, answer: Answer) -> float | None:
        """Give the pause before the next attempt; None: the answer stands."""
        if not self._is_passing(answer):
            return None
        return self._pause(_asked_seconds(answer.headers.get("retry-after", "")))

    def _is_passing(self, answer: Answer) -> bool:
        """Whether the server, or what stands before it, may say something else in a moment."""
        if answer.status == TOO_MANY:
            return True
        if not self._request.repeatable:
            return False
        if answer.status == UNAVAILABLE and "retry-after" in answer.headers:
            return True
        return answer.status in OF_PROXIES and answer.problem is None

    def _pause(self, asked: float) -> float | None:
        if self._made >= self._retrying.retries or asked > self._retrying.longest_seconds:
            return None
        most = min(self._retrying.first_seconds * 2.0**self._made, self._retrying.longest_seconds)
        self._made += 1
        return asked + self._retrying.random() * most


def _asked_seconds(header: str) -> float:
    """Read ``Retry-After``: seconds, or a date; 0 where it is neither."""
    if header.isascii() and header.isdecimal():
        return float(header[:9])
    try:
        return max(parsedate_to_datetime(header).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return 0.0
