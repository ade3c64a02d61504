"""Filters as a person uses them: over folders, rows and changing documents, at any selectivity, with facets."""

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document
from index.filters.values import FieldType
from index.selection import KEPT_FILTERS
from lfm2_colbert.errors import InvalidArgumentError, InvalidFilterError

QUERY = "der große Hund 東京"


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path / "home") as opened:
        yield opened


def found(collection: Collection, where: object) -> set[str]:
    hits = collection.search(QUERY, k=1000, where=where, highlight=False)  # type: ignore[arg-type]
    return {hit.document_id for hit in hits}


def add(collection: Collection) -> None:
    collection.add(
        [
            Document("de/1", "Der große Hund schläft.", {"year": 2023, "tags": ["tier", "haus"], "lang": "xx"}),
            Document("ja/1", "東京は日本の首都です。", {"year": 2024, "tags": ["都市"], "draft": True, "score": 0.5}),
            Document("ko/1", "서울은 수도이다.", {"year": 2024.5, "published": "2024-05-01", "note": {"a": 1}}),
            Document("ar/1", "عاصمة فرنسا", {"published": "2024-06-01T08:00:00+02:00", "tags": "مدينة", "gone": None}),
            Document("th/1", "กรุงเทพเป็นเมืองหลวง", {"ประเทศ": "ไทย", "abstract": "ก" * 1025}),
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("year >= 2024", {"ja/1", "ko/1"}),
        ("year = 2024.0", {"ja/1"}),
        ("not year >= 2024", {"de/1", "ar/1", "th/1"}),
        ("year != 2024", {"de/1", "ko/1"}),
        ("year not in (2024, 2023)", {"ko/1"}),
        ("year in 2023..2024", {"de/1", "ja/1"}),
        ('tags has "tier" or tags has "مدينة"', {"de/1", "ar/1"}),
        ('tags prefix "都"', {"ja/1"}),
        ("draft = true", {"ja/1"}),
        ("draft = false or note exists", {"ko/1"}),
        ("published > 2024-05-01", {"ar/1"}),
        ("published = 2024-05-01", {"ko/1"}),
        ("published = 2024-06-01T06:00:00Z", {"ar/1"}),
        ('published prefix "2024-0"', {"ko/1", "ar/1"}),
        ('lang in ("de", "ja")', {"de/1", "ja/1"}),
        ('lang != "de" and not tags exists', {"ko/1", "th/1"}),
        ('metadata.lang = "xx"', {"de/1"}),
        ('ประเทศ = "ไทย"', {"th/1"}),
        ("abstract exists", {"th/1"}),
        ('id prefix "k"', {"ko/1"}),
        ('id in ("de/1", "th/1")', {"de/1", "th/1"}),
        ("path exists", set()),
        ("not path exists and year < 0", set()),
        ({"type": "and", "filters": [{"type": "eq", "key": "year", "value": 2024}]}, {"ja/1"}),
        ('{"type": "lt", "key": "year", "value": 2024}', {"de/1"}),
    ],
)
def test_filters_find_what_they_say(collection: Collection, where: object, expected: set[str]) -> None:
    add(collection)
    assert found(collection, where) == expected


