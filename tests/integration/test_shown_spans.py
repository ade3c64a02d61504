"""What a search shows comes from the spans that were stored, and is what the tokenizer would say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document, Hit
from index.segment import Segment
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.encoders.hashing import HashingEncoder

TEXTS = {
    "ar": "عاصمة فرنسا هي باريس وعدد سكانها كبير.",
    "de": "Der Hund schläft unter dem großen Baum im Garten. " * 30,
    "ja": "日本の首都は東京です。人口は約千四百万人です。",
    "ko": "서울은 대한민국의 수도이자 최대 도시이다.",
    "th": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "zh": "北京是中华人民共和国的首都。",
    "emoji": "👨‍👩‍👧 cafe\u0301 🎉 party 🇩🇪 nearby 👨‍👩‍👧",
}
QUERIES = ["großen Baum", "باريس", "首都 東京", "수도", "เมืองหลวง", "party 🎉", "cafe\u0301"]


class Counting(HashingEncoder):
    """Counts the passages that it was asked the spans of."""

    asked = 0

    def document_spans(self, text: str) -> Spans:
        self.asked += 1
        return super().document_spans(text)


@pytest.fixture(params=[1, 2], ids=["all vectors", "pooled"])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collection]:
    options = {"encoder": Counting(), "home": tmp_path, "pool": request.param}
    with Collection.open("c", create=True, **options) as made:
        made.add([Document(key, text) for key, text in TEXTS.items()])
        yield made


def shown(collection: Collection) -> list[tuple[Hit, ...]]:
    return [collection.search(query, k=5, explain=True).hits for query in QUERIES]


def explained(results: list[tuple[Hit, ...]]) -> list[list[tuple[object, ...]]]:
    return [[(hit.document_id, hit.passage, hit.highlights, hit.matches) for hit in hits] for hits in results]


def test_no_passage_is_tokenised_to_be_shown_and_it_looks_as_if_it_were(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = collection.encoder
    assert isinstance(encoder, Counting)
    before = encoder.asked
    stored = shown(collection)
    assert encoder.asked == before
    assert all(hit.matches for hits in stored for hit in hits[:1])
    monkeypatch.setattr(Segment, "spans_of", lambda self, row, text: None)
    assert shown(collection) == stored
    assert encoder.asked > before


def test_spans_outlive_changes_and_merges(collection: Collection) -> None:
    encoder = collection.encoder
    assert isinstance(encoder, Counting)
    before = shown(collection)
    collection.add([Document(f"new {n}", f"Die Katze {n} sitzt auf dem Dach.") for n in range(3)])
    for n in range(3):
        collection.delete(f"new {n}")
    collection.optimize()
    asked = encoder.asked
    assert explained(shown(collection)) == explained(before)
    assert encoder.asked == asked


def test_vectors_of_somebody_else_are_shown_by_the_tokenizer(tmp_path: Path) -> None:
    encoder = Counting()
    with Collection.open("c", create=True, encoder=encoder, home=tmp_path) as made:
        texts = {key: text for key, text in TEXTS.items() if key != "de"}
        documents = [Document(key, text) for key, text in texts.items()]
        made.add(documents, vectors=encoder.encode_documents([document.text for document in documents]))
        made.add([Document("own", TEXTS["de"])])
        (hit, *_) = made.search("باريس", k=1).hits
        assert encoder.asked
        assert hit.highlights
        made.optimize()
        asked = encoder.asked
        assert made.search("باريس", k=1).hits[0].highlights == hit.highlights
        assert made.search("Baum", k=1).hits[0].highlights
        assert encoder.asked == asked + 2


def test_spans_that_reach_beyond_the_text_are_not_believed(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shown(collection)
    monkeypatch.setattr("index.segment.read", lambda stored: np.full(stored.shape, 10_000))
    assert shown(collection) == before
