"""Laws of bodies: what honest programs write is read as they meant it, and everything else is refused in words."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.http.refusals import Refusal
from service.http.strict_json import GREATEST_INTEGER, LEAST_INTEGER, parse

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
numbers = st.integers(LEAST_INTEGER, GREATEST_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts.filter(lambda name: len(name) <= 256), inner),
    max_leaves=60,
)
PIECES = [
    *("[", "]", "{", "}", ",", ":", '"', "\\", " ", "\n", "0", "1", "-", ".", "e9", "E400", "true", "null", "NaN"),
    *(r"\u0000", r"\ud83d", r"\ude00", r"\"", r"\\", '""', '"a"', '{"a":1}', "[[[[[[[[", "9" * 30, "日本", "\ufeff"),
]
CODES = {
    (400, "invalid_json"),
    (400, "json_too_complex"),
    (400, "duplicate_key"),
    (422, "invalid_number"),
    (422, "invalid_text"),
}


def outcome(body: bytes) -> Any:
    try:
        found = parse(body)
    except Refusal as refused:
        found = refused
    assert not isinstance(found, Refusal) or (found.status, found.code) in CODES
    return found


@given(value=values, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 2))
def test_a_value_within_the_limits_is_read_as_it_was_written(value: Any, ascii_only: bool, indent: int | None) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    found = parse(written.encode())
    assert found == json.loads(written)
    assert json.dumps(found) == json.dumps(value)  # 1 and 1.0 and true are equal, but not the same


@given(body=st.binary(max_size=400))
def test_any_bytes_are_a_value_or_refused(body: bytes) -> None:
    outcome(body)


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=60))
def test_pieces_of_json_are_a_value_that_json_has_too_or_refused(pieces: list[str]) -> None:
    written = "".join(pieces)
    found = outcome(written.encode())
    if not isinstance(found, Refusal):
        assert found == json.loads(written)


@given(value=values, places=st.lists(st.integers(0, 10_000), max_size=3), byte=st.integers(0, 255))
def test_a_spoilt_body_is_never_another_failure(value: Any, places: list[int], byte: int) -> None:
    body = bytearray(json.dumps(value).encode())
    for place in places:
        body[place % len(body)] = byte
    found = outcome(bytes(body))
    if not isinstance(found, Refusal):
        assert found == json.loads(bytes(body).decode())
