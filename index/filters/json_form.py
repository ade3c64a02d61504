"""A filter as JSON: the shape of OpenAI's vector-store search, and the conditions that it lacks."""

import json
import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from index.filters.syntax import (
    LISTED,
    MAX_DEPTH,
    MAX_FILTER_CHARACTERS,
    And,
    Condition,
    Filter,
    Not,
    Operator,
    Or,
    Value,
    require_size,
    too_deep,
)
from index.filters.values import normal
from lfm2_colbert.errors import InvalidFilterError, suggestion

TYPES = ("and", "or", "not", *Operator)
HELP = 'write for example: {"type": "eq", "key": "lang", "value": "de"}'


def from_text(text: str) -> Filter:
    """Read the JSON text of a filter.

    Raises:
        InvalidFilterError: it is none.
    """
    if len(text) > MAX_FILTER_CHARACTERS:
        raise InvalidFilterError(f"the filter has {len(text)} characters, more than {MAX_FILTER_CHARACTERS}")
    try:
        return from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidFilterError(f"the filter is no JSON: {error}", help=HELP) from error


def from_json(value: Mapping[str, Any]) -> Filter:
    """Read a filter from what its JSON text holds.

    Raises:
        InvalidFilterError: it is none; the message names the place.
    """
    return require_size(_filter(value, "the filter", 0))


def to_json(tree: Filter) -> dict[str, Any]:
    """Give what `from_json` reads back into the same tree."""
    if isinstance(tree, Not):
        return {"type": "not", "filter": to_json(tree.term)}
    if isinstance(tree, And | Or):
        kind = "and" if isinstance(tree, And) else "or"
        return {"type": kind, "filters": [to_json(term) for term in tree.terms]}
    asked: dict[str, Any] = {"type": tree.operator.value, "key": tree.field}
    if tree.operator is Operator.EXISTS:
        return asked
    return asked | {"value": list(tree.values) if tree.operator in LISTED else tree.values[0]}


def _filter(value: Any, place: str, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise too_deep()
    if not isinstance(value, Mapping):
        raise _error(place, f"an object with a type must stand here, not {_shown(value)}")
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        known = suggestion(str(kind), TYPES)
        raise InvalidFilterError(f"{place}: there is no type {_shown(kind)}", help=known)
    if kind == "not":
        _require_keys(value, {"filter"}, place)
        return Not(_filter(value["filter"], f"{place}.filter", depth + 1))
    if kind in ("and", "or"):
        return _joined(value, place, depth)
    return _condition(value, Operator(kind), place)


def _joined(value: Mapping[str, Any], place: str, depth: int) -> Filter:
    _require_keys(value, {"filters"}, place)
    filters = value["filters"]
    if not isinstance(filters, list | tuple) or not filters:
        raise _error(f"{place}.filters", f"one or more filters must stand here, not {_shown(filters)}")
    terms = tuple(_filter(each, f"{place}.filters[{i}]", depth + 1) for i, each in enumerate(filters))
    if len(terms) == 1:
        return terms[0]
    return And(terms) if value["type"] == "and" else Or(terms)


def _condition(value: Mapping[str, Any], operator: Operator, place: str) -> Condition:
    _require_keys(value, {"key"} if operator is Operator.EXISTS else {"key", "value"}, place)
    field = value["key"]
    if not isinstance(field, str):
        raise _error(f"{place}.key", f"the name of a field must stand here, not {_shown(field)}")
    _require_unicode(field, f"{place}.key")
    return Condition(unicodedata.normalize("NFC", field), operator, _values(value, operator, f"{place}.value"), place)


def _values(value: Mapping[str, Any], operator: Operator, place: str) -> tuple[Value, ...]:
    if operator is Operator.EXISTS:
        return ()
    given = value["value"]
    if operator not in LISTED:
        return (_value(given, place),)
    if not isinstance(given, list | tuple) or not given or (operator is Operator.RANGE and len(given) != 2):
        wanted = "a list of two values" if operator is Operator.RANGE else "a list of values"
        raise _error(place, f"{wanted} must stand here, not {_shown(given)}")
    return tuple(_value(each, f"{place}[{i}]") for i, each in enumerate(given))


def _value(value: Any, place: str) -> Value:
    if not isinstance(value, bool | int | float | str):
        raise _error(place, f"a string, a number, true or false must stand here, not {_shown(value)}")
    if isinstance(value, str):
        _require_unicode(value, place)
    held = normal(value)
    if isinstance(held, float) and not math.isfinite(held):
        raise _error(place, "a finite number must stand here")
    return held


def _require_keys(value: Mapping[str, Any], wanted: set[str], place: str) -> None:
    found = set(value) - {"type"}
    if found != wanted:
        listed = " and ".join(f'"{key}"' for key in sorted(wanted))
        raise _error(place, f'beside "type" it must have {listed} and no more')


def _require_unicode(text: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _error(place, "the string holds half a surrogate pair") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _error(place: str, reason: str) -> InvalidFilterError:
    return InvalidFilterError(f"{place}: {reason}", help=HELP)
