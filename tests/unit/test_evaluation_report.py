"""An evaluation's folder gives back what was put into it, and says when it is not one."""

from pathlib import Path

import pytest

from eval.machine import Machine
from eval.report import Document, Example, LanguageShare, Report, Row, SystemKey, TaskKey, load, save
from lfm2_colbert.errors import MalformedDocumentError, NotFoundError

TASK = TaskKey("xquad", "cross-lingual", "ar", "de")
OURS, WORDS = SystemKey("lfm2-colbert", "semantic balanced"), SystemKey("bm25", "k1=0.9 b=0.4")


def report() -> Report:
    return Report(
        commit="",
        created="2026-11-26T08:00:00+00:00",
        command="lfm2-colbert eval folder xquad",
        machine=Machine("a processor", 2, 24, ("avx2",)),
        versions={"numpy": "2.4.6"},
        seed=7,
        config={"modes": ["semantic"], "k": 100},
        rows=(Row(TASK, OURS, 2, 3, {"ndcg_at_10": 0.5, "truncated": 1}), Row(TASK, WORDS, 2, 3, {"ndcg_at_10": 0.25})),
        cleaned={TASK: {"empty documents": 1}},
        revisions={"xquad": "local"},
        warnings=("one passage was cut",),
        per_query={(TASK, OURS): {"ndcg_at_10": {"q1": 1.0, "ق2": 0.0}}},
        examples=(
            Example(
                TASK, OURS, "ق2", "كم يوم إجازة لدي؟", 0.0, WORDS, 0.25,
                (Document("d1", "有給休暇は年20日です。", None),), (Document("d2", "Dreißig Urlaubstage 🏖", 1),),
            ),
        ),
        language_bias=(LanguageShare("xquad", "semantic balanced", "ar", "de", 2, 0.7, 0.5, 0.9, 0.5),),
    )  # fmt: skip


def test_a_report_is_read_as_it_was_saved(tmp_path: Path) -> None:
    save(report(), tmp_path)
    assert load(tmp_path) == report()


def test_a_row_is_flat_and_lacks_what_was_not_measured() -> None:
    assert report().rows[1].as_json() == {
        "dataset": "xquad", "task": "cross-lingual", "query_language": "ar", "document_language": "de",
        "system": "bm25", "setting": "k1=0.9 b=0.4", "queries": 2, "passages": 3, "ndcg_at_10": 0.25,
    }  # fmt: skip


def test_a_folder_without_a_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"report\.json"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"rows": 3}'])
def test_a_report_that_was_cut_is_refused(tmp_path: Path, text: str) -> None:
    save(report(), tmp_path)
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(MalformedDocumentError, match="whole report"):
        load(tmp_path)
