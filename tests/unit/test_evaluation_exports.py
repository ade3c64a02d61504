"""Exports hold the report's figures, and are what mteb and the hub read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.datasets.nanobeir import MTEB_REVISIONS
from eval.exports import SCRIPTS, write_exports
from eval.report import Report, Row, SystemKey, TaskKey

HYBRID, SEMANTIC = SystemKey("lfm2-colbert", "hybrid balanced"), SystemKey("lfm2-colbert", "semantic balanced")
LIQUID = "LiquidAI/nanobeir-multilingual-extended"
REVISION = "8a" * 20


def row(task: str, language: str, value: float, *, asked: str = "", setting: str = "semantic balanced") -> Row:
    figures = {"ndcg_at_10": value, "recall_at_100": 0.98765432, "success_at_1": 0.5, "search_ms_p50": 3.0}
    key = TaskKey("nanobeir", task, asked or language, language)
    return Row(key, SystemKey("lfm2-colbert", setting), 50, 2919, figures)


@pytest.fixture
def report(evaluation: Report) -> Report:
    rows = (
        row("scifact", "ja", 0.9, setting="hybrid balanced"),
        row("scifact", "ja", 0.612345678), row("scifact", "de", 0.7),
        row("climatefever", "ar", 0.25), row("scifact", "de", 0.1, asked="ja"),
        replace(row("scifact", "de", 0.1), system=SystemKey("bm25", "k1=0.9 b=0.4")),
        replace(row("scifact", "de", 0.1), task=TaskKey("xquad", "monolingual", "de", "de")),
    )  # fmt: skip
    return replace(evaluation, rows=rows)


def test_a_task_has_a_file_whose_subsets_are_its_languages(report: Report, tmp_path: Path) -> None:
    paths = write_exports(report, tmp_path)
    names = ["MultilingualNanoSciFactRetrieval", "MultilingualNanoClimateFeverRetrieval"]
    assert paths == [*(tmp_path / "mteb" / f"{name}.json" for name in names), tmp_path / "model-card.yaml"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == {
        "dataset_revision": f"{LIQUID}@{REVISION}",
        "task_name": "MultilingualNanoSciFactRetrieval",
        "mteb_version": None,
        "evaluation_time": None,
        "date": "2026-11-26T08:00:00+00:00",
        "scores": {
            "test": [
                {
                    "ndcg_at_10": value, "recall_at_100": 0.98765, "hit_rate_at_1": 0.5, "main_score": value,
                    "hf_subset": language, "languages": [script],
                }
                for language, script, value in (("ja", "jpn-Jpan", 0.61235), ("de", "deu-Latn", 0.7))
            ]
        },
    }  # fmt: skip


def test_the_revision_is_mtebs_where_its_data_were_read(report: Report, tmp_path: Path) -> None:
    name, revision = MTEB_REVISIONS["scifact"]
    read = replace(report, revisions={"nanobeir": f"mteb/MultilingualNano{name}Retrieval@{revision}"})
    assert json.loads(write_exports(read, tmp_path)[0].read_text(encoding="utf-8"))["dataset_revision"] == revision


def test_what_was_read_from_is_not_made_up(report: Report, tmp_path: Path) -> None:
    paths = write_exports(replace(report, revisions={"nanobeir": "local"}), tmp_path)
    assert [each.parent.name for each in paths] == ["mteb", "mteb"]
    assert json.loads(paths[0].read_text(encoding="utf-8"))["dataset_revision"] == "unknown"


def test_without_nanobeir_nothing_is_written(report: Report, tmp_path: Path) -> None:
    assert write_exports(replace(report, rows=report.rows[-1:]), tmp_path / "new") == []
    assert not (tmp_path / "new").exists()


def test_another_setting_is_taken_where_there_is_no_semantic_one(report: Report, tmp_path: Path) -> None:
    (path, _) = write_exports(replace(report, rows=report.rows[:1]), tmp_path)
    assert json.loads(path.read_text(encoding="utf-8"))["scores"]["test"][0]["main_score"] == 0.9


def card(report: Report, folder: Path) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(write_exports(report, folder)[-1].read_text(encoding="utf-8"))


def test_entries_of_the_model_card_name_data_and_setting(report: Report, tmp_path: Path) -> None:
    entries = card(report, tmp_path)
    assert [(each["dataset"]["task_id"], each["value"]) for each in entries] == [
        ("NanoSciFact_ja", 61.235), ("NanoSciFact_de", 70.0), ("NanoClimateFEVER_ar", 25.0),
    ]  # fmt: skip
    assert entries[0] == {
        "dataset": {"id": LIQUID, "task_id": "NanoSciFact_ja", "revision": REVISION},
        "value": 61.235,
        "date": "2026-11-26",
        "notes": "nDCG@10 of 100, lfm2-colbert semantic balanced, 50 queries",
    }


def test_the_hubs_own_library_reads_the_entries(report: Report, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface-hub is not installed (extra torch)")
    read = hub.parse_eval_result_entries(card(report, tmp_path))
    assert [(each.dataset_id, each.dataset_revision, each.value) for each in read[:1]] == [(LIQUID, REVISION, 61.235)]


@pytest.mark.filterwarnings("ignore")
def test_mteb_reads_its_files(report: Report, tmp_path: Path) -> None:
    pytest.importorskip("mteb", reason="mteb is not installed (extra mteb)")
    from mteb.results import TaskResult

    for path in write_exports(report, tmp_path)[:-1]:
        result = TaskResult.from_disk(path, load_historic_data=False)
        assert result.to_dict()["scores"] == json.loads(path.read_text(encoding="utf-8"))["scores"]
        assert result.task.metadata.name == path.stem
        assert result.task.metadata.main_score == "ndcg_at_10"
        for each in result.scores["test"]:
            assert result.get_score(languages=[each["languages"][0].split("-")[0]]) == each["main_score"]
            assert each["languages"] == result.task.metadata.hf_subsets_to_langscripts[each["hf_subset"]]


@pytest.mark.filterwarnings("ignore")
def test_mteb_names_tasks_revisions_and_languages_as_we_do() -> None:
    mteb = pytest.importorskip("mteb", reason="mteb is not installed (extra mteb)")
    for name, revision in MTEB_REVISIONS.values():
        metadata = mteb.get_task(f"MultilingualNano{name}Retrieval").metadata
        assert metadata.dataset["revision"] == revision
        assert metadata.eval_langs == {language: [script] for language, script in SCRIPTS.items()}


@pytest.mark.filterwarnings("ignore")
def test_mtebs_model_of_the_hub_reads_the_entries(report: Report, tmp_path: Path) -> None:
    pytest.importorskip("mteb", reason="mteb is not installed (extra mteb)")
    from mteb._hf_integration.eval_result_model import HFEvalResults

    read = HFEvalResults.model_validate(card(report, tmp_path))
    assert [read[place].value for place in range(len(read))] == [61.235, 70.0, 25.0]
