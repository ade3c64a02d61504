"""What a collection knows of itself: recall of real queries, and whether its centroids still fit."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document, effort
from index.live_recall import LiveRecall
from index.recall_file import Estimate, kept
from index.records import DRIFT, TRAINED
from lfm2_colbert.multivectors import MultiVectors

TOPICS = 20


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection]:
    monkeypatch.setattr(effort, "EXHAUSTIVE_TOKENS", 2000)
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as made:
        made.add(documents(0, 600), vectors=topical(600, seed=1))
        yield made


def topical(n: int, seed: int, shift: int = 0) -> MultiVectors:
    """Items around a few directions; `shift` takes other directions."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(99 + shift).standard_normal((TOPICS, 32))
    items = topics[rng.integers(0, TOPICS, (n, 8))] + 0.3 * rng.standard_normal((n, 8, 32))
    unit = (items / np.linalg.norm(items, axis=2, keepdims=True)).astype(np.float32)
    return MultiVectors.of(list(unit))


def documents(first: int, n: int) -> list[Document]:
    return [Document(f"{i:05}", f"document {i}") for i in range(first, first + n)]


def test_one_of_many_queries_is_asked_again(collection: Collection, tmp_path: Path) -> None:
    collection._searcher.live = LiveRecall(every=5, budget=1.0)
    for query in topical(21, seed=7):
        collection.search_vectors(query, k=10)
        collection._searcher.live.wait()
    estimate = collection.live_recall()
    assert estimate is not None
    assert estimate.queries == 4
    assert estimate.low <= estimate.recall_at_10 <= estimate.high
    collection.close()
    assert kept(tmp_path / "c") == estimate


def test_recall_is_that_of_the_queries_asked_again(collection: Collection) -> None:
    live = collection._searcher.live = LiveRecall(every=1, budget=1.0)
    shares = []
    for query in topical(12, seed=8):
        found = {name for name, _ in collection.search_vectors(query, k=10, effort="fast")}
        live.wait()
        exact = {name for name, _ in collection.search_vectors(query, k=10, effort="exact")}
        shares.append(len(found & exact) / 10)
    estimate = live.estimate()
    assert estimate is not None
    assert estimate.recall_at_10 == pytest.approx(np.mean(shares), abs=1e-3)


def test_exact_searches_and_small_collections_are_not_asked_again(tmp_path: Path) -> None:
    with Collection.open("s", create=True, encoder="hashing", home=tmp_path) as small:
        small._searcher.live = LiveRecall(every=1, budget=1.0)
        small.add([Document("a", "Hund")])
        small.search("Hund")
        small.search("Hund", effort="exact")
        assert small.live_recall() is None


def test_an_interval_of_few_queries_is_wide_even_if_all_were_perfect() -> None:
    live = LiveRecall()
    live._shares = [1.0] * 5
    assert live.estimate() == Estimate(1.0, 0.5655, 1.0, 5)


def test_more_of_the_same_is_no_drift(collection: Collection) -> None:
    report = collection.add(documents(600, 100), vectors=topical(100, seed=2))
    assert [notice.code for notice in report.notices] == []
    drift = collection._store.note(DRIFT)
    assert abs(drift["trained"] - drift["now"]) < 0.02


def test_texts_of_another_kind_are_noticed_and_optimize_mends_it(collection: Collection) -> None:
    before = collection._store.note(TRAINED)
    report = collection.add(documents(600, 250), vectors=topical(250, seed=2, shift=1))
    assert [notice.code for notice in report.notices] == ["centroids_drifted"]
    drift = collection._store.note(DRIFT)
    assert drift["now"] < before["similarity"] - 0.03
    collection.optimize()
    assert collection._store.note(DRIFT) is None
    assert collection._store.note(TRAINED)["similarity"] > drift["now"]
