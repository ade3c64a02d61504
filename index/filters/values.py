"""What a filter compares: the typed values of metadata, and the literals of a filter."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from index.filters.syntax import MAX_VALUE_CHARACTERS, Value

ISO_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1) // MICROSECOND
INTEGERS = range(-(2**63), 2**63)
"""What SQLite stores as an integer; others are compared as floats."""
BUILT_IN = ("id", "lang", "path")
"""Fields of every collection; metadata under these names is called ``metadata.`` and the name."""


class FieldType(StrEnum):
    """What a value may be compared as. `TEXT` and `OTHER` only exist."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DATE = "date"
    KEYWORD = "keyword"
    KEYWORDS = "keywords"
    TEXT = "text"
    OTHER = "other"


class TypedValue(NamedTuple):
    """A value as it is stored: dates as microseconds since 1970, booleans as 0 and 1, texts and others as ''."""

    field: str
    type: FieldType
    value: int | float | str


class Moments(NamedTuple):
    """The microseconds since 1970 that a date stands for: from the first to the last, both included."""

    first: int
    last: int


def typed_values(metadata: Mapping[str, Any]) -> list[TypedValue]:
    """Give what can be asked about a document's metadata: its top-level keys, without those that hold null.

    Keys and strings are brought into NFC. Keys that become one then hold a list of the values.
    """
    gathered: dict[str, list[Any]] = {}
    for key, value in metadata.items():
        name = unicodedata.normalize("NFC", key)
        gathered.setdefault(f"metadata.{name}" if name in BUILT_IN else name, []).append(value)
    merged = {name: values if len(values) > 1 else values[0] for name, values in gathered.items()}
    found = [TypedValue(name, *typed) for name, value in merged.items() for typed in _typed(value)]
    return list(dict.fromkeys(found))


def normal(value: Value) -> Value:
    """Give a literal the form in which values are stored: strings in NFC, integers beyond 64 bits as floats."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return value if isinstance(value, bool | float) else number(value)


def number(value: int) -> int | float:
    """Give an integer as SQLite can hold it; −inf or inf beyond all floats."""
    if value in INTEGERS:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def moments(text: str) -> Moments | None:
    """Read an ISO 8601 date or time, UTC where it names no zone: a date is its whole day. None: it is neither."""
    if not ISO_DATE.fullmatch(text):
        return None
    try:
        read = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    first = ((read if read.tzinfo else read.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
    return Moments(first, first + DAY - 1 if len(text) == len("2024-01-31") else first)


def _typed(value: Any) -> Iterator[tuple[FieldType, int | float | str]]:
    if isinstance(value, bool):
        yield FieldType.BOOLEAN, int(value)
    elif isinstance(value, int | float):
        held = value if isinstance(value, float) else number(value)
        kind = FieldType.FLOAT if isinstance(value, float) else FieldType.INTEGER
        yield (kind, held) if math.isfinite(held) else (FieldType.OTHER, "")
    elif isinstance(value, str):
        yield from _string(unicodedata.normalize("NFC", value))
    elif value is not None:
        yield from _list(value)


def _string(value: str) -> Iterator[tuple[FieldType, int | str]]:
    if len(value) > MAX_VALUE_CHARACTERS:
        yield FieldType.TEXT, ""
        return
    yield FieldType.KEYWORD, value
    date = moments(value)
    if date:
        yield FieldType.DATE, date.first


def _list(value: Any) -> Iterator[tuple[FieldType, str]]:
    """Give the strings of a list that can be compared; a list without such, or with other things, only exists."""
    words = value if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value) else ()
    short = [
        word for word in (unicodedata.normalize("NFC", item) for item in words) if len(word) <= MAX_VALUE_CHARACTERS
    ]
    yield from ((FieldType.KEYWORDS, word) for word in short)
    if not short:
        yield FieldType.OTHER, ""