@pytest.mark.parametrize(
    ("where", "message", "help"),
    [
        ("yaer = 2024", "at character 1: no document has a field 'yaer'", "did you mean 'year'? known: abst"),
        ("gone exists", "no document has a field 'gone'", "known: "),
        ('(lang = "de" and\n  colour = 1)', "at character 20: no document has a field 'colour'", "known: "),
        ({"type": "or", "filters": [{"type": "exists", "key": "id"}, {"type": "eq", "key": "idd", "value": "x"}]},
         "the filter.filters[1]: no document has a field 'idd'", "did you mean 'id'?"),
        ('year = "2024"', "'year' holds float and integer, which = '2024' cannot match", "number without quotes"),
        ("tags = 1", "'tags' holds keyword and keywords, which = 1 cannot match", 'it is a list: write tags has "…"'),
        ("year has 2024", "has 2024 has no meaning", "has takes a string in quotes"),
        ('year prefix "20"', "'year' holds float and integer", "write the number without quotes"),
        ("draft < true", "< true has no meaning", "order is for numbers and dates"),
        ('tags > "a"', "> 'a' has no meaning", "order is for numbers and dates"),
        ("tags > 2024-01-01", "'tags' holds keyword and keywords", "it is a list"),
        ("lang = 1", "'lang' holds keyword", "compare with a value of its type: keyword"),
        ("id < 2024-01-01", "'id' holds keyword", "compare with a value of its type: keyword"),
        ('abstract = "ก"', "'abstract' holds text", "write abstract exists"),
        ("note = 1", "'note' holds other", "write note exists"),
        ("year in 1..2024-01-01", "'year' holds float and integer", "without quotes"),
        ("draft = 1", "'draft' holds boolean, which = 1 cannot match", "compare with a value of its type: boolean"),
        ("year = true", "'year' holds float and integer, which = true cannot match", "compare with a value of"),
    ],
)  # fmt: skip
def test_wrong_filters_say_where_and_what_would_do(
    collection: Collection, where: object, message: str, help: str
) -> None:
    add(collection)
    with pytest.raises(InvalidFilterError) as caught:
        found(collection, where)
    assert (caught.value.code, caught.value.exit_status) == ("invalid_filter", 2)
    assert message in caught.value.message
    assert help in caught.value.help
    with pytest.raises(InvalidFilterError):
        collection.search_vectors(np.ones((1, 32), np.float32), where=where)  # type: ignore[arg-type]


def test_an_empty_collection_knows_the_fields_that_are_always_there(collection: Collection) -> None:
    assert found(collection, 'lang = "de" and id exists and not path prefix "a"') == set()
    with pytest.raises(InvalidFilterError) as caught:
        found(collection, "year = 1")
    assert caught.value.help == "known: id (keyword), lang (keyword), path (keyword)"
    assert collection.facets("lang") == []


def test_fields_are_listed_with_their_types_and_documents(collection: Collection) -> None:
    add(collection)
    fields = {field.name: field for field in collection.fields()}
    assert list(fields) == sorted(fields)
    assert fields["year"].types == {FieldType.FLOAT: 1, FieldType.INTEGER: 2}
    assert fields["published"].types == {FieldType.DATE: 2, FieldType.KEYWORD: 2}
    assert fields["tags"].types == {FieldType.KEYWORD: 1, FieldType.KEYWORDS: 2}
    assert {name: field.documents for name, field in fields.items()} == {
        "abstract": 1, "draft": 1, "id": 5, "lang": 5, "metadata.lang": 1, "note": 1, "path": 0, "published": 2,
        "score": 1, "tags": 3, "year": 3, "ประเทศ": 1,
    }  # fmt: skip


def test_facets_count_documents_most_first(collection: Collection) -> None:
    add(collection)
    collection.add([Document("de/2", "Noch ein großer Hund.", {"tags": ["haus", "مدينة"], "year": 2024})])

    def facets(field: str, where: str | None = None, limit: int = 10) -> list[tuple[object, int]]:
        return [(each.value, each.documents) for each in collection.facets(field, where=where, limit=limit)]

    assert facets("tags") == [("haus", 2), ("مدينة", 2), ("tier", 1), ("都市", 1)]
    assert facets("tags", limit=1) == [("haus", 2)]
    assert facets("lang", 'tags has "haus"') == [("de", 2)]
    assert facets("year", 'lang = "de"') == [(2023, 1), (2024, 1)]
    assert facets("draft") == [(True, 1)]
    assert facets("published") == [("2024-05-01", 1), ("2024-06-01T08:00:00+02:00", 1)]
    assert facets("path") == []
    with pytest.raises(InvalidFilterError, match="no document has a field 'tag'"):
        facets("tag")
    with pytest.raises(InvalidArgumentError):
        facets("tags", limit=0)


def test_language_is_that_of_a_passage(collection: Collection) -> None:
    german = "Der große Hund schläft heute lange unter dem Baum im Garten. " * 12
    japanese = "東京は日本の首都で、多くの人が暮らしています。" * 12
    collection.add([Document("both", f"{german}\n\n{japanese}")])
    assert {hit.language for hit in collection.search(QUERY, where='lang = "ja"')} == {"ja"}
    assert {hit.language for hit in collection.search("Tokyo", where='not lang = "ja"')} == {"de"}
    assert [(each.value, each.documents) for each in collection.facets("lang")] == [("de", 1), ("ja", 1)]


