"""From what a server says to the error that the same mistake raises without one."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from lfm2_colbert.errors import InvalidArgumentError, Lfm2ColbertError, RemoteError, class_of

CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")
SERVERS_OWN = ("invalid_request", "invalid_document", "invalid_id", "invalid_metadata")
TRANSLATED: Mapping[str, type[Lfm2ColbertError]] = dict.fromkeys(SERVERS_OWN, InvalidArgumentError)
"""Codes that only a server has, and what they are here."""


def error_of(status: int, problem: Mapping[str, Any] | None) -> Lfm2ColbertError:
    """Give the error of a refusal; a code that is not known here is a `RemoteError` that bears it.

    Args:
        status: of HTTP.
        problem: what the server said (RFC 9457); None: nothing of that kind.
    """
    if problem is None:
        return _unexplained(status)
    detail, hint = str(problem.get("detail") or problem.get("title") or "refused"), str(problem.get("hint") or "")
    wrong = "; ".join(_fields(problem.get("errors")))
    message = f"{detail}: {wrong}" if wrong else detail
    error = error_of_code(str(problem.get("code", "")), message, hint)
    error.request_id = str(problem.get("request_id", ""))
    return error


def error_of_code(code: str, message: str, help: str = "") -> Lfm2ColbertError:
    """Give the error of a code."""
    known = TRANSLATED.get(code) or class_of(code)
    if known is not None:
        return known(message, help=help)
    return RemoteError(message, help=help, code=code if CODE.fullmatch(code) else RemoteError.code)


def _fields(errors: Any) -> Iterator[str]:
    for each in errors if isinstance(errors, list) else ():
        if isinstance(each, dict):
            yield f"{each.get('field')}: {each.get('reason')}"


def _unexplained(status: int) -> RemoteError:
    if 300 <= status < 400:
        return RemoteError(f"the server leads elsewhere ({status})", help="give the address that it leads to")
    known = status in HTTPStatus._value2member_map_
    return RemoteError(
        f"the server answered {status}{f' {HTTPStatus(status).phrase}' if known else ''}",
        help="is this the address of an lfm2-colbert server? What stands before it may have answered",
    )
