"""Searches by words and by both, through a collection: what must be found, what must not, and what is said about it."""

from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document
from index.home import collection_folder
from index.store import Store
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import UnknownNameError

TEXTS = {
    "ja": "東京は日本の首都である",
    "ko": "서울은 대한민국의 수도이다",
    "zh": "上海市的人口超过两千万",
    "th": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "de": "Die Straße ist lang, der Hund schläft.",
    "en": "The dog sleeps; call foo_bar.baz since v2.13.0.",
    "ar": "تلاوة القُرآن الكريم",
}


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    opened = Collection.open("c", create=True, encoder="hashing", home=tmp_path)
    opened.add([Document(key, text) for key, text in TEXTS.items()])
    return opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("首都", "ja"),
        ("수도", "ko"),
        ("人口", "zh"),
        ("กรุงเทพ", "th"),
        ("STRASSE", "de"),
        ("foo_bar.baz", "en"),
        ("v2.13.0", "en"),
        ("قرآن", "ar"),
    ],
)
def test_a_word_finds_its_passage(collection: Collection, query: str, expected: str) -> None:
    assert [hit.document_id for hit in collection.search(query, mode="lexical")] == [expected]


def test_words_alone_find_nothing_where_none_stands(collection: Collection) -> None:
    assert collection.search("zebra", mode="lexical").hits == ()


@pytest.mark.parametrize("query", ['"dog*" AND (foo NEAR/3 ^bar)', "dog OR", "-dog", "dog'; DROP TABLE words; --", "*"])
def test_operators_in_a_query_are_data(collection: Collection, query: str) -> None:
    found = [hit.document_id for hit in collection.search(query, mode="lexical")]
    assert found[:1] == (["en"] if "dog" in query else [])


def test_words_alone_need_no_encoder(tmp_path: Path, collection: Collection) -> None:
    collection.close()

    def refuse() -> HashingEncoder:
        raise AssertionError("the encoder was loaded")

    with Store.open(collection_folder(tmp_path, "c"), writable=False) as store:
        reader = Collection("c", store, refuse)
        assert [hit.document_id for hit in reader.search("Hund", mode="lexical")] == ["de"]


def test_a_lexical_hit_says_what_it_is(collection: Collection) -> None:
    result = collection.search("Hund Straße", mode="lexical")
    (hit,) = result.hits
    assert [hit.text[h.start : h.end] for h in hit.highlights] == ["Straße", "Hund"]
    assert 0 < hit.score < 1
    assert hit.raw_score > 0
    assert "BM25" in result.warnings[0].message


def test_a_hybrid_hit_keeps_its_maxsim(collection: Collection) -> None:
    semantic = {hit.document_id: hit.raw_score for hit in collection.search("der Hund", mode="semantic")}
    for fusion in ("convex", "rrf"):
        hits = collection.search("der Hund", fusion=fusion).hits
        assert {hit.document_id: hit.raw_score for hit in hits} == semantic
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert all(0 <= hit.score <= 1 for hit in hits)


def test_exact_and_balanced_agree_on_a_small_collection(collection: Collection) -> None:
    for fusion in ("convex", "rrf"):
        exact = collection.search("the dog 首都", fusion=fusion, effort="exact").hits
        assert collection.search("the dog 首都", fusion=fusion).hits == exact


