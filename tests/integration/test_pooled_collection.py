"""Collections that store fewer vectors than tokens: what they find, what they show, and that the factor is for good."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document, Hit, effort
from index.explain import AskedTokens, PassageTokens, explain
from index.maxsim import maxsim_scores
from index.pooling import pool, pooled_count
from index.scoring import products
from index.types import Match
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import InvalidArgumentError, NonFiniteVectorError, UnknownNameError
from lfm2_colbert.multivectors import MultiVectors

ENCODER = HashingEncoder()
TEXTS = {
    "ar": "عاصمة فرنسا هي باريس وعدد سكانها كبير.",
    "de": "Der Hund schläft unter dem großen Baum im Garten.",
    "ja": "日本の首都は東京です。人口は約千四百万人です。",
    "th": "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "emoji": "👨‍👩‍👧 cafe\u0301 🎉 party 🇩🇪 nearby 👨‍👩‍👧",
}
REPEATED = {
    "ar": (["عاصمة", "فرنسا", "باريس"], "باريس"),
    "de": (["Hund", "großen", "Baum"], "großen"),
    "ja": (["首", "都", "東"], "東"),
    "th": (["ก", "รุ", "เ"], "รุ"),
    "emoji": (["🎉", "🐕", "🌳"], "🐕"),
}

Opened = Callable[..., Collection]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Open the collection of the test, or make it."""

    def open_collection(**options: object) -> Collection:
        return Collection.open("c", create=True, encoder=ENCODER, home=tmp_path, **options)  # type: ignore[arg-type]

    return open_collection


def documents(texts: dict[str, str] = TEXTS) -> list[Document]:
    return [Document(key, text) for key, text in texts.items()]


def expected_matches(query: str, text: str, factor: int) -> tuple[Match, ...]:
    """By the definitions alone: pool the text's vectors, give each the span of its origin, align."""
    pooled = pool(ENCODER.encode_documents([text]), factor)
    assert pooled.origins is not None
    asked = AskedTokens.of(ENCODER.encode_queries([query])[0], ENCODER.query_spans(query), query)
    cosines = products(asked.vectors, pooled.vectors.vectors.astype(np.float32))
    tokens = PassageTokens(text, 0, cosines, ENCODER.document_spans(text)[pooled.origins])
    return explain(asked, [tokens], with_matches=True)[0].matches


def shown(hit: Hit) -> list[tuple[int, int, int, int]]:
    return [(m.query.start, m.query.end, m.passage.start, m.passage.end) for m in hit.matches]


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize(("codec", "tolerance"), [("float16", 5e-3), ("scalar4", 5e-2)])
def test_exact_search_is_maxsim_over_the_pooled_vectors(
    opened: Opened, factor: int, codec: str, tolerance: float
) -> None:
    question = "the big dog 東京 is the Hund 🎉"
    vectors = pool(ENCODER.encode_documents(list(TEXTS.values())), factor).vectors
    scores = dict(zip(TEXTS, maxsim_scores(ENCODER.encode_queries([question])[0], vectors).tolist(), strict=True))
    with opened(pool=factor, codec=codec) as collection:
        collection.add(documents())
        hits = collection.search(question, mode="semantic", effort="exact").hits
    assert [hit.document_id for hit in hits] == sorted(scores, key=lambda key: (-scores[key], key))
    assert [hit.raw_score for hit in hits] == pytest.approx([scores[h.document_id] for h in hits], abs=tolerance)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("key", sorted(TEXTS))
def test_a_pooled_vector_is_shown_as_the_token_it_stands_for(opened: Opened, factor: int, key: str) -> None:
    with opened(pool=factor, codec="float16") as collection:
        collection.add(documents())
        (hit,) = (h for h in collection.search(TEXTS[key][:20], k=9) if h.document_id == key)
    expected = expected_matches(TEXTS[key][:20], TEXTS[key], factor)
    assert shown(hit) == [(m.query.start, m.query.end, m.passage.start, m.passage.end) for m in expected]
    assert [m.score for m in hit.matches] == pytest.approx([m.score for m in expected], abs=5e-3)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("key", sorted(REPEATED))
def test_what_is_said_several_times_is_found_and_shown_once(opened: Opened, factor: int, key: str) -> None:
    words, query = REPEATED[key]
    text = " ".join(word for word in words for _ in range(factor))
    with opened(pool=factor) as collection:
        collection.add([*documents(), Document("said", text)])
        (hit,) = (h for h in collection.search(query, k=9) if h.document_id == "said")
        segment = collection._searcher.snapshot.parts[0].segment
    assert int(segment.offsets[-1] - segment.offsets[-2]) == 1 + len(words)  # the begin token's is the first
    assert [(h.start, text[h.start : h.end]) for h in hit.highlights] == [(text.index(query), query)]
    assert hit.highlights[0].score == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("factor", [2, 3])
def test_merges_carry_along_what_vectors_stand_for(
    opened: Opened, factor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effort, "EXHAUSTIVE_TOKENS", 50)  # centroids are trained and lists written as well
    texts = {f"{key}-{i}": f"{text} {i}" for i in range(4) for key, text in TEXTS.items()}
    with opened(pool=factor) as collection:
        for document in documents(texts):
            collection.add([document])
        for key in list(texts)[::3]:
            collection.delete(key)
        before = {key: collection.search(TEXTS[key][:20], k=50, effort="exact").hits for key in TEXTS}
        assert collection.optimize().segments_after == 1
        after = {key: collection.search(TEXTS[key][:20], k=50, effort="exact").hits for key in TEXTS}
        segment = collection._searcher.snapshot.parts[0].segment
    assert segment.origins is not None
    alive = [text for i, text in enumerate(texts.values()) if i % 3]
    np.testing.assert_array_equal(segment.origins, pool(ENCODER.encode_documents(alive), factor).origins)
    for key, hits in before.items():
        assert {h.document_id: shown(h) for h in hits} == {h.document_id: shown(h) for h in after[key]}
        assert all(hit.matches for hit in hits)


