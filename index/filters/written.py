"""A filter's tree, written in words that read back into the same tree."""

import json

from index.filters.grammar import NAME, WORDS
from index.filters.syntax import LISTED, SIGNS, And, Condition, Filter, Not, Operator, Or, Value


def written(tree: Filter) -> str:
    """Write a filter; two filters are written alike only if they are alike, which `==` says of 1 and true too."""
    if isinstance(tree, Condition):
        return f"{_field(tree.field)} {_asked(tree)}"
    if isinstance(tree, Not):
        return f"not {_term(tree.term)}"
    return (" and " if isinstance(tree, And) else " or ").join(map(_term, tree.terms))


def _term(tree: Filter) -> str:
    return f"({written(tree)})" if isinstance(tree, And | Or) else written(tree)


def _asked(condition: Condition) -> str:
    sign, values = SIGNS[condition.operator], [_value(value) for value in condition.values]
    if condition.operator is Operator.RANGE:
        return f"{sign} {'..'.join(values)}"
    if condition.operator in LISTED:
        return f"{sign} ({', '.join(values)})"
    return " ".join([sign, *values])


def _field(name: str) -> str:
    plain = NAME.fullmatch(name) and name.lower() not in WORDS
    return name if plain else _value(name)


def _value(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)
