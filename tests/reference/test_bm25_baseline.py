"""The BM25 baseline against its definition and against the published column of the recipe."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evaluation_sets import unpack
from eval.baselines import Bm25, bm25, tokens_of
from eval.datasets.base import Task
from eval.datasets.folder import load
from eval.measures import measure
from index.types import Document
from lfm2_colbert.errors import MissingExtraError

WORDS = st.lists(st.sampled_from(["a", "b", "c", "有給", "休暇", "z"]), max_size=12)


def definition(documents: list[list[str]], query: list[str]) -> list[float]:
    """Okapi BM25 with Lucene's idf, word by word."""
    mean_length = sum(map(len, documents)) / len(documents)
    scores = [0.0] * len(documents)
    for word in query:
        n_with = sum(word in document for document in documents)
        idf = math.log(1 + (len(documents) - n_with + 0.5) / (n_with + 0.5))
        for i, document in enumerate(documents):
            count = document.count(word)
            if count:
                scores[i] += idf * count / (count + 0.9 * (1 - 0.4 + 0.4 * len(document) / mean_length))
    return scores


@given(documents=st.lists(WORDS, min_size=1, max_size=8), query=WORDS)
def test_scores_equal_the_definition(documents: list[list[str]], query: list[str]) -> None:
    np.testing.assert_allclose(Bm25(documents).scores(query), definition(documents, query), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Die Urlaubsanträge, 2024!", ["die", "urlaub", "2024"]),
        ("ＡＢＣ ﬁnal", ["abc", "final"]),
        ("有給休暇は", ["有給", "給休", "休暇", "暇は"]),
        ("日", ["日"]),
        ("東京tower3階", ["東京", "tower3", "階"]),
        ("연차휴가는", ["연차", "차휴", "휴가", "가는"]),
        ("الإجازةالسنوية", ["الإجازةالسنوية"]),  # only Latin script is cut
        ("программирование", ["программирование"]),
        (" .,!", []),
    ],
)
def test_the_recipe_cuts_words_by_script(text: str, tokens: list[str]) -> None:
    assert tokens_of(text) == tokens


def task(texts: dict[str, str], query: str) -> Task:
    documents = {id: Document(id, text, {"title": "Urlaub"} if id == "t" else {}) for id, text in texts.items()}  # noqa: A001
    return Task("test", "de", "de", "test", documents, {"q": query}, {"q": {}}, 0)


def test_ties_stand_in_the_order_of_their_ids_and_strangers_are_left_out() -> None:
    run = bm25(task({"c": "rot blau", "a": "rot blau", "b": "rot blau", "x": "gelb"}, "rot"))
    assert list(run["q"]) == ["a", "b", "c"]
    assert list(bm25(task({"c": "rot", "a": "rot", "b": "rot"}, "rot"), k=2)["q"]) == ["a", "b"]


def test_titles_are_searched_with_the_text() -> None:
    assert list(bm25(task({"t": "zwanzig Tage", "x": "nichts"}, "Urlaub"))["q"]) == ["t"]


def test_unknown_words_and_empty_corpora_give_an_empty_ranking() -> None:
    assert bm25(task({"a": "rot"}, "grün"))["q"] == {}
    assert bm25(task({"a": "", "b": " "}, "rot"))["q"] == {}


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtraError) as caught:
        Bm25([["a"]])
    assert "lfm2-colbert[eval]" in caught.value.help


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "language", "ndcg"), [("faquad", "pt", 0.90), ("xquad", "de", 0.94), ("xquad", "th", 0.89)]
)
def test_the_recipe_reproduces_its_published_column(
    shared: Path, tmp_path: Path, name: str, language: str, ndcg: float
) -> None:
    loaded = load(unpack(shared / "data" / "eval", name, tmp_path), language)
    assert measure(loaded.qrels, bm25(loaded)).mean["nDCG@10"] == pytest.approx(ndcg, abs=0.02)
