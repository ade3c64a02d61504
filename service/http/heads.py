"""The head of a request, as far as a guard reads it: host, origin, key, and what the body is said to be."""

import random
import re
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import parse_qsl

from service.http.access import Body
from service.http.refusals import Refusal

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]{2,45})\]|(?P<name>[A-Za-z0-9.-]{1,253}))(?::[0-9]{1,5})?")
LENGTH = re.compile(rb"[0-9]{1,18}")
BEARER = re.compile(rb"[Bb]earer +([^ ]+)")
KEY_PARAMETERS = frozenset({"api_key", "apikey", "api-key", "key", "token", "access_token"})
JSON_TYPES = frozenset({"application/json"})
FILE_TYPES = frozenset({"application/octet-stream"})
LINE_TYPES = frozenset({"application/x-ndjson", "application/jsonl", "application/x-jsonlines"})

KNOWN_TYPES = {Body.JSON: JSON_TYPES, Body.STREAM: JSON_TYPES | LINE_TYPES, Body.RAW: FILE_TYPES}

DISCARDED_BYTES = 64 * 1024
"""A body that is refused unread is thrown away up to here, for the sake of the connection; a larger one ends it."""

Headers = Sequence[tuple[bytes, bytes]]


class Head:
    """The headers of a request, by lower-case name."""

    def __init__(self, headers: Headers) -> None:
        """Take them as ASGI gives them."""
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            self._values.setdefault(name, []).append(value)

    def has(self, name: bytes) -> bool:
        """Whether a header is there, however often."""
        return name in self._values

    def one(self, name: bytes) -> bytes | None:
        """Give the only value of a header, or None.

        Raises:
            Refusal: it is there more than once.
        """
        values = self._values.get(name, [])
        if len(values) > 1:
            raise Refusal(400, "repeated_header", "A header that may be there once is repeated.", "send it once")
        return values[0] if values else None

    def require_host(self, allowed: frozenset[str]) -> None:
        """Refuse a request for another host: it may come from a page whose name was made to lead here.

        Raises:
            Refusal: 400 ``invalid_host``.
        """
        refusal = Refusal(
            400, "invalid_host", "The server does not go by this name.", "call it by its address, or --allow-host NAME"
        )
        values = self._values.get(b"host", [])
        matched = HOST.fullmatch(values[0].decode("latin-1")) if len(values) == 1 else None
        if matched is None or (matched["six"] or matched["name"]).lower().rstrip(".") not in allowed:
            raise refusal

    def require_origin(self, allowed: frozenset[str]) -> str | None:
        """Refuse a page of another origin, whatever it asks; give the origin, if there is one.

        Pages of the server itself may ask; it goes by the name that `require_host` has found good.

        Raises:
            Refusal: 403 ``origin_not_allowed``.
        """
        origin = self.one(b"origin")
        if origin is None:
            return None
        written = origin.decode("latin-1")
        host = (self.one(b"host") or b"").decode("latin-1")
        if written not in allowed and written not in (f"http://{host}", f"https://{host}"):
            raise Refusal(
                403, "origin_not_allowed", "Web pages of this origin may not call the server.",
                "the operator allows one with --allow-origin",
            )  # fmt: skip
        return written

    def length(self) -> int | None:
        """Give the announced length of the body in bytes; None where none is announced.

        Raises:
            Refusal: 400 ``invalid_length``.
        """
        value = self.one(b"content-length")
        if value is None:
            return None
        if not LENGTH.fullmatch(value):
            raise Refusal(400, "invalid_length", "The length of the body is no number.", "send its bytes' number")
        return int(value)

    def has_short_body(self) -> bool:
        """Whether the body is little enough to be thrown away; one of unknown length is not."""
        try:
            return self.one(b"transfer-encoding") is None and (self.length() or 0) <= DISCARDED_BYTES
        except Refusal:
            return False

    def token(self) -> bytes | None:
        """Give the key that came with the request; a malformed one is as good as none."""
        values = self._values.get(b"authorization", [])
        matched = BEARER.fullmatch(values[0]) if len(values) == 1 else None
        return matched[1] if matched else None

    def is_lines(self, body: Body) -> bool:
        """Say whether the body is lines of JSON, and refuse a kind that the route does not read.

        Raises:
            Refusal: 415 ``unsupported_encoding`` or ``unsupported_media_type``.
        """
        encoding = self.one(b"content-encoding")
        if encoding is not None and encoding.strip().lower() != b"identity":
            raise Refusal(415, "unsupported_encoding", "Bodies are not unpacked.", "send it without Content-Encoding")
        kind, *parameters = (self.one(b"content-type") or b"").decode("latin-1").lower().split(";")
        known = KNOWN_TYPES[body]
        plain = all(each.strip() in ("", "charset=utf-8", 'charset="utf-8"') for each in parameters)
        if kind.strip() not in known or not plain:
            hint = f"send Content-Type: {' or '.join(sorted(known))}"
            raise Refusal(415, "unsupported_media_type", "The body is of a kind that this route does not read.", hint)
        return kind.strip() in LINE_TYPES


def request_id() -> str:
    """Give a name for a request: when it came, and chance."""
    return f"{time.time_ns() // 1_000_000:012x}{random.getrandbits(32):08x}"


def require_no_key_in_url(query: bytes) -> None:
    """Refuse a key that proxies and logs would keep.

    Raises:
        Refusal: 400 ``key_in_url``.
    """
    if not query:
        return
    names = {name.lower() for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    if names & KEY_PARAMETERS:
        raise Refusal(
            400, "key_in_url", "A key in an address is seen by many.", "send Authorization: Bearer KEY, and revoke it"
        )


def allowed_hosts(host: str, more: Sequence[str]) -> frozenset[str]:
    """Give the names a server goes by: loopback's, its address, and those the operator adds."""
    own = set() if _is_any(host) else {host.lower()}
    return LOOPBACK | own | {name.lower().rstrip(".") for name in more}


def _is_any(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


SECURITY_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
