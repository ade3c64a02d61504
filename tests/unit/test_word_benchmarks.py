"""What the measurements of words and of both judge by, on figures that are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.engine_vectors import EngineTexts
from benchmarks.hybrid import half, verdicts
from benchmarks.lexical import full_text_row, grown, own_row
from benchmarks.remembered import Remembered
from eval.datasets.base import Task
from index import Document
from lfm2_colbert.encoders.hashing import HashingEncoder


def row(language: str, system: str, setting: str, ndcg: float, task: str = "monolingual") -> dict[str, Any]:
    return {
        "dataset": "set", "task": task, "document_language": language, "system": system, "setting": setting,
        "ndcg_at_10": ndcg,
    }  # fmt: skip


def rows(hybrid: float, lexical: float = 0.5) -> list[dict[str, Any]]:
    own = [("semantic", 0.6), ("lexical", lexical), ("hybrid", hybrid), ("rrf", 0.6)]
    crossed = [row("ja", "lfm2-colbert", name, 0.6, "cross-lingual") for name, _ in own]
    return [*(row("de", "lfm2-colbert", *each) for each in own), row("de", "bm25", "k1=0.9 b=0.4", 0.5), *crossed]


def test_what_holds_is_said_to_hold() -> None:
    assert [verdict.holds for verdict in verdicts(rows(hybrid=0.65))] == [True] * 4


def test_a_loss_is_said_to_fail() -> None:
    assert [verdict.holds for verdict in verdicts(rows(hybrid=0.55, lexical=0.4))] == [False, False, True, False]


def test_halves_share_no_query_and_lose_none() -> None:
    queries = {f"q{i}": "words" for i in range(50)}
    task = Task("set", "de", "de", "test", {}, queries, {key: {"d": 1} for key in queries}, 0)
    parts = [half(task, part).queries.keys() for part in ("tuning", "reported")]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == queries.keys()
    assert all(half(task, part).qrels.keys() == half(task, part).queries.keys() for part in ("tuning", "reported"))


def test_both_word_indexes_are_measured_on_the_same_texts(tmp_path: Path) -> None:
    texts = grown(EngineTexts(["the cat", "der Hund", "東京 の 首都"], [0, 1, 1], ["cat 首都", "?!"]), ["a dog"])
    assert texts.documents == [0, 1, 1, 2]
    found = [own_row(texts, tmp_path / "words"), full_text_row(texts, tmp_path)]
    assert {(each["passages"], each["queries"], each["threads"]) for each in found} == {(4, 2, 1)}


class Counting(HashingEncoder):
    """Counts what it encodes."""

    encoded = 0

    def encode_documents(self, texts: Any) -> Any:
        self.encoded += len(texts)
        return super().encode_documents(texts)


def test_remembered_vectors_are_encoded_once_and_outlive_the_process(tmp_path: Path) -> None:
    encoder, texts = Counting(), ["the cat", "der Hund", "the cat"]
    first = Remembered(encoder, tmp_path / "set.npz")
    expected = HashingEncoder().encode_documents(texts)
    np.testing.assert_allclose(first.encode_documents(texts).vectors, expected.vectors, atol=1e-3)
    first.save()
    again = Remembered(encoder, tmp_path / "set.npz")
    np.testing.assert_array_equal(again.encode_documents(texts).offsets, expected.offsets)
    np.testing.assert_array_equal(again.encode_queries(["a"]).vectors, HashingEncoder().encode_queries(["a"]).vectors)
    assert encoder.encoded == 2
    other = Remembered(HashingEncoder(dim=64), tmp_path / "set.npz")
    assert other.encode_documents(["the cat"]).dim == 64


@pytest.mark.parametrize("part", ["tuning", "reported"])
def test_documents_of_a_half_are_those_of_the_whole(part: str) -> None:
    task = Task("set", "de", "de", "test", {"d": Document("d", "x")}, {"q": "x"}, {"q": {"d": 1}}, 0)
    assert half(task, part).documents == task.documents
