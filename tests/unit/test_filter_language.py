"""Filters in words and in JSON: what they are read into, and what is said where they cannot be read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from index.filters.grammar import parse
from index.filters.json_form import from_json, from_text, to_json
from index.filters.syntax import MAX_DEPTH, MAX_TERMS, And, Condition, Filter, Not, Operator, Or
from index.filters.written import written
from lfm2_colbert.errors import InvalidFilterError

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "filtering.md"


def equal(field: str, value: bool | int | float | str) -> Condition:
    return Condition(field, Operator.EQUAL, (value,))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('lang = "de"', equal("lang", "de")),
        ("lang='de'", equal("lang", "de")),
        ("year>=2024", Condition("year", Operator.AT_LEAST, (2024,))),
        ("price < -1.5e3", Condition("price", Operator.LESS, (-1500.0,))),
        ("draft = true AND not ok", None),
        ("draft = TRUE", equal("draft", True)),
        ("year in 2020..2024", Condition("year", Operator.RANGE, (2020, 2024))),
        ("x in 1.5 .. 2.5", Condition("x", Operator.RANGE, (1.5, 2.5))),
        ("day in 2024-01-31..2024-02-29", Condition("day", Operator.RANGE, ("2024-01-31", "2024-02-29"))),
        ("day < 2024-01-31T10:00:00+02:00", Condition("day", Operator.LESS, ("2024-01-31T10:00:00+02:00",))),
        ('lang in ("de", "ja")', Condition("lang", Operator.IN, ("de", "ja"))),
        ("year not in (1,2)", Condition("year", Operator.NOT_IN, (1, 2))),
        ('tags has "東京"', Condition("tags", Operator.HAS, ("東京",))),
        ('path prefix "بحث/"', Condition("path", Operator.PREFIX, ("بحث/",))),
        ("Straße exists", Condition("Straße", Operator.EXISTS)),
        ("กรุงเทพ = 1", equal("กรุงเทพ", 1)),
        ("서울 = 1", equal("서울", 1)),
        ('"👨‍👩‍👧 family" = 1', equal("👨‍👩‍👧 family", 1)),
        ('"and" = 1', equal("and", 1)),
        ("content-type.main = 1", equal("content-type.main", 1)),
        ('café = "cafe\u0301"', equal("café", "café")),
        ('cafe\u0301 = "a"', equal("café", "a")),
        (r'x = "a\"b\\c\u0000"', equal("x", 'a"b\\c\0')),
        (r"x = 'it\'s \"'", equal("x", "it's \"")),
        ("not a = 1 and b = 2", And((Not(equal("a", 1)), equal("b", 2)))),
        ("a = 1 or b = 2 and c = 3", Or((equal("a", 1), And((equal("b", 2), equal("c", 3)))))),
        ("(a = 1 or b = 2) and c = 3", And((Or((equal("a", 1), equal("b", 2))), equal("c", 3)))),
    ],
)  # fmt: skip
def test_a_filter_in_words_is_read_into_its_tree(text: str, tree: Filter | None) -> None:
    if tree is None:
        with pytest.raises(InvalidFilterError, match="an operator"):
            parse(text)
        return
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "place", "help"),
    [
        ("", 1, "write for example"),
        ("year", 5, "write for example"),
        ("year == 2024", 6, "write = instead"),
        ("year <> 2024", 6, "write != instead"),
        ("a = 1 && b = 2", 7, "write and instead"),
        ("a = 1 || b = 2", 7, "write or instead"),
        ("! a = 1", 1, "write not instead"),
        ("lang = “de”", 8, 'write " instead'),
        ("lang = de", 8, "write for example"),
        ('lang = "de', 8, "close it"),
        ("lang = 'de\\'", 8, "close it"),
        (r'lang = "\x"', 8, "write"),
        (r'lang = "\ud800"', 8, "write"),
        ("and = 1", 1, "put it in quotes"),
        ("(a = 1", 7, "write for example"),
        ("a = 1)", 6, "write for example"),
        ("a in ()", 7, "write for example"),
        ("a in 1", 7, "write for example"),
        ("a = 1 b = 2", 7, "write for example"),
        ("a = 1; DROP TABLE documents", 6, "write for example"),
        ("a = 1 -- x", 7, "write for example"),
        ("a = \0", 5, "write for example"),
        ("a = " + "9" * 400, 5, "write for example"),
        ("a = " + "9" * 5000, 5, "write for example"),
        ("a = 1e999", 5, "write for example"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, place: int, help: str) -> None:
    with pytest.raises(InvalidFilterError, match=f"^the filter at character {place}") as caught:
        parse(text)
    assert caught.value.code == "invalid_filter"
    assert help in caught.value.help


def test_filters_end_at_their_limits() -> None:
    deep = "(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH
    assert parse(deep) == equal("a", 1)
    assert parse("not " * MAX_DEPTH + "a = 1")
    many = " or ".join(["a = 1"] * MAX_TERMS)
    assert parse(many)
    for text in (
        f"({deep})",
        "not " * 100_000 + "a = 1",
        f"{many} or a = 1",
        "a in (" + "1," * MAX_TERMS + "1)",
        "(" * 70_000,
    ):
        with pytest.raises(InvalidFilterError):
            parse(text)
    for value in (_nested(MAX_DEPTH + 1), to_json(Or((equal("a", 1),) * (MAX_TERMS + 1)))):
        with pytest.raises(InvalidFilterError):
            from_json(value)
    with pytest.raises(InvalidFilterError):
        from_text('{"type":"not","filter":' * 5_000)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"type": "eq", "key": "a", "value": 1}
    for _ in range(depth):
        value = {"type": "not", "filter": value}
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"type": "eq", "key": "year", "value": 2024}, "year = 2024"),
        ({"type": "and", "filters": [{"type": "eq", "key": "year", "value": 2024}]}, "year = 2024"),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "in", "key": "lang", "value": ["de", "ja"]},
                    {"type": "nin", "key": "x", "value": [1]},
                    {"type": "not", "filter": {"type": "exists", "key": "a b"}},
                ],
            },
            'lang in ("de", "ja") or x not in (1) or not "a b" exists',
        ),
        ({"type": "range", "key": "x", "value": [1, 2.5]}, "x in 1..2.5"),
        ({"type": "ne", "key": "x", "value": True}, "x != true"),
    ],
)
def test_json_and_words_say_the_same(value: dict[str, Any], text: str) -> None:
    assert written(from_json(value)) == text
    assert from_text(json.dumps(value)) == from_json(value) == parse(text)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], "the filter: an object"),
        ({}, "the filter: there is no type None"),
        ({"type": "eqq"}, "the filter: there is no type 'eqq'"),
        ({"type": ["eq"]}, "the filter: there is no type"),
        ({"type": "eq", "key": "a"}, 'the filter: beside "type" it must have "key" and "value"'),
        ({"type": "eq", "key": "a", "value": 1, "and": 2}, "the filter: beside"),
        ({"type": "eq", "key": 1, "value": 1}, r"the filter\.key"),
        ({"type": "eq", "key": "a", "value": None}, r"the filter\.value"),
        ({"type": "eq", "key": "a", "value": [1]}, r"the filter\.value"),
        ({"type": "eq", "key": "a", "value": float("nan")}, r"the filter\.value: a finite number"),
        ({"type": "eq", "key": "a", "value": "\ud800"}, r"the filter\.value: the string holds half"),
        ({"type": "in", "key": "a", "value": []}, r"the filter\.value: a list of values"),
        ({"type": "range", "key": "a", "value": [1]}, r"the filter\.value: a list of two"),
        ({"type": "and", "filters": []}, r"the filter\.filters: one or more"),
        ({"type": "and", "filters": [{"type": "not", "filter": 7}]}, r"the filter\.filters\[0\]\.filter: an object"),
    ],
)
def test_json_that_is_no_filter_is_refused_with_its_place(value: Any, place: str) -> None:
    with pytest.raises(InvalidFilterError, match=place):
        from_json(value)


def test_what_the_guide_shows_can_be_read() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert parse(written(from_text(block))) == from_text(block)
    shown = re.findall(r"where[= ]'([^']+)'", text)
    section = text[text.index("## The language") : text.index("## What it means")]
    shown += [
        each
        for each in re.findall(r"`([^`]+)`", section)
        if re.search(r"\w (=|!=|<|in|not in|has|prefix|exists)", each)
    ]
    assert len(shown) >= 12
    for each in shown:
        assert parse(written(parse(each))) == parse(each)


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidFilterError, match="is no JSON"):
        from_text("{")