def test_segments_are_smaller_and_tokens_are_counted_as_the_encoder_counts_them(tmp_path: Path) -> None:
    text = " ".join(f"Wort{i} 東京{i}" for i in range(10))  # one passage
    sizes, tokens, vectors = [], set(), []
    for factor in (1, 2, 3):
        name = f"pool-{factor}"
        with Collection.open(name, create=True, encoder=HashingEncoder(dim=128), pool=factor, home=tmp_path) as made:
            made.add([Document(f"{i}", f"{text} {i}") for i in range(40)])
            (info,) = made._store.segments()
            tokens.add(made.counts().tokens)
        sizes.append(info.n_bytes)
        vectors.append(info.n_tokens)
    assert len(tokens) == 1
    assert vectors == [40 * pooled_count(vectors[0] // 40, factor) for factor in (1, 2, 3)]
    assert sizes[1] < 0.55 * sizes[0]
    assert sizes[2] < 0.40 * sizes[0]


def test_given_vectors_are_pooled_and_counted_as_given(opened: Opened) -> None:
    vectors = ENCODER.encode_documents(["alpha alpha beta beta", "gamma delta", ""])
    with opened(pool=2, codec="float16") as collection:
        collection.add([Document(str(i), f"text {i}") for i in range(3)], vectors=vectors)
        (info,) = collection._store.segments()
        assert info.n_tokens == sum(pooled_count(int(n), 2) for n in vectors.lengths)
        assert collection.counts().tokens == len(vectors.vectors)
        found = collection.search_vectors(vectors[0], k=3, effort="exact")
    assert found == [
        (name, pytest.approx(score, abs=5e-3))
        for name, score in sorted(
            zip("012", maxsim_scores(vectors[0], pool(vectors, 2).vectors).tolist(), strict=True),
            key=lambda pair: -pair[1],
        )
    ]


@pytest.mark.parametrize("n_vectors", [5, 20])
def test_vectors_of_somebody_else_s_tokens_explain_nothing(opened: Opened, n_vectors: int) -> None:
    """Twenty pool to as many as the nineteen of the text do, but the last stands for a token that there is not."""
    text = " ".join(f"wort{i}" for i in range(18))
    assert len(ENCODER.document_spans(text)) == 19
    kinds = np.repeat(np.arange(10), [3, *[2] * 8, 1])[-n_vectors:]
    vectors = np.eye(32, dtype=np.float32)[kinds]
    with opened(pool=2) as collection:
        collection.add([Document("foreign", text)], vectors=MultiVectors.of([vectors]))
        (hit,) = collection.search("wort3").hits
    assert (hit.document_id, hit.matches, hit.highlights) == ("foreign", (), ())


def test_vectors_that_are_not_finite_leave_a_pooled_collection_that_works(opened: Opened) -> None:
    with opened(pool=3) as collection:
        with pytest.raises(NonFiniteVectorError):
            collection.add([Document("x", "x")], vectors=MultiVectors.of([np.full((4, 32), np.nan, np.float32)]))
        collection.add(documents())
        assert collection.search("東京", k=1).hits[0].document_id == "ja"


def test_what_an_interrupted_run_left_is_pooled_as_well(opened: Opened) -> None:
    class Stumbles(HashingEncoder):
        def encode_documents(self, texts: object) -> MultiVectors:
            raise InvalidArgumentError("out of order")

    with opened(pool=2) as collection:
        collection._encoder = Stumbles()  # as if the power had gone during encoding
        with pytest.raises(InvalidArgumentError, match="out of order"):
            collection.add(documents())
    with opened() as collection:
        assert collection.index_pending().documents == len(TEXTS)
        (info,) = collection._store.segments()
        expected = pool(ENCODER.encode_documents(list(TEXTS.values())), 2).vectors
    assert info.n_tokens == len(expected.vectors)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_factor_is_for_good(opened: Opened, factor: int) -> None:
    opened(pool=factor).close()
    for asked in (None, factor):
        with opened(pool=asked) as collection:
            assert collection.settings.pool == factor
    with pytest.raises(InvalidArgumentError, match=f"not built with pool {factor % 3 + 1}") as caught:
        opened(pool=factor % 3 + 1)
    assert f"it has codec scalar4 and pool {factor}" in caught.value.help


def test_another_codec_than_the_collection_has_is_refused(opened: Opened) -> None:
    opened(codec="float16").close()
    opened(codec="float16").close()
    with pytest.raises(InvalidArgumentError, match="not built with codec scalar4") as caught:
        opened(codec="scalar4")
    assert "it has codec float16 and pool 1" in caught.value.help
    with pytest.raises(UnknownNameError):
        opened(codec="flaot16")


@pytest.mark.parametrize("factor", [0, 4, -1])
def test_a_factor_that_there_is_not_makes_no_collection(opened: Opened, tmp_path: Path, factor: int) -> None:
    with pytest.raises(InvalidArgumentError, match="one of 1, 2, 3"):
        opened(pool=factor)
    assert list(tmp_path.iterdir()) == []
