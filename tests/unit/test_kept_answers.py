"""Finished answers are found again for the same question alone."""

from dataclasses import dataclass, replace
from pathlib import Path

from eval.datasets.base import Task
from eval.kept import KeptAnswers
from eval.report import SystemKey
from eval.systems import Answers, OnQuery
from index.indexing import OnProgress
from index.types import Document

ANSWERS = Answers({"q1": {"d1": 1.5, "日本": 1.4999998807907104}}, 2, {"seconds": 0.25}, {"cut_query": 1})
TASK = Task("handbook", "ja", "ja", "test", {"d1": Document("d1", "休暇")}, {"q1": "休暇は？"}, {"q1": {"d1": 1}})


@dataclass(frozen=True)
class Named:
    """A system that is only a name."""

    made_of: str = "documents and a model"

    @property
    def key(self) -> SystemKey:
        return SystemKey("ours", "semantic")

    def answer(self, task: Task, on_progress: OnProgress, on_query: OnQuery) -> Answers:
        return ANSWERS


def test_an_answer_is_given_back_as_it_was(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path / "answers")
    assert kept.get(TASK, Named()) is None
    kept.put(TASK, Named(), ANSWERS)
    found = KeptAnswers(tmp_path / "answers").get(TASK, Named())
    assert found == ANSWERS
    assert [*found.run["q1"]] == ["d1", "日本"]


def test_another_question_or_system_has_another_file(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path)
    kept.put(TASK, Named(), ANSWERS)
    others = [
        replace(TASK, queries={"q1": "他の休暇は？"}),
        replace(TASK, queries={"q2": "休暇は？"}),
        replace(TASK, skips_own=True),
    ]
    assert [kept.get(task, Named()) for task in others] == [None, None, None]
    assert kept.get(TASK, Named(made_of="other documents")) is None
    assert kept.get(replace(TASK, qrels={"q1": {"d1": 2}}), Named()) == ANSWERS  # answers know no judgements


def test_a_broken_file_counts_as_none(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path)
    kept.put(TASK, Named(), ANSWERS)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    broken = [b"", b"no archive", whole[:-6], whole[: len(whole) // 2], bytes([*whole[:20], 255, *whole[21:]])]
    for content in broken:
        path.write_bytes(content)
        assert kept.get(TASK, Named()) is None
    kept.put(TASK, Named(), ANSWERS)
    assert kept.get(TASK, Named()) == ANSWERS