@pytest.mark.parametrize(("fusion", "least", "most"), [("convex", 40, 60), ("rrf", 100, 240)])
def test_more_passages_have_words_than_get_all_bits(tmp_path: Path, fusion: str, least: int, most: int) -> None:
    """Scores choose the best forty, and those that tie; ranks are told among all that words bring."""
    rng = np.random.default_rng(3)
    words = ["Hund", "犬", "개", "كلب", "chien", "狗", "สุนัข", "cão"]
    texts = [" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(300)]
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as opened:
        opened.add([Document(f"d{i}", text) for i, text in enumerate(texts)])
        for query in ("Hund und 犬", "كلب", "chien cão"):
            exact, chosen = (opened.search(query, k=10, effort=each, fusion=fusion) for each in ("exact", "balanced"))
            assert least <= chosen.counts["fine"] <= most
            if fusion == "convex":
                assert chosen.hits == exact.hits


def test_words_bring_in_what_vectors_passed_over(tmp_path: Path) -> None:
    """A passage whose vectors answer nothing is found by the one word that no other has."""
    encoder = HashingEncoder()
    filler = [Document(f"{i}", f"report number {i}") for i in range(300)]
    with Collection.open("c", create=True, encoder=encoder, home=tmp_path) as collection:
        wrong = encoder.encode_documents(["report number 7"] * 299 + ["nothing of that"])
        collection.add([*filler[:299], Document("needle", "see ERR_4711_X for the report")], vectors=wrong)
        query = "ERR_4711_X"
        assert "needle" not in [hit.document_id for hit in collection.search(query, k=5, mode="semantic")]
        for fusion in ("convex", "rrf"):
            assert collection.search(query, k=1, fusion=fusion).hits[0].document_id == "needle"


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_what_was_deleted_or_replaced_does_not_come(collection: Collection, mode: str) -> None:
    collection.delete("de")
    collection.add([Document("en", "Nothing of the kind.")])
    for optimized in (False, True):
        if optimized:
            collection.optimize()
        found = {hit.document_id for hit in collection.search("Hund dog foo_bar", mode="lexical")}
        assert found == set()
        assert "de" not in [hit.document_id for hit in collection.search("Hund", mode=mode)]


def test_merging_changes_no_score(collection: Collection) -> None:
    collection.add([Document("more", "another dog 首都")])
    before = collection.search("dog 首都 Straße", mode="lexical").hits
    collection.optimize()
    assert collection.search("dog 首都 Straße", mode="lexical").hits == before


def test_segments_without_words_are_named_and_completed(tmp_path: Path, collection: Collection) -> None:
    collection.close()
    with Store.open(collection_folder(tmp_path, "c"), writable=True) as store, store.transaction():
        store.forget_files([info.file.file for info in store.words()])
    with Collection.open("c", home=tmp_path) as opened:
        result = opened.search("Hund", mode="lexical")
        assert result.hits == ()
        assert "lexical_incomplete" in [notice.code for notice in result.warnings]
        assert "lexical_incomplete" not in [n.code for n in opened.search("Hund", mode="semantic").warnings]
        assert opened.search("Hund", k=1).hits[0].document_id == "de"
        opened.optimize()
        result = opened.search("Hund", mode="lexical")
        assert [hit.document_id for hit in result] == ["de"]
        assert "lexical_incomplete" not in [notice.code for notice in result.warnings]


def test_unknown_modes_and_fusions_are_named(collection: Collection) -> None:
    with pytest.raises(UnknownNameError, match="hybird"):
        collection.search("x", mode="hybird")
    with pytest.raises(UnknownNameError, match="sum"):
        collection.search("x", fusion="sum")


def test_an_empty_collection_finds_nothing(tmp_path: Path) -> None:
    with Collection.open("empty", create=True, encoder="hashing", home=tmp_path) as opened:
        assert opened.search("x", mode="lexical").hits == ()
        assert opened.search("x").hits == ()


def test_a_passage_without_vectors_is_found_by_its_words_alone(tmp_path: Path) -> None:
    from lfm2_colbert import MultiVectors

    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as opened:
        vectors = MultiVectors.of([np.zeros((0, 32), np.float32), np.eye(1, 32, dtype=np.float32)])
        opened.add([Document("bare", "needle"), Document("other", "hay")], vectors=vectors)
        assert [hit.document_id for hit in opened.search("needle", mode="lexical")] == ["bare"]
        assert [hit.document_id for hit in opened.search("needle")] == ["other"]
