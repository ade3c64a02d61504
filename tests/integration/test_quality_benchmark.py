"""What the quality benchmark judges by, and which tasks it asks of a set."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import quality
from benchmarks.quality import NAME_OF_FP32, rows_of_before, rows_that_stay, tasks, verdicts
from benchmarks.systems import Ranking, row_of
from eval.datasets.base import Task
from eval.report import Row
from eval.run import Options
from index.types import Document
from lfm2_colbert.export.onnx import Precision


def rows(difference: float = 0.0, fp32: float = 0.9) -> list[dict[str, Any]]:
    common = {"dataset": "xquad", "query_language": "de", "document_language": "de", "ndcg_at_10": 0.9}
    served = common | {"system": "lfm2-colbert", "setting": "semantic balanced"}
    return [
        served | {"exact_difference": 0.0},
        served | {"query_language": "ar", "exact_difference": difference},
        served | {"setting": "hybrid balanced", "exact_difference": -0.5},
        common | {"system": NAME_OF_FP32, "setting": "semantic balanced", "ndcg_at_10": fp32},
    ]


def test_the_verdicts_hold_for_a_lossless_engine() -> None:
    assert [verdict.holds for verdict in verdicts(rows())] == [True, True]


@pytest.mark.parametrize(("planted", "place"), [({"difference": -0.003}, 0), ({"fp32": 0.91}, 1)])
def test_a_verdict_fails_for_an_engine_that_loses(planted: dict[str, float], place: int) -> None:
    found = list(verdicts(rows(**planted)))
    assert [verdict.holds for verdict in found].index(False) == place
    assert [verdict.holds for verdict in found].count(False) == 1


@pytest.mark.parametrize(("with_fp32", "others"), [(True, ["nano-0"]), (False, ["nano-0", NAME_OF_FP32])])
def test_rows_of_encoders_that_are_not_measured_stay(with_fp32: bool, others: list[str]) -> None:
    before = [{"system": name} for name in ("lfm2-colbert", "nano-0", "bm25", NAME_OF_FP32, "oracle")]
    assert rows_that_stay(before, with_fp32=with_fp32) == [{"system": name} for name in others]


def test_a_row_measures_its_run_by_hand_values() -> None:
    queries = {f"q{i}": "x" for i in range(20)}
    qrels = {key: {"d": 1} for key in queries}
    task = Task("twenty", "de", "de", "test", {"d": Document("d", "x")}, queries, qrels)
    half = {key: {"d": 1.0} for i, key in enumerate(queries) if i % 2}
    row = row_of(task, Ranking("peer", "none", half, 20))
    assert (row["ndcg_at_10"], row["recall_at_100"]) == (0.5, 0.5)
    assert row["ndcg_low"] < 0.5 < row["ndcg_high"]


def parallel(folder: Path, languages: tuple[str, ...], beside: tuple[str, ...] = ()) -> Path:
    for language in languages:
        home = folder / language
        (home / "qrels").mkdir(parents=True)
        (home / "corpus.jsonl").write_text(json.dumps({"_id": "d", "text": language}))
        for name in ("queries.jsonl", *(f"queries.{other}.jsonl" for other in beside)):
            (home / name).write_text(json.dumps({"_id": "q", "text": f"{language} {name}"}))
        (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    return folder


def test_a_parallel_set_is_asked_in_every_pair_of_languages(tmp_path: Path) -> None:
    found = list(tasks(parallel(tmp_path / "xquad", ("ar", "de"))))
    assert [(task.query_language, task.language) for task in found] == [
        ("ar", "ar"), ("de", "ar"), ("ar", "de"), ("de", "de"),
    ]  # fmt: skip
    assert found[1].queries == {"q": "de queries.jsonl"}


def test_a_set_with_questions_beside_its_documents_is_asked_in_their_languages(tmp_path: Path) -> None:
    found = list(tasks(parallel(tmp_path / "belebele", ("ar", "de"), beside=("de", "en"))))
    assert [(task.query_language, task.language) for task in found] == [
        ("de", "ar"), ("en", "ar"), ("de", "de"), ("en", "de"),
    ]  # fmt: skip
    assert found[1].queries == {"q": "ar queries.en.jsonl"}


def test_the_encoder_before_is_asked_what_it_was_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = parallel(tmp_path / "xquad", ("ar", "de"))
    asked: list[tuple[str, str, str, tuple[str, ...]]] = []

    def note(checkpoint: Path, name: str, precision: Precision, new: list[Task], options: Options) -> list[Row]:
        assert (checkpoint, name, precision) == (tmp_path, "nano-0", Precision.INT8)
        assert not options.baselines
        asked.extend((task.query_language, task.language, name, tuple(options.modes)) for task in new)
        return []

    monkeypatch.setattr(quality, "exported_rows", note)
    common = {"system": "nano-0", "document_language": "ar"}
    known = [common | {"query_language": "ar"}, {**common, "query_language": "de", "system": "lfm2-colbert"}]
    assert not list(rows_of_before(folder, tmp_path, known))
    assert asked == [
        ("de", "de", "nano-0", ("semantic", "hybrid")), ("de", "ar", "nano-0", ("semantic",)),
        ("ar", "de", "nano-0", ("semantic",)),
    ]  # fmt: skip
