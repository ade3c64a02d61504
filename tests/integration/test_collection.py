"""Collections as a person uses them: open, add, search, change, delete, open again."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Collection, Document
from index.effort import Effort
from index.maxsim import maxsim
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import (
    IndexLockedError,
    InvalidArgumentError,
    Lfm2ColbertError,
    ModelMismatchError,
    NonFiniteVectorError,
    NotFoundError,
    QueryTooLongError,
    UnknownEncoderError,
    UnknownNameError,
)
from lfm2_colbert.multivectors import MultiVectors

TEXTS = {
    "ar": "عاصمة فرنسا هي باريس وعدد سكانها كبير.",
    "de": "Der Hund schläft unter dem großen Baum im Garten.",
    "ja": "日本の首都は東京です。人口は約千四百万人です。",
    "ko": "대한민국의 수도는 서울이다.",
    "zh": "北京是中国的首都。",
    "th": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "en": "The dog sleeps under the big tree. 👨‍👩‍👧 Cafe\u0301 nearby.",
}


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open("texts", create=True, encoder="hashing", home=tmp_path) as opened:
        yield opened


def documents() -> list[Document]:
    return [Document(key, text, {"lang": key}) for key, text in TEXTS.items()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("東京", "ja"), ("الفرنسا باريس", "ar"), ("großen Baum", "de"), ("서울", "ko"), ("เมือง", "th")],
)
def test_shared_words_find_the_document_in_any_script(collection: Collection, query: str, expected: str) -> None:
    collection.add(documents())
    assert collection.search(query, k=1).hits[0].document_id == expected


@pytest.mark.parametrize(("codec", "tolerance"), [("float16", 5e-3), ("scalar4", 5e-2)])
def test_ranking_and_scores_equal_maxsim(tmp_path: Path, codec: str, tolerance: float) -> None:
    encoder, question = HashingEncoder(), "the big dog 東京 is the Hund"
    query = encoder.encode_queries([question])[0]
    vectors = encoder.encode_documents(list(TEXTS.values()))
    truth = sorted(
        ((maxsim(query, vectors[i]), key) for i, key in enumerate(TEXTS)), key=lambda pair: (-pair[0], pair[1])
    )
    with Collection.open("c", create=True, encoder="hashing", codec=codec, home=tmp_path) as collection:
        collection.add(documents())
        hits = collection.search(question, mode="semantic").hits
        assert collection.search(question, mode="semantic", effort="exact").hits == hits
    assert [hit.document_id for hit in hits] == [key for _, key in truth]
    assert [hit.raw_score for hit in hits] == pytest.approx([score for score, _ in truth], abs=tolerance)
    assert [hit.rank for hit in hits] == list(range(1, len(TEXTS) + 1))
    assert all(hit.score == pytest.approx(min(max(hit.raw_score / len(query), 0), 1)) for hit in hits)


def test_unknown_effort_is_named(collection: Collection) -> None:
    with pytest.raises(UnknownNameError, match="no effort 'balancd'"):
        collection.search("x", effort="balancd")


def test_equal_scores_are_ordered_by_document_id_also_at_the_cut(collection: Collection) -> None:
    collection.add([Document(name, "same words") for name in ("d", "b", "c", "a")])
    assert [hit.document_id for hit in collection.search("words", k=2)] == ["a", "b"]


def test_hit_shows_the_passage_where_it_stands_in_the_document(collection: Collection) -> None:
    text = "\n\n".join(f"Absatz {i} handelt von Ding{i} und " + "vielen anderen Sachen " * 12 for i in range(9))
    collection.add([Document("long", text)])
    (hit,) = collection.search("Ding7")
    assert "Ding7" in hit.text
    assert text[hit.span.start : hit.span.end] == hit.text
    assert [text[h.start : h.end] for h in hit.highlights] == ["Ding7"]
    assert collection.counts().passages > 1


def test_highlights_are_whole_words_and_graphemes_in_document_offsets(collection: Collection) -> None:
    collection.add(documents())
    hit = next(h for h in collection.search("café dog 👨‍👩‍👧") if h.document_id == "en")
    found = [TEXTS["en"][h.start : h.end] for h in hit.highlights]
    assert "dog" in found
    assert not any(part.startswith("\u0301") or part.endswith("\u200d") for part in found)


def test_second_add_replaces_and_keeps_what_did_not_change(collection: Collection) -> None:
    collection.add(documents())
    report = collection.add([*documents()[1:], Document("ar", "مختلف")])
    assert (report.added, report.changed, report.unchanged, report.encoded_passages) == (0, 1, 6, 1)
    found = collection.get("ar")
    assert found is not None
    assert found.text == "مختلف"
    assert collection.search("مختلف", k=1).hits[0].document_id == "ar"


def test_deleted_document_is_never_found(collection: Collection) -> None:
    collection.add(documents())
    assert collection.delete("de")
    assert not collection.delete("de")
    assert "de" not in [hit.document_id for hit in collection.search("Hund")]
    assert collection.get("de") is None


def test_what_was_added_is_found_after_reopening(tmp_path: Path) -> None:
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as first:
        first.add(documents())
        before = first.search("Hund")
    with Collection.open("c", home=tmp_path) as second:
        after = second.search("Hund")
    assert after.hits == before.hits


def test_reader_sees_what_a_writer_commits_meanwhile(tmp_path: Path) -> None:
    with (
        Collection.open("c", create=True, encoder="hashing", home=tmp_path) as writer,
        Collection.open("c", home=tmp_path) as reader,
    ):
        assert reader.search("Hund").hits == ()
        writer.add(documents())
        assert reader.search("Hund", k=1).hits[0].document_id == "de"
        writer.delete("de")
        assert "de" not in [hit.document_id for hit in reader.search("Hund")]


def test_second_writer_is_refused_and_may_still_search(tmp_path: Path) -> None:
    with (
        Collection.open("c", create=True, encoder="hashing", home=tmp_path) as writer,
        Collection.open("c", home=tmp_path) as other,
    ):
        writer.add(documents())
        with pytest.raises(IndexLockedError):
            other.add([Document("x", "text")])
        assert other.search("Hund", k=1).hits[0].document_id == "de"


def test_given_vectors_are_searched_as_they_are(collection: Collection) -> None:
    vectors = HashingEncoder().encode_documents(["alpha beta", "gamma delta"])
    collection.add([Document("1", "something else"), Document("2", "entirely")], vectors=vectors)
    assert collection.search("gamma", k=1).hits[0].document_id == "2"


def test_vectors_of_another_count_are_refused_before_anything_is_stored(collection: Collection) -> None:
    vectors = HashingEncoder().encode_documents(["one"])
    with pytest.raises(InvalidArgumentError):
        collection.add([Document("1", "a"), Document("2", "b")], vectors=vectors)
    assert collection.counts().documents == 0


def test_the_end_of_a_long_query_is_searched_too(collection: Collection) -> None:
    collection.add([*documents(), Document("end", " ".join([*(f"wort{i}" for i in range(50, 60)), "quastenflosser"]))])
    query = " ".join([*(f"wort{i}" for i in range(60)), "quastenflosser"])
    result = collection.search(query, mode="semantic", k=2)
    assert result.hits[0].document_id == "end"
    assert "query_split" in [notice.code for notice in result.warnings]
    asked = {query[match.query.start : match.query.end]: match.score for match in result.hits[0].matches}
    assert asked["quastenflosser"] == pytest.approx(1, abs=0.01)


def test_a_query_beyond_all_bounds_is_refused(collection: Collection) -> None:
    with pytest.raises(QueryTooLongError):
        collection.search("a" * 8193, mode="lexical")


@pytest.mark.parametrize(("query", "k"), [("", 1), (" \n", 1), ("a", 0), ("a", 1001)])
def test_senseless_searches_are_refused(collection: Collection, query: str, k: int) -> None:
    with pytest.raises(InvalidArgumentError):
        collection.search(query, k=k)


def test_another_encoder_is_refused_by_name_and_by_fingerprint(tmp_path: Path) -> None:
    Collection.open("c", create=True, encoder="hashing", home=tmp_path).close()
    with pytest.raises(ModelMismatchError):
        Collection.open("c", encoder="nano", home=tmp_path)
    with (
        Collection.open("c", encoder=HashingEncoder(dim=16), home=tmp_path) as other,
        pytest.raises(ModelMismatchError),
    ):
        other.add([Document("1", "a")])


def test_mistyped_names_get_a_suggestion(tmp_path: Path) -> None:
    Collection.open("handbook", create=True, encoder="hashing", home=tmp_path).close()
    with pytest.raises(NotFoundError) as caught:
        Collection.open("handbok", home=tmp_path)
    assert "did you mean 'handbook'?" in caught.value.help
    with pytest.raises(UnknownEncoderError) as unknown:
        Collection.open("new", create=True, encoder="nanno", home=tmp_path)
    assert "did you mean 'nano'?" in unknown.value.help
    with pytest.raises(UnknownNameError):
        Collection.open("new", create=True, encoder="hashing", codec="flaot16", home=tmp_path)
    assert not (tmp_path / "new").exists()


def test_pending_documents_are_announced_and_finished_later(collection: Collection) -> None:
    class Stumbles(HashingEncoder):
        def encode_documents(self, texts: object) -> MultiVectors:
            raise InvalidArgumentError("out of order")

    collection._encoder = Stumbles()  # as if the power had gone during encoding
    with pytest.raises(InvalidArgumentError):
        collection.add(documents())
    assert collection.counts().pending == len(TEXTS)
    assert "pending_documents" in [w.code for w in collection.search("Hund").warnings]
    collection._encoder = HashingEncoder()
    assert collection.index_pending().documents == len(TEXTS)
    assert collection.search("Hund", k=1).hits[0].document_id == "de"


@given(order=st.permutations(sorted(TEXTS)))
def test_order_of_adding_changes_no_result(order: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    with Collection.open("c", create=True, encoder="hashing", home=home) as collection:
        collection.add([Document(key, TEXTS[key]) for key in order])
        hits = collection.search("the dog 東京 서울").hits
    assert [(h.document_id, round(h.raw_score, 3)) for h in hits] == REFERENCE_RANKING


REFERENCE_RANKING: list[tuple[str, float]] = []


@pytest.fixture(scope="module", autouse=True)
def _reference_ranking(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path_factory.mktemp("home")) as collection:
        collection.add(documents())
        REFERENCE_RANKING[:] = [
            (h.document_id, round(h.raw_score, 3)) for h in collection.search("the dog 東京 서울").hits
        ]


def test_metadata_comes_back_as_it_went_in(collection: Collection) -> None:
    metadata = {"titel": "Größe", "n": 3, "x": [1.5, None, True], "nested": {"ß": "ü"}}
    collection.add([Document("m", "Wörter", metadata)])
    (hit,) = collection.search("Wörter")
    assert json.loads(json.dumps(hit.metadata)) == metadata


@pytest.mark.parametrize(
    ("shape", "value", "error"),
    [
        ((2, 16), 1.0, InvalidArgumentError),
        ((32,), 1.0, InvalidArgumentError),
        ((0, 32), 1.0, InvalidArgumentError),
        ((2, 32), np.nan, NonFiniteVectorError),
    ],
)
def test_senseless_query_vectors_are_refused(
    collection: Collection, shape: tuple[int, ...], value: float, error: type[Lfm2ColbertError]
) -> None:
    collection.add(documents())
    with pytest.raises(error):
        collection.search_vectors(np.full(shape, value, np.float32))


@pytest.mark.parametrize("effort", list(Effort))
def test_document_without_vectors_is_no_hit(collection: Collection, effort: str) -> None:
    items = [np.eye(32, dtype=np.float32)[:2], np.empty((0, 32), np.float32)]
    collection.add([Document("full", "犬"), Document("empty", "猫")], vectors=MultiVectors.of(items))
    assert [name for name, _ in collection.search_vectors(items[0], k=2, effort=effort)] == ["full"]


def test_vectors_that_are_not_finite_leave_a_collection_that_works(collection: Collection) -> None:
    broken = MultiVectors.of([np.full((1, 32), np.nan, np.float32)])
    with pytest.raises(NonFiniteVectorError):
        collection.add([Document("broken", "x")], vectors=broken)
    collection.add(documents())
    assert collection.search("東京", k=1).hits[0].document_id == "ja"
