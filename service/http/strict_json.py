"""JSON as RFC 8259 has it, from anybody: what the standard library waves through is refused, and no body is a bomb.

A body is looked at twice. The first look reads bytes and bounds what the second may build: with strings taken out, the
brackets and commas that are left tell how deep a value is and how many it holds. The second is `json`, whose scanner in
C calls back for what has to be judged.
"""

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NoReturn

from service.http.refusals import Refusal

MAX_DEPTH = 32
MAX_NODES = 100_000
"""Values of a body, those that hold others included; the names in objects are none."""
MAX_NAME_CHARACTERS = 256
"""Code points, as JSON Schema counts them: the API's description says the bound."""
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1
MAX_DIGITS = len(str(LEAST_INTEGER))

# Nothing is tried twice (possessive), and a string that is never closed reaches to the end: time is linear.
STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
BESIDE_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""A bracket as the change of depth it makes, a signed byte."""
ESCAPE = "\\u"
"""Only so can NUL, or half of a character, get into a text that is both UTF-8 and JSON."""


def parse(body: bytes) -> Any:
    r"""Give the value of a JSON text in UTF-8.

    Whole numbers have 64 bits with a sign, all others are finite; texts and names hold neither NUL nor half of a
    surrogate pair; no object has a name twice. Time and memory grow with the length of the body alone.

    Args:
        body: as it was received; how long it may be is the caller's to say.

    Raises:
        Refusal: 400 ``invalid_json`` (empty, not UTF-8, a byte order mark, broken syntax), ``json_too_complex`` (deeper
            than 32, over 100,000 values, a name over 256 characters), ``duplicate_key``; 422 ``invalid_number``,
            ``invalid_text``.

    Example:
        >>> parse(rb'{"query": "\u6771\u4eac", "k": 10}')
        {'query': '東京', 'k': 10}
    """
    text = _decoded(body)
    _require_simple(body)
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        # Its own sentence may quote the body; the place does not.
        raise Refusal(
            400,
            "invalid_json",
            f"The body is no JSON: it goes wrong at line {error.lineno}, column {error.colno}.",
            "put names and texts in double quotes, and no comma behind the last item",
        ) from error
    if ESCAPE in text:
        _require_characters(value)
    return value


def _decoded(body: bytes) -> str:
    if not body:
        raise Refusal(400, "invalid_json", "The body is empty.", "send a JSON value, such as an object in braces")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(
            400, "invalid_json", f"The body is no UTF-8: byte {error.start} does not fit.", "encode the body as UTF-8"
        ) from error
    if text.startswith("\ufeff"):
        raise Refusal(400, "invalid_json", "The body begins with a byte order mark.", "send UTF-8 without the mark")
    return text


def _require_simple(body: bytes) -> None:
    """Bound depth and number of values before any is built; what is no JSON is left to the parser."""
    outline, n_strings = STRING.subn(b"0", body, 2 * MAX_NODES + 1)  # at most a name and a text to each value
    outline = outline.translate(None, b" \t\n\r")
    if n_strings > 2 * MAX_NODES or _count_nodes(outline) > MAX_NODES:
        raise _too_complex(f"The body holds more than {MAX_NODES:,} values.", "send it in several requests")
    # The parser stops where the text is no JSON any more, and up to there no more brackets than this can be.
    brackets = outline.translate(STEPS, BESIDE_BRACKETS)[: 2 * MAX_NODES]
    if max(accumulate(memoryview(brackets).cast("b")), default=0) > MAX_DEPTH:
        raise _too_complex(f"The body is nested deeper than {MAX_DEPTH} levels.", "flatten it")


def _count_nodes(outline: bytes) -> int:
    """Count the values of a JSON text without strings and white space: n of them in brackets have n - 1 commas."""
    filled = sum(map(outline.count, (b"[", b"{"))) - sum(map(outline.count, (b"[]", b"{}")))
    return 1 + filled + outline.count(b",")


def _require_characters(value: Any) -> None:
    """Refuse what is no Unicode text; a byte-wise look would have to tell an escape from an escaped backslash."""
    texts = "\n".join(_texts(value))
    try:
        texts.encode()
    except UnicodeEncodeError as error:
        raise Refusal(
            422,
            "invalid_text",
            "A text or name holds half of a surrogate pair.",
            "write the character itself, or both halves",
        ) from error
    if "\0" in texts:
        raise Refusal(422, "invalid_text", "A text or name holds the character NUL.", "leave it out")


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            waiting += each.keys()
            waiting += each.values()


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) < len(members):
        raise Refusal(400, "duplicate_key", "An object has a name twice.", "give each name once")
    if max(map(len, made), default=0) > MAX_NAME_CHARACTERS:
        raise _too_complex(f"The name of a member has more than {MAX_NAME_CHARACTERS} characters.", "shorten it")
    return made


def _integer(digits: str) -> int:
    # Looked at first: Python refuses long numbers in its own way, and takes its time for shorter ones.
    if len(digits) <= MAX_DIGITS and LEAST_INTEGER <= (number := int(digits)) <= GREATEST_INTEGER:
        return number
    raise _bad_number("A whole number has more than 64 bits.", "send it as a text, if it is an identifier")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isfinite(number):
        return number
    raise _bad_number("A number is too large for 64 bits.", "send one below 1.8e308")


def _constant(name: str) -> NoReturn:
    raise _bad_number("NaN and Infinity are no numbers in JSON.", "send null, or leave the value out")


def _bad_number(detail: str, hint: str) -> Refusal:
    return Refusal(422, "invalid_number", detail, hint)


def _too_complex(detail: str, hint: str) -> Refusal:
    return Refusal(400, "json_too_complex", detail, hint)


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_finite, parse_constant=_constant)
