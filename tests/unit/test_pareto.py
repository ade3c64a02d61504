"""What an index costs and finds, over tasks of different sizes."""

from pathlib import Path

import pytest

from benchmarks import pareto
from benchmarks.pareto import Point, points_of, row_of
from eval.datasets.base import Task
from eval.served import Build
from index.types import Document
from lfm2_colbert.encoders.loading import load_encoder

TEXTS = {"a": "東京は日本の首都です。", "b": "Die Katze schläft 🐈 auf dem Sofa.", "c": "القاهرة عاصمة مصر."}
TASK = Task(
    name="small",
    language="ja",
    query_language="ja",
    split="test",
    documents={key: Document(key, text * 40) for key, text in TEXTS.items()},
    queries={"1": "東京は日本の首都です。", "2": "Katze auf dem Sofa"},
    qrels={"1": {"a": 1}, "2": {"b": 1}},
)


def test_costs_are_over_all_tasks_and_what_is_found_is_the_mean_of_tasks() -> None:
    small, large = Point(0.9, 1000, 10, 0.1, 5), Point(0.5, 9000, 30, 0.5, 15)
    assert row_of([small, large]) == {"ndcg_at_10": 0.7, "bytes_per_passage": 250.0, "cpu_ms_per_query": 30.0}


def test_fewer_bits_and_vectors_take_fewer_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pareto, "CACHE", tmp_path)
    settings, encoder = [("semantic", "balanced")], load_encoder("hashing")
    builds = (Build("float16"), Build("scalar4"), Build("scalar2"), Build("scalar2", 3))
    points = [points_of(TASK, build, settings, encoder)[0] for build in builds]
    sizes = [point.n_bytes for point in points]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)
    assert points[0].ndcg == 1
    assert {(point.passages, point.queries) for point in points} == {(points[0].passages, 2)}
