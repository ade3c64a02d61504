"""One condition of a filter as look-ups in the database: what it may ask of a field's types, and the SQL that asks it.

SQL is put together from the constants of this file alone; names and values are bound.
"""

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from index.filters.syntax import SIGNS, Condition, Operator, Value
from index.filters.values import FieldType, Moments, moments
from lfm2_colbert.errors import InvalidFilterError

ORDERED = {
    Operator.LESS: ("{0} < ?", "first"),
    Operator.AT_MOST: ("{0} <= ?", "last"),
    Operator.GREATER: ("{0} > ?", "last"),
    Operator.AT_LEAST: ("{0} >= ?", "first"),
}
"""The test of a column, and which end of what a literal stands for it is compared with."""
ORDERS = (*ORDERED, Operator.RANGE)
WORDS = (Operator.HAS, Operator.PREFIX)
VALUES = "SELECT json_group_array(document) FROM field_values WHERE field = ?"
BUILT_IN = {
    "id": ("SELECT json_group_array(key) FROM documents WHERE 1", "id"),
    "path": (
        "SELECT json_group_array(d.key) FROM sources s JOIN documents d ON d.source = s.key "
        "WHERE s.root IN (SELECT key FROM roots)",
        "s.path",
    ),
    "lang": ("SELECT json_group_array(segment << 32 | row) FROM passages WHERE 1", "language"),
}
"""Where the fields of every collection are looked up, and in which column."""
LAST_CHARACTER = "\U0010ffff"


class Lookup(NamedTuple):
    """A query for one JSON array: of keys of documents, for ``lang`` of segment · 2³² + row."""

    sql: str
    bindings: tuple[int | float | str, ...]


class Test(NamedTuple):
    """A test of a column, with its bound values."""

    sql: str
    bindings: tuple[int | float | str, ...]


def lookups(condition: Condition, fields: Mapping[FieldType, int]) -> list[Lookup]:
    """Give the queries that together find what a condition matches; not for `UNEQUAL` and `NOT_IN`.

    Args:
        condition: checked by `require_types`.
        fields: the types that the field has, and the key under which each is stored.
    """
    if condition.field in BUILT_IN:
        sql, column = BUILT_IN[condition.field]
        return [Lookup(f"{sql} AND {t.sql}", t.bindings) for t in _tests(_named(condition), FieldType.KEYWORD, column)]
    return [
        Lookup(f"{VALUES} AND {test.sql}", (key, *test.bindings))
        for kind, key in fields.items()
        if condition.operator is not Operator.EXISTS or kind is not FieldType.DATE  # these are keywords too
        for test in _tests(condition, kind, "value")
    ]


def require_types(condition: Condition, held: Collection[FieldType]) -> None:
    """Refuse a comparison that none of the field's values could ever pass.

    Raises:
        InvalidFilterError: see above; its help says what would do.
    """
    for value in condition.values:
        wanted = _comparable(condition, value)
        if not wanted & set(held):
            raise InvalidFilterError(
                f"{condition.place}: '{condition.field}' holds {' and '.join(held)}, which "
                f"{_asked(condition.operator, value)} cannot match",
                help=_way_out(condition, value, held),
            )
    if condition.operator is Operator.RANGE and not frozenset.intersection(*map(_kinds, condition.values)):
        raise InvalidFilterError(
            f"{condition.place}: the two ends of a range must be of one kind", help="write two numbers or two dates"
        )


def _comparable(condition: Condition, value: Value) -> frozenset[FieldType]:
    """Name the types whose values the operator may compare with this one.

    Raises:
        InvalidFilterError: there are none.
    """
    kinds = _kinds(value)
    if condition.operator in ORDERS:
        kinds -= {FieldType.KEYWORD, FieldType.BOOLEAN}
        way_out = "order is for numbers and dates like 2024-01-31"
    elif condition.operator in WORDS:
        kinds = frozenset({FieldType.KEYWORD, FieldType.KEYWORDS} if isinstance(value, str) else ())
        way_out = f"{SIGNS[condition.operator]} takes a string in quotes"
    if not kinds:
        raise InvalidFilterError(f"{condition.place}: {_asked(condition.operator, value)} has no meaning", help=way_out)
    return kinds


def _kinds(value: Value) -> frozenset[FieldType]:
    if isinstance(value, bool):
        return frozenset({FieldType.BOOLEAN})
    if isinstance(value, str):
        return frozenset({FieldType.KEYWORD, FieldType.DATE} if moments(value) else {FieldType.KEYWORD})
    return frozenset({FieldType.INTEGER, FieldType.FLOAT})


def _asked(operator: Operator, value: Value) -> str:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"{SIGNS[operator]} {shown if len(shown) <= 40 else shown[:40] + '…'}"


def _way_out(condition: Condition, value: Value, held: Collection[FieldType]) -> str:
    if FieldType.KEYWORDS in held and condition.operator not in WORDS:
        return f'it is a list: write {condition.field} has "…"'
    if isinstance(value, str) and {FieldType.INTEGER, FieldType.FLOAT} & set(held):
        return "write the number without quotes"
    if {FieldType.TEXT, FieldType.OTHER} >= set(held):
        return f"long texts and nested values only exist: write {condition.field} exists"
    return f"compare with a value of its type: {', '.join(held)}"


def _tests(condition: Condition, kind: FieldType, column: str) -> Iterator[Test]:
    """Give tests of a column that holds values of one type; a row passes if it passes any."""
    operator = condition.operator
    if operator is Operator.EXISTS:
        yield Test("1", ())
        return
    values = [value for value in condition.values if kind in _comparable(condition, value)]
    if operator is Operator.PREFIX:
        yield from (_prefix(column, str(value)) for value in values)
    elif operator is Operator.RANGE and len(values) == 2:
        low, high = (_moments(kind, value) for value in values)
        yield Test(f"{column} BETWEEN ? AND ?", (low[0], high[1]))
    elif operator in ORDERED:
        sql, end = ORDERED[operator]
        yield from (Test(sql.format(column), (_moments(kind, v)[end == "last"],)) for v in values)
    elif kind is FieldType.DATE:
        yield from (Test(f"{column} BETWEEN ? AND ?", _moments(kind, value)) for value in values)
    elif values:
        yield Test(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))


def _moments(kind: FieldType, value: Value) -> Moments | tuple[Value, Value]:
    """Give the first and the last stored value that a literal stands for."""
    day = moments(value) if kind is FieldType.DATE and isinstance(value, str) else None
    return day or (value, value)


def _prefix(column: str, prefix: str) -> Test:
    """SQLite orders text by its UTF-8, which is the order of code points: what begins alike lies together."""
    after = _following(prefix)
    if after is None:
        return Test(f"{column} >= ?", (prefix,))
    return Test(f"{column} >= ? AND {column} < ?", (prefix, after))


def _following(prefix: str) -> str | None:
    """Give the first text after all that begin with `prefix`; None where there is none."""
    kept = prefix.rstrip(LAST_CHARACTER)
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)  # no text holds half a surrogate pair


def _named(condition: Condition) -> Condition:
    """Let names match as they are stored: composed, or decomposed as some file systems give them."""
    forms = [unicodedata.normalize("NFD", value) for value in condition.values if isinstance(value, str)]
    values = tuple(dict.fromkeys((*condition.values, *forms)))
    return Condition(condition.field, condition.operator, values, condition.place)
