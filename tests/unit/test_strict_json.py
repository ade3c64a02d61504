"""What a body may be: every way in which the standard library is more generous than JSON, and every kind of bomb."""

import json
import time

import pytest

from service.http.refusals import Refusal
from service.http.strict_json import MAX_DEPTH, MAX_NODES, parse

SECRET = "s3cr3t"
TAKEN = {
    "an object": (b'{"query": "Hund", "k": 10}', {"query": "Hund", "k": 10}),
    "white space around": (b" \t\r\n [ 1 , 2 ] \n", [1, 2]),
    "scripts": (
        '["بحث", "検索", "검색", "搜索", "ค้นหา", "Straße", "e\u0301", "👨‍👩‍👧"]'.encode(),
        ["بحث", "検索", "검색", "搜索", "ค้นหา", "Straße", "e\u0301", "👨‍👩‍👧"],
    ),
    "escapes": (rb'"\u6771\u4eac \ud83d\ude00 \n\t\"\\\/"', '東京 😀 \n\t"\\/'),
    "an escaped backslash before u0000": (rb'"\\u0000 \\ud800"', r"\u0000 \ud800"),
    "brackets in a text": (b'"' + b"[{" * 100 + b'"', "[{" * 100),
    "brackets behind an escaped quote": (rb'["\"[[[", "\\", []]', ['"[[[', "\\", []]),
    "the smallest and the largest integer": (b"[-9223372036854775808, 9223372036854775807]", [-(2**63), 2**63 - 1]),
    "numbers": (b"[0, -0, -1.5e-7, 1E30]", [0, 0, -1.5e-7, 1e30]),
    "what is too small to be told from zero": (b"1e-400", 0.0),
    "a fraction of many digits": (b"0." + b"3" * 10_000, 1 / 3),
    "an empty name": (b'{"": null}', {"": None}),
    "a name as long as it may be": (b'{"' + b"k" * 256 + b'": true}', {"k" * 256: True}),
    "a name as long as it may be, in Chinese": (('{"' + "國" * 256 + '": 1}').encode(), {"國" * 256: 1}),
    "names of two objects that are the same": (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
    "as deep as it may be": (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
    "as many values as there may be": (b"[" + b"1," * (MAX_NODES - 2) + b"1]", [1] * (MAX_NODES - 1)),
    "empty ones count once": (b"[" + b"[ ]," * (MAX_NODES - 2) + b"{}]", [[]] * (MAX_NODES - 2) + [{}]),
    "names are no values": (b"[" + b'{"a":"b"},' * 49_999 + b"0]", [{"a": "b"}] * 49_999 + [0]),
}
REFUSED = {
    "empty": (b"", 400, "invalid_json"),
    "white space": (b"  \n", 400, "invalid_json"),
    "half a value": (b'{"a": ', 400, "invalid_json"),
    "two values": (b"{} {}", 400, "invalid_json"),
    "single quotes": (b"{'a': 1}", 400, "invalid_json"),
    "a comma too many": (b"[1,]", 400, "invalid_json"),
    "a comment": (b"[1] // one", 400, "invalid_json"),
    "a string that is not closed": (b'"abc', 400, "invalid_json"),
    "a backslash at the end": (b'"abc\\', 400, "invalid_json"),
    "an escape that is none": (rb'"\x41"', 400, "invalid_json"),
    "a control character": (b'"a\x01b"', 400, "invalid_json"),
    "NUL as it is": (b'"a\x00b"', 400, "invalid_json"),
    "a leading zero": (b"012", 400, "invalid_json"),
    "a plus sign": (b"+1", 400, "invalid_json"),
    "Latin-1": ('"Köln"'.encode("latin-1"), 400, "invalid_json"),
    "an overlong form": (b'"\xc0\xaf"', 400, "invalid_json"),
    "a surrogate in UTF-8": (b'"\xed\xa0\x80"', 400, "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400, "invalid_json"),
    "UTF-16 with a mark": ('{"a": 1}'.encode("utf-16"), 400, "invalid_json"),
    "UTF-16": ('{"a": 1}'.encode("utf-16-le"), 400, "invalid_json"),
    "UTF-32": ('{"a": 1}'.encode("utf-32"), 400, "invalid_json"),
    "NaN": (b"[NaN]", 422, "invalid_number"),
    "Infinity": (b"Infinity", 422, "invalid_number"),
    "-Infinity": (b'{"a": -Infinity}', 422, "invalid_number"),
    "a number beyond all": (b"1e400", 422, "invalid_number"),
    "a negative number beyond all": (b"[-1.5e999999999]", 422, "invalid_number"),
    "2 to the 63rd": (b"9223372036854775808", 422, "invalid_number"),
    "less than -2 to the 63rd": (b"-9223372036854775809", 422, "invalid_number"),
    "an integer of 400 digits": (b"[" + b"7" * 400 + b"]", 422, "invalid_number"),
    "an integer of a million digits": (b"7" * 10**6, 422, "invalid_number"),
    "the first half of a pair": (rb'"\ud83d"', 422, "invalid_text"),
    "the second half of a pair": (rb'["a", "\udc00"]', 422, "invalid_text"),
    "a pair the wrong way round": (rb'"\udc00\ud83d"', 422, "invalid_text"),
    "halves in two texts": (rb'["\ud83d", "\ude00"]', 422, "invalid_text"),
    "half a pair in a name": (rb'{"a": {"\uD83D": 1}}', 422, "invalid_text"),
    "half a pair behind an escaped backslash": (rb'"\\ud83d\ude00"', 422, "invalid_text"),
    "NUL": (rb'{"a": ["x\u0000y"]}', 422, "invalid_text"),
    "NUL in a name": (rb'{"\u0000": 1}', 422, "invalid_text"),
    "too deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), 400, "json_too_complex"),
    "too deep in objects": (b'{"a":[' * 17 + b"]}" * 17, 400, "json_too_complex"),
    "a million brackets": (b"[" * 10**6, 400, "json_too_complex"),
    "a million objects in each other": (b'{"a":' * 10**6, 400, "json_too_complex"),
    "one value too many": (b"[" + b"1," * (MAX_NODES - 1) + b"1]", 400, "json_too_complex"),
    "one text too many": (b"[" + b'"",' * (MAX_NODES - 1) + b'""]', 400, "json_too_complex"),
    "one empty object too many": (b"[" + b"{}," * (MAX_NODES - 1) + b"{}]", 400, "json_too_complex"),
    "a name too long": (b'{"' + b"k" * 257 + b'": 1}', 400, "json_too_complex"),
    "a name too long in Japanese": (('{"' + "日" * 257 + '": 1}').encode(), 400, "json_too_complex"),
    "a name too long in escapes": (b'{"' + rb"\u65e5" * 257 + b'": 1}', 400, "json_too_complex"),
    "a name too long among others": (b'{"a": [{"b": 1, "' + b"k" * 257 + b'": 1}]}', 400, "json_too_complex"),
    "a name twice": (b'{"a": 1, "b": 2, "a": 1}', 400, "duplicate_key"),
    "a name twice, written differently": (rb'[{"a": {"A": 1, "\u0041": 2}}]', 400, "duplicate_key"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_json_is_taken(name: str) -> None:
    body, value = TAKEN[name]
    assert parse(body) == value


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_json_or_a_bomb_is_refused(name: str) -> None:
    body, status, code = REFUSED[name]
    started = time.process_time()
    with pytest.raises(Refusal) as refused:
        parse(body)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert refused.value.detail.endswith(".")
    assert refused.value.hint
    assert time.process_time() - started < 2  # it takes milliseconds; what grows with the square takes minutes


@pytest.mark.parametrize(
    "body",
    [
        f'{{"{SECRET}": 1, "{SECRET}": 2}}',
        f'{{"key": {SECRET}}}',
        f'"{SECRET}\\x41"',
        f'"{SECRET}\\ud800"',
        f'"{SECRET}\\u0000"',
        f'{{"{SECRET * 50}": 1}}',
        f'["{SECRET}", NaN]',
        "31415926535897932384626433832795",
    ],
)
def test_nothing_that_was_sent_is_repeated(body: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(body.encode())
    said = f"{refused.value} {refused.value.detail} {refused.value.hint} {dict(refused.value.headers)}"
    assert SECRET not in said
    assert "314" not in said


@pytest.mark.parametrize(
    "body",
    [
        b"]" * 4_000_000,
        b'"",' * 2_000_000,
        b"{}" * 2_000_000,
        b'"' + rb"\"" * 1_000_000,
        b'"' * 4_000_000,
        b"\\" * 4_000_000,
        b" " * 4_000_000,
        b"," * 4_000_000,
        b"-" * 4_000_000,
        b"1." + b"1" * 4_000_000 + b"e",
        b'"' + rb"\ud800" * 600_000 + b'"',
    ],
    ids=range(11),
)
def test_megabytes_of_nonsense_cost_what_megabytes_cost(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(Refusal):
        parse(body)
    assert time.process_time() - started < 2
