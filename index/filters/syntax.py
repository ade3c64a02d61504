"""A filter as a tree of frozen objects: what both its forms, words and JSON, are read into and written from."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from lfm2_colbert.errors import InvalidFilterError

MAX_DEPTH = 16
MAX_TERMS = 256
"""Conditions, and the values of their lists, in a filter."""
MAX_FILTER_CHARACTERS = 65_536
MAX_VALUE_CHARACTERS = 1024
"""As long as an id may be; longer strings of documents are texts, which are not compared."""

Value = bool | int | float | str


class Operator(StrEnum):
    """What a condition asks of a field; the values are the words of the JSON form."""

    EQUAL = "eq"
    UNEQUAL = "ne"
    LESS = "lt"
    AT_MOST = "lte"
    GREATER = "gt"
    AT_LEAST = "gte"
    IN = "in"
    NOT_IN = "nin"
    RANGE = "range"
    HAS = "has"
    PREFIX = "prefix"
    EXISTS = "exists"


SIGNS = {
    Operator.EQUAL: "=",
    Operator.UNEQUAL: "!=",
    Operator.LESS: "<",
    Operator.AT_MOST: "<=",
    Operator.GREATER: ">",
    Operator.AT_LEAST: ">=",
    Operator.IN: "in",
    Operator.NOT_IN: "not in",
    Operator.RANGE: "in",
    Operator.HAS: "has",
    Operator.PREFIX: "prefix",
    Operator.EXISTS: "exists",
}
"""How filters in words write them."""
LISTED = (Operator.IN, Operator.NOT_IN, Operator.RANGE)
"""Those that take several values."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One question about one field.

    Attributes:
        field: NFC.
        operator: which question.
        values: what is compared with: none for `EXISTS`, two for `RANGE` (both included), one or more for `IN` and
            `NOT_IN`, else one. Strings are NFC.
        place: where the filter says it, for people.
    """

    field: str
    operator: Operator
    values: tuple[Value, ...] = ()
    place: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Every passage that `term` does not match."""

    term: "Filter"


@dataclass(frozen=True, slots=True)
class And:
    """What all of two or more terms match."""

    terms: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What any of two or more terms matches."""

    terms: tuple["Filter", ...]


Filter = Condition | Not | And | Or


def require_size(tree: Filter) -> Filter:
    """Give the filter back.

    Raises:
        InvalidFilterError: it is nested deeper than `MAX_DEPTH`, or has more than `MAX_TERMS` terms.
    """
    if _depth(tree) > MAX_DEPTH:
        raise too_deep()
    n_terms = _terms(tree)
    if n_terms > MAX_TERMS:
        raise InvalidFilterError(
            f"the filter has {n_terms} conditions and listed values, more than {MAX_TERMS}",
            help="ask for a range or a prefix, or mark the documents with a field of their own",
        )
    return tree


def too_deep() -> InvalidFilterError:
    """Say that a filter is nested too deep."""
    return InvalidFilterError(f"the filter is nested deeper than {MAX_DEPTH}", help="take parentheses away")


def _depth(tree: Filter) -> int:
    if isinstance(tree, Condition):
        return 0
    return 1 + max(_depth(term) for term in ((tree.term,) if isinstance(tree, Not) else tree.terms))


def _terms(tree: Filter) -> int:
    if isinstance(tree, Condition):
        return max(len(tree.values), 1)
    return sum(_terms(term) for term in ((tree.term,) if isinstance(tree, Not) else tree.terms))
