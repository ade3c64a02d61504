"""Filters by law: what is written reads back, and a filtered search is the search of what a slow evaluator leaves."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Collection, Document
from index.filters.grammar import parse
from index.filters.json_form import from_json, to_json
from index.filters.syntax import And, Condition, Filter, Not, Operator, Or, Value
from index.filters.written import written
from lfm2_colbert.errors import InvalidFilterError

STRINGS = [
    "x", "xy", "ä", "a\u0308", "東京", "東京都", "서울", "กรุงเทพ", "القاهرة", "👨‍👩‍👧",
    "'; DROP TABLE documents; --", 'say "no"', "a\0b", "a", "\\", "%", "x\U0010ffff", "\ud7ff",
    "2024-05-01", "2024-05-02T10:00:00Z", "2024-05-01T23:30:00-02:00", "2024-02-30", "", "true", "1",
]  # fmt: skip
NUMBERS = [0, 1, -1, 1.0, 0.5, 2024, 2024.5, 2**63, -(2**63), 10**30, 1e30]
LISTS = [["x", "東京"], ["ä"], [], ["x", 1], [1, 2], ["2024-05-01"], ["y" * 1025], ["y" * 1025, "x"]]
OTHERS = [None, {"a": 1}, "z" * 1025, [["x"]]]
NAMES = ["a", "b", "Größe", "Gro\u0308ße", "日付", "and", "a b", "👨‍👩‍👧", "lang", "\"'; --"]
FIELDS = [*NAMES, "metadata.lang", "id", "path", "unknown"]
WORDS = ("Hund", "東京", "서울", "باريس", "dog", "กรุงเทพ", "Baum", "tree")
QUERY = "the Hund 東京 서울 tree"

values = st.sampled_from([*STRINGS, *NUMBERS, True, False])
any_text = st.text(max_size=12)
any_value = st.one_of(
    values, any_text, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
).map(lambda value: unicodedata.normalize("NFC", value) if isinstance(value, str) else value)
any_name = st.one_of(st.sampled_from(FIELDS), any_text).map(lambda name: unicodedata.normalize("NFC", name))


def conditions(names: st.SearchStrategy[str], literals: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    lists = st.lists(literals, min_size=1, max_size=3).map(tuple)
    one, two = st.tuples(literals), st.tuples(literals, literals)
    counts = {Operator.EXISTS: st.just(()), Operator.RANGE: two, Operator.IN: lists, Operator.NOT_IN: lists}
    return st.one_of(st.builds(Condition, names, st.just(operator), counts.get(operator, one)) for operator in Operator)


def trees(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Filter]:
    def joined(terms: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
        several = st.lists(terms, min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(Not, terms), st.builds(And, several), st.builds(Or, several))

    return st.recursive(leaves, joined, max_leaves=6)


def exactly(tree: Filter) -> str:
    """Tell 1, 1.0 and true apart, which `==` does not; places do not count."""
    return re.sub(r", place='the filter at character \d+'|, place=''", "", repr(tree))


in_range = any_value.filter(lambda value: isinstance(value, str | float) or -(2**63) <= value < 2**63)


@given(tree=trees(conditions(any_name, in_range)))
def test_what_is_written_in_words_reads_back(tree: Filter) -> None:
    assert exactly(parse(written(tree))) == exactly(tree)


@given(tree=trees(conditions(any_name, in_range)))
def test_what_is_written_in_json_reads_back(tree: Filter) -> None:
    assert written(from_json(to_json(tree))) == written(tree)
    assert from_json(to_json(tree)) == tree


@given(
    text=st.one_of(
        any_text, st.lists(st.sampled_from("a 1 \" ' = ( ) and or not in , .. has -- ; \\ 東".split())).map(" ".join)
    )
)
def test_any_text_is_a_filter_or_a_coded_error(text: str) -> None:
    try:
        tree = parse(text)
    except InvalidFilterError:
        return
    assert parse(written(tree)) == tree


# A slow evaluator, made of the guide's words alone.


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def moment(text: str) -> tuple[datetime, datetime] | None:
    if len(text) not in (10, 20, 25) or text[4:5] != "-":
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return read, read + (timedelta(days=1, microseconds=-1) if len(text) == 10 else timedelta())


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> int | float:
    return value if isinstance(value, float) or -(2**63) <= value < 2**63 else float(value)


def held(document: Document, language: str, name: str) -> list[Any]:
    """Give the values under a name: [] where there is none."""
    if name in ("id", "lang", "path"):
        return {"id": [document.id], "lang": [language], "path": []}[name]
    found = [value for key, value in document.metadata.items() if nfc(key).replace("lang", "metadata.lang") == name]
    return found if len(found) <= 1 else [found]  # keys that become one hold a list


def words_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [nfc(value)] if len(nfc(value)) <= 1024 else []
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return [nfc(word) for word in value if len(nfc(word)) <= 1024]
    return []


def single(value: Any) -> list[str]:
    return [] if isinstance(value, list) else words_of(value)


def equals(value: Any, literal: Value) -> bool:
    if isinstance(literal, bool) or isinstance(value, bool):
        return value is literal
    if is_number(literal):
        return is_number(value) and number(value) == number(literal)
    day = moment(str(literal))
    return any(
        word == literal or bool(day and moment(word) and day[0] <= moment(word)[0] <= day[1])  # type: ignore[index]
        for word in single(value)
    )


def ordered(value: Any, literal: Value, test: Callable[[Any, Any, Any], bool]) -> bool:
    """Compare with the first and last moment of a date, or twice with a number."""
    if is_number(literal):
        return is_number(value) and test(number(value), number(literal), number(literal))
    return any(test(day[0], *moment(str(literal))) for word in single(value) if (day := moment(word)))  # type: ignore[misc]


TESTS: dict[Operator, Callable[[Any, tuple[Value, ...]], bool]] = {
    Operator.EXISTS: lambda value, _: value is not None,
    Operator.EQUAL: lambda value, literals: equals(value, literals[0]),
    Operator.UNEQUAL: lambda value, literals: value is not None and not equals(value, literals[0]),
    Operator.IN: lambda value, literals: any(equals(value, literal) for literal in literals),
    Operator.NOT_IN: lambda value, literals: value is not None and not any(equals(value, each) for each in literals),
    Operator.LESS: lambda value, literals: ordered(value, literals[0], lambda v, first, last: v < first),
    Operator.AT_MOST: lambda value, literals: ordered(value, literals[0], lambda v, first, last: v <= last),
    Operator.GREATER: lambda value, literals: ordered(value, literals[0], lambda v, first, last: v > last),
    Operator.AT_LEAST: lambda value, literals: ordered(value, literals[0], lambda v, first, last: v >= first),
    Operator.RANGE: lambda value, literals: (
        ordered(value, literals[0], lambda v, first, last: v >= first)
        and ordered(value, literals[1], lambda v, first, last: v <= last)
    ),
    Operator.HAS: lambda value, literals: literals[0] in words_of(value),
    Operator.PREFIX: lambda value, literals: any(word.startswith(str(literals[0])) for word in words_of(value)),
}


def matches(tree: Filter, document: Document, language: str) -> bool:
    if isinstance(tree, Not):
        return not matches(tree.term, document, language)
    if isinstance(tree, And | Or):
        return (all if isinstance(tree, And) else any)(matches(term, document, language) for term in tree.terms)
    return any(TESTS[tree.operator](value, tree.values) for value in held(document, language, tree.field))


def comparable(tree: Filter, documents: list[Document]) -> bool:
    """Whether every condition could match some value of its field by its type."""
    if isinstance(tree, Not):
        return comparable(tree.term, documents)
    if isinstance(tree, And | Or):
        return all(comparable(term, documents) for term in tree.terms)
    found = [value for each in documents for value in held(each, "de", tree.field) if value is not None]
    if not found and tree.field != "path":
        return False
    if tree.operator is Operator.RANGE and is_number(tree.values[0]) != is_number(tree.values[1]):
        return False
    return all(_comparable(tree, literal, found or ["x"]) for literal in tree.values)


def _comparable(condition: Condition, literal: Value, found: list[Any]) -> bool:
    if condition.operator in (Operator.HAS, Operator.PREFIX):
        return isinstance(literal, str) and any(words_of(value) for value in found)
    if condition.operator in (Operator.EQUAL, Operator.UNEQUAL, Operator.IN, Operator.NOT_IN):
        if isinstance(literal, str):
            return any(single(value) for value in found)
    elif isinstance(literal, str):
        return (
            moment(literal) is not None
            and any(moment(word) for v in found for word in single(v))
            and condition.field not in ("id", "lang", "path")
        )
    elif isinstance(literal, bool):
        return False
    kind = bool if isinstance(literal, bool) else int | float
    return any(isinstance(value, kind) and isinstance(value, bool) is isinstance(literal, bool) for value in found)


def documents() -> list[Document]:
    """Every value under every name, in documents of different words; ids of several scripts and forms."""
    pool = [*STRINGS, *NUMBERS, True, False, *LISTS, *OTHERS]
    made = []
    for i in range(60):
        text = f"{WORDS[i % 8]} {WORDS[i // 8]} number {i}"
        metadata = {name: pool[(7 * i + 11 * j) % len(pool)] for j, name in enumerate(NAMES) if (i + j) % 3}
        metadata["kind"] = "seldom" if i == 17 else "often"
        made.append(Document(f"{STRINGS[i % 10]}/{i}", text, metadata))
    return made


class Asked:
    """A collection, its documents with the language of their one passage, and how they rank."""

    def __init__(self, collection: Collection) -> None:
        self.collection, self.documents = collection, documents()
        collection.add(self.documents)
        self.ranked = collection.search(QUERY, k=1000, effort="exact", highlight=False).hits
        self.languages = {hit.document_id: hit.language for hit in self.ranked}
        assert len(self.ranked) == len(self.documents)

    def expected(self, tree: Filter) -> list[tuple[str, float]]:
        by_id = {each.id: each for each in self.documents}
        kept = {key for key, each in by_id.items() if matches(tree, each, self.languages[key])}
        return [(hit.document_id, hit.raw_score) for hit in self.ranked if hit.document_id in kept]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path_factory.mktemp("home")) as collection:
        yield Asked(collection)


known_values = values.map(lambda value: nfc(value) if isinstance(value, str) else value)
leaves = conditions(st.sampled_from([nfc(name) for name in [*FIELDS, "kind"]]), known_values)


@given(tree=trees(leaves))
def test_a_filtered_search_is_the_search_of_what_a_slow_evaluator_leaves(asked: Asked, tree: Filter) -> None:
    if not comparable(tree, asked.documents):
        with pytest.raises(InvalidFilterError):
            asked.collection.search(QUERY, where=to_json(tree))
        return
    for where in (to_json(tree), written(tree)):
        hits = asked.collection.search(QUERY, k=1000, effort="exact", where=where, highlight=False).hits
        assert [(hit.document_id, hit.raw_score) for hit in hits] == asked.expected(tree)


def counted_as(field: str, value: Any) -> set[Any]:
    if field == "id" or isinstance(value, bool):
        return {value}
    return {number(value)} if is_number(value) else set(words_of(value))


@given(tree=trees(leaves), field=st.sampled_from(["a", "b", "Größe", "kind", "lang", "id", "metadata.lang"]))
def test_facets_count_what_a_slow_evaluator_leaves(asked: Asked, tree: Filter, field: str) -> None:
    if not comparable(tree, asked.documents):
        return
    counted: Counter[tuple[bool, Any]] = Counter()
    for each in asked.documents:
        if matches(tree, each, asked.languages[each.id]):
            for value in held(each, asked.languages[each.id], field):
                for shown in counted_as(field, value):
                    counted[isinstance(shown, bool), shown] += 1
    found = asked.collection.facets(field, where=written(tree), limit=1000)
    assert {(isinstance(each.value, bool), each.value): each.documents for each in found} == counted
    assert [each.documents for each in found] == sorted(counted.values(), reverse=True)


def test_no_filter_changes_what_is_stored(asked: Asked) -> None:
    assert asked.collection.counts().documents == len(asked.documents)
    for text in STRINGS:
        where = {
            "type": "or",
            "filters": [{"type": "eq", "key": "id", "value": text}, {"type": "prefix", "key": "id", "value": text}],
        }
        asked.collection.search(QUERY, where=where)
    assert asked.collection.counts().documents == len(asked.documents)
