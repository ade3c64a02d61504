"""A filter in words, read into its tree: `lang = "de" and (year >= 2024 or tags has "news")`.

    filter      all ("or" all)*
    all         term ("and" term)*
    term        "not" term  |  "(" filter ")"  |  condition
    condition   field ("=" | "!=" | "<" | "<=" | ">" | ">=" | "has" | "prefix") value
             |  field "in" value ".." value  |  field ["not"] "in" "(" value ("," value)* ")"  |  field "exists"
    field       name  |  string
    value       string  |  number  |  "true"  |  "false"  |  date

Names begin with a letter of any script and go on with letters, marks, digits, "_", "-" and "."; others stand in quotes,
as those do that are words of the language.
"""

import json
import math
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import regex

from index.filters.syntax import (
    LISTED,
    MAX_DEPTH,
    MAX_FILTER_CHARACTERS,
    SIGNS,
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
from lfm2_colbert.errors import InvalidFilterError

ONE_VALUED = {sign: operator for operator, sign in SIGNS.items() if operator not in (*LISTED, Operator.EXISTS)}
TRUTHS = {"true": True, "false": False}
WORDS = frozenset({"and", "or", "not", "in", "has", "prefix", "exists", *TRUTHS})
"""Of the language, in small or capital letters; a field of such a name stands in quotes."""
NAME = regex.compile(r"[\p{XID_Start}_](?:[\p{XID_Continue}\-]|\.(?!\.))*")
TOKENS = regex.compile(
    r"""(?P<space>\s+)
    | (?P<foreign>==|<>|&&|\|\||!(?!=)|[“”„‘’])
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:]+(?:\.[0-9]+)?(?:Z|[+-][0-9:]+)?)?)
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<name>"""
    + NAME.pattern
    + r""")
    | (?P<sign>\.\.|!=|<=|>=|[=<>(),])""",
    regex.VERBOSE | regex.DOTALL,
)
HELP = 'write for example: lang = "de" and year >= 2024'
MEANT = {"==": "=", "<>": "!=", "&&": "and", "||": "or", "!": "not", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'"}
"""What people write out of habit, or what a word processor made of it."""


class Token(NamedTuple):
    """A piece of the filter: what kind it is, its characters, and where it begins."""

    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """The word of the language or the sign that it is; else empty."""
        lowered = self.text.lower()
        is_word = self.kind == "sign" or (self.kind == "name" and lowered in WORDS)
        return lowered if is_word else ""


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        InvalidFilterError: it is none; the message names the place.
    """
    if len(text) > MAX_FILTER_CHARACTERS:
        raise InvalidFilterError(
            f"the filter has {len(text)} characters, more than {MAX_FILTER_CHARACTERS}", help="ask for less at a time"
        )
    return require_size(_Parser(text).whole())


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while at < len(text):
        match = TOKENS.match(text, at)
        if match is None or match.lastgroup == "foreign":
            raise _unreadable(text, at)
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


class _Parser:
    """Reads the grammar above, a method a rule."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, self._next, self._depth = text, _tokens(text), 0, 0

    def whole(self) -> Filter:
        found = self._any()
        if self._token.kind != "end":
            raise self._expected('"and", "or" or the end')
        return found

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _took(self, *words: str) -> bool:
        """Step over these words if they come next."""
        ahead = [token.word for token in self._tokens[self._next : self._next + len(words)]]
        if ahead != list(words):
            return False
        self._next += len(words)
        return True

    def _any(self) -> Filter:
        terms = self._joined(self._all, "or")
        return terms[0] if len(terms) == 1 else Or(terms)

    def _all(self) -> Filter:
        terms = self._joined(self._term, "and")
        return terms[0] if len(terms) == 1 else And(terms)

    def _joined(self, rule: Callable[[], Filter], word: str) -> tuple[Filter, ...]:
        terms = [rule()]
        while self._took(word):
            terms.append(rule())
        return tuple(terms)

    def _term(self) -> Filter:
        if self._took("not"):
            return Not(self._deeper(self._term))
        if not self._took("("):
            return self._condition()
        found = self._deeper(self._any)
        self._require(")")
        return found

    def _deeper(self, rule: Callable[[], Filter]) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise too_deep()
        found = rule()
        self._depth -= 1
        return found

    def _condition(self) -> Condition:
        place = f"the filter at character {self._token.start + 1}"
        field = self._field()
        if self._took("exists"):
            return Condition(field, Operator.EXISTS, (), place)
        if self._took("not", "in"):
            return Condition(field, Operator.NOT_IN, self._list(), place)
        if self._took("in"):
            if self._token.word == "(":
                return Condition(field, Operator.IN, self._list(), place)
            return Condition(field, Operator.RANGE, self._range(), place)
        operator = ONE_VALUED.get(self._token.word)
        if operator is None:
            raise self._expected("an operator (= != < <= > >= in has prefix exists)")
        self._take()
        return Condition(field, operator, (self._value(),), place)

    def _field(self) -> str:
        if self._token.word or self._token.kind not in ("name", "string"):
            raise self._expected("a field")
        token = self._take()
        name = self._unquoted(token) if token.kind == "string" else token.text
        return unicodedata.normalize("NFC", name)

    def _list(self) -> tuple[Value, ...]:
        self._require("(")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._require(")")
        return tuple(values)

    def _range(self) -> tuple[Value, Value]:
        low = self._value()
        self._require("..")
        return low, self._value()

    def _value(self) -> Value:
        token = self._token
        if token.word in TRUTHS:
            self._take()
            return TRUTHS[token.word]
        if token.kind not in ("string", "number", "date"):
            raise self._expected("a value (a string in quotes, a number, a date, true or false)")
        self._take()
        if token.kind == "number":
            return self._number(token)
        return normal(self._unquoted(token) if token.kind == "string" else token.text)

    def _number(self, token: Token) -> Value:
        try:
            read = normal(int(token.text))
        except ValueError:  # no integer, or one of thousands of digits
            read = float(token.text)
        if isinstance(read, float) and not math.isfinite(read):
            raise _error(self._text, token.start, "no number is as large as this")
        return read

    def _unquoted(self, token: Token) -> str:
        """Read a string with the escapes of JSON; in single quotes a backslash before such a quote too."""
        inside = token.text[1:-1]
        if token.text[0] == "'":
            inside = regex.sub(
                r"\\.|\"", lambda m: {"\\'": "'", '"': '\\"'}.get(m[0], m[0]), inside, flags=regex.DOTALL
            )
        try:
            text = str(json.loads(f'"{inside}"', strict=False))
            text.encode()
        except ValueError as error:
            reason = "the string holds a backslash that escapes nothing, or half a surrogate pair"
            raise _error(self._text, token.start, reason, 'write \\\\ for a backslash and \\" for a quote') from error
        return text

    def _require(self, sign: str) -> None:
        if not self._took(sign):
            raise self._expected(f'"{sign}"')

    def _expected(self, what: str) -> InvalidFilterError:
        token = self._token
        came = f"not '{token.text}'" if token.text else "where it ends"
        taken = f'the word "{token.text}" is part of the language: put it in quotes'
        return _error(
            self._text, token.start, f"{what} must stand here, {came}", taken if token.word in WORDS else HELP
        )


def _unreadable(text: str, at: int) -> InvalidFilterError:
    meant = next((right for wrong, right in MEANT.items() if text.startswith(wrong, at)), None)
    if text[at] in "\"'":
        return _error(text, at, "this quote is never closed", "close it with the same quote")
    return _error(
        text,
        at,
        f"'{TOKENS.match(text, at)[0] if meant else text[at]}' means nothing here",
        f"write {meant} instead" if meant else HELP,
    )


def _error(text: str, at: int, reason: str, help: str = HELP) -> InvalidFilterError:
    rest = text[at : at + 24]
    shown = f", before '{rest}'" if rest else ""
    return InvalidFilterError(f"the filter at character {at + 1}{shown}: {reason}", help=help)
