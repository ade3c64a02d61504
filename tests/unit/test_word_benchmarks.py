"""What the measurements of words and of both judge by, on figures that are known."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine_vectors import EngineTexts
from benchmarks.hybrid import half, verdicts
from benchmarks.lexical import full_text_row, grown, own_row
from eval.datasets.base import Task
from index import Document


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
    task = Task("set", "de", "de", "test", {}, queries, {key: {"d": 1} for key in queries})
    parts = [half(task, part).queries.keys() for part in ("tuning", "reported")]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == queries.keys()
    assert all(half(task, part).qrels.keys() == half(task, part).queries.keys() for part in ("tuning", "reported"))


def test_both_word_indexes_are_measured_on_the_same_texts(tmp_path: Path) -> None:
    texts = grown(EngineTexts(["the cat", "der Hund", "東京 の 首都"], [0, 1, 1], ["cat 首都", "?!"]), ["a dog"])
    assert texts.documents == [0, 1, 1, 2]
    found = [own_row(texts, tmp_path / "words"), full_text_row(texts, tmp_path)]
    assert {(each["passages"], each["queries"], each["threads"]) for each in found} == {(4, 2, 1)}


@pytest.mark.parametrize("part", ["tuning", "reported"])
def test_documents_of_a_half_are_those_of_the_whole(part: str) -> None:
    task = Task("set", "de", "de", "test", {"d": Document("d", "x")}, {"q": "x"}, {"q": {"d": 1}})
    assert half(task, part).documents == task.documents