def test_path_is_that_of_the_file_and_its_prefix_finds_folders(collection: Collection, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    decomposed = unicodedata.normalize("NFD", "größe")
    for name in ("de/hund.txt", "de/großer hund.txt", f"{decomposed}/a.txt", "日本/東京.txt"):
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(f"der große Hund in {name}", encoding="utf-8")
    rows = [{"id": f"row-{i}", "text": f"東京 {i}", "year": 2000 + i} for i in range(3)]
    (docs / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    collection.add_files(docs, prefix="p")
    assert found(collection, 'path prefix "de/"') == {"p/de/hund.txt", "p/de/großer hund.txt"}
    assert found(collection, 'path prefix "größe/"') == {f"p/{decomposed}/a.txt"}
    assert found(collection, 'path = "日本/東京.txt"') == {"p/日本/東京.txt"}
    assert found(collection, 'path = "rows.jsonl" and year > 2000') == {"p/row-1", "p/row-2"}
    assert found(collection, 'id prefix "p/row-"') == {"p/row-0", "p/row-1", "p/row-2"}
    assert [(each.value, each.documents) for each in collection.facets("path", limit=1)] == [("rows.jsonl", 3)]


def test_filters_follow_every_change(collection: Collection, tmp_path: Path) -> None:
    add(collection)
    with Collection.open("c", home=tmp_path / "home") as reader:
        assert found(reader, "year = 2023") == found(collection, "year = 2023") == {"de/1"}
        collection.add([Document("ja/1", "東京は日本の首都です。", {"year": 2023, "neu": "ja"})])
        assert found(reader, "year = 2023") == found(collection, "year = 2023") == {"de/1", "ja/1"}
        assert found(collection, 'neu = "ja"') == {"ja/1"}
        with pytest.raises(InvalidFilterError):
            found(collection, "draft = true")
        collection.delete("de/1")
        assert found(reader, "year = 2023") == found(collection, "year = 2023") == {"ja/1"}
        collection.optimize()
        assert found(reader, "year = 2023") == found(collection, "year = 2023") == {"ja/1"}
        collection.add([Document("de/1", "Ein anderer großer Hund.", {"year": 2023})])
        assert found(reader, "year = 2023") == found(collection, "year = 2023") == {"de/1", "ja/1"}


def test_more_filters_than_are_kept_give_the_same(collection: Collection) -> None:
    add(collection)
    for _ in range(2):
        counts = [len(found(collection, f"year <= {2000 + i}")) for i in range(KEPT_FILTERS + 3)]
        assert counts == [0] * 23 + [1, 2] + [3] * (KEPT_FILTERS - 22)


def test_what_equals_in_python_is_not_one_filter(collection: Collection) -> None:
    collection.add([Document("one", "der Hund", {"x": 1}), Document("true", "der Hund", {"x": True})])
    assert found(collection, "x = 1") == {"one"}
    assert found(collection, "x = true") == {"true"}
    assert found(collection, "x = 1.0") == {"one"}


@pytest.mark.parametrize("effort", ["fast", "balanced", "exact"])
def test_filtered_search_is_brute_force_at_any_selectivity(tmp_path: Path, effort: str) -> None:
    rng, n = np.random.default_rng(3), 1000
    words = [f"wort{i}" for i in range(200)]
    draws = rng.permutation(n).tolist()
    documents = [
        Document(f"{i:04}", " ".join(rng.choice(words, 6)), {"draw": draw, "half": draw % 2 == 0})
        for i, draw in enumerate(draws)
    ]
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add(documents)
        for i in range(0, n, 9):
            collection.delete(f"{i:04}")
        queries = [" ".join(rng.choice(words, 4)) for _ in range(5)]
        for query in queries:
            every = collection.search(query, k=1000, effort=effort, highlight=False).hits
            for n_kept in (1, 10, 100, 500):
                expected = [(h.document_id, h.raw_score) for h in every if h.metadata["draw"] < n_kept][:10]
                hits = collection.search(query, k=10, effort=effort, where=f"draw < {n_kept}", highlight=False).hits
                assert [(h.document_id, h.raw_score) for h in hits] == expected
                assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
