"""One shape for every refusal and failure: problem+json (RFC 9457) with a code, a way out and the request's id.

Nothing that was sent is repeated, and nothing of this machine is told: an error's own sentence may name a path or
quote a filter, so what stands in quotes is left out, and errors of the machine have sentences of their own.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from lfm2_colbert.errors import (
    BusyError,
    CorruptionError,
    DataError,
    EnvironmentFault,
    GenerationFailedError,
    Lfm2ColbertError,
    NotFoundError,
    StorageError,
    UsageError,
)
from service.http.refusals import Refusal

STATUS: Mapping[str, int] = {
    "already_exists": 409,
    "corrupt_data": 503,
    "cursor_expired": 410,
    "document_too_large": 413,
    "duplicate_id": 409,
    "index_locked": 409,
    "model_mismatch": 409,
    "not_found": 404,
    "storage_failed": 507,
}
"""Of errors that are not what their kind is (`KINDS`)."""
KINDS: tuple[tuple[type[Lfm2ColbertError], int], ...] = (
    (UsageError, 422), (DataError, 422), (EnvironmentFault, 503), (BusyError, 503),
)  # fmt: skip
OWN_SENTENCES: Mapping[type[Lfm2ColbertError], tuple[str, str]] = {
    NotFoundError: ("There is no such thing, or this key may not see it.", "GET /v1/collections lists what there is"),
    CorruptionError: ("The collection is damaged.", "the operator runs `lfm2-colbert verify` and `repair`"),
    StorageError: ("The disk refused; nothing of this was stored.", "the operator makes room; then send it again"),
    GenerationFailedError: (
        "The language model did not answer, or broke off.",
        "ask again; the operator looks after the model's server",
    ),
    EnvironmentFault: ("The server lacks something it needs for this.", "the operator runs `lfm2-colbert doctor`"),
}
QUOTED = re.compile(r"""(['"]).*?\1(?=$|[\s:;,.)\]])""", re.DOTALL)
"""From a quote to one that ends a word: what was sent may itself hold quotes."""
INTERNAL = Refusal(500, "internal", "Something went wrong here.", "tell the operator the request id: it is in the log")
RETRY_SECONDS = "1"


def refusal_of(error: Lfm2ColbertError) -> Refusal:
    """Give the refusal that an error of this program becomes."""
    headers = {"retry-after": RETRY_SECONDS} if isinstance(error, BusyError) else {}
    for kind, (detail, hint) in OWN_SENTENCES.items():
        if isinstance(error, kind):
            return Refusal(_status(error), error.code, detail, hint, headers)
    return Refusal(_status(error), error.code, _without_quotes(error.message), error.help, headers)


def problem(refusal: Refusal, request_id: str, **more: Any) -> bytes:
    """Give the body of an answer that says no."""
    return json.dumps(
        {
            "type": "about:blank",
            "title": HTTPStatus(refusal.status).phrase,
            "status": refusal.status,
            "code": refusal.code,
            "detail": refusal.detail,
            "hint": refusal.hint,
            "request_id": request_id,
            **more,
        },
        ensure_ascii=False,
    ).encode()


def _status(error: Lfm2ColbertError) -> int:
    if error.code in STATUS:
        return STATUS[error.code]
    return next((status for kind, status in KINDS if isinstance(error, kind)), 500)


def _without_quotes(message: str) -> str:
    sentence = QUOTED.sub("…", message.split("\n", 1)[0])
    return sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith((".", "…")) else ".")
