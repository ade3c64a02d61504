"""A language model behind an OpenAI-compatible address: it is given data, and asked for JSON until it gives some."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from lfm2_colbert.errors import InvalidArgumentError, MalformedDocumentError, ModelUnavailableError

TRIED_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
LONGEST_ANSWER = 1024 * 1024

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a language model is asked.

    Attributes:
        address: before ``/chat/completions``, as ``http://localhost:8000/v1``.
        model: its name there.
        key: sent as a bearer token; empty: none.
        timeout_s: for an answer.
        attempts: before it is given up.
        pause_s: before the second attempt; twice as long before each further one.
    """

    address: str
    model: str
    key: str = field(default="", repr=False)
    timeout_s: float = 60.0
    attempts: int = 4
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse addresses that are none.

        Raises:
            InvalidArgumentError: it is not HTTP.
        """
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InvalidArgumentError(f"'{self.address}' is no address", help="write http://localhost:8000/v1")


class _Refused(Exception):
    """An attempt that failed in a way that another one may not."""


class _NoRedirects(HTTPRedirectHandler):
    """A key is sent to the address that was given, and to no other."""

    def redirect_request(self, *args: Any) -> None:
        """Follow none."""


class ChatModel:
    """Asks a language model for one thing at a time, so that an answer does not depend on the others."""

    def __init__(self, endpoint: Endpoint, name: str, instruction: str) -> None:
        """Connect to nothing yet.

        Args:
            endpoint: where it is.
            name: that messages call it by.
            instruction: what it is to do with the data, and in which form it answers.
        """
        self._endpoint, self._name, self._instruction = endpoint, name, instruction
        self._opener = build_opener(_NoRedirects, ProxyHandler({}))  # the address alone is asked

    def ask(self, data: Mapping[str, str], read: Callable[[Any], Answer | None], wanted: str) -> Answer:
        """Ask until an answer can be read.

        Args:
            data: that the instruction is about.
            read: takes the value of an answer's JSON; None where that is not what was asked for.
            wanted: what it is, for messages.

        Raises:
            ModelUnavailableError: the address did not answer, or refused.
            MalformedDocumentError: its answers were not what was wanted.
        """
        body, attempts = json.dumps(self._body(data)).encode(), self._endpoint.attempts
        for attempt in range(1, attempts + 1):
            reason: Exception = MalformedDocumentError(
                f"{self._name} answered no {wanted} in {attempt} attempts", help="take a model that keeps to JSON"
            )
            try:
                found = read(_content(self._answer(body)))
                if found is not None:
                    return found
            except _Refused as error:
                reason = ModelUnavailableError(
                    f"{self._name} gave no answer in {attempt} attempts: {error}",
                    help="what was answered is kept: run again",
                )
            if attempt < attempts:
                time.sleep(self._endpoint.pause_s * 2 ** (attempt - 1))
        raise reason

    def _body(self, data: Mapping[str, str]) -> dict[str, Any]:
        return {
            "model": self._endpoint.model,
            "temperature": 0,
            "response_format": {"type": "json_object"},
            "messages": [
                {"role": "system", "content": self._instruction},
                {"role": "user", "content": json.dumps(data, ensure_ascii=False)},
            ],
        }

    def _answer(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self._endpoint.key:
            headers["Authorization"] = f"Bearer {self._endpoint.key}"
        request = Request(f"{self._endpoint.address.rstrip('/')}/chat/completions", body, headers)
        try:
            with self._opener.open(request, timeout=self._endpoint.timeout_s) as response:
                return bytes(response.read(LONGEST_ANSWER))
        except HTTPError as error:
            if error.code in TRIED_AGAIN:
                raise _Refused(f"status {error.code}") from error
            raise ModelUnavailableError(
                f"{self._name} refused with status {error.code}", help="check address, model and key"
            ) from error
        except (URLError, HTTPException, OSError) as error:  # time-outs are OSErrors
            raise _Refused(type(error).__name__) from error


def _content(answer: bytes) -> Any:
    """Read the JSON that a model wrote out of an answer; None where there is none."""
    try:
        return json.loads(json.loads(answer)["choices"][0]["message"]["content"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
