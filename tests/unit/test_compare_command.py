"""Two reports compared on the command line: a line a task, then the mean, and a status that scripts can use."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from eval.machine import Machine
from eval.report import Report, Row, SystemKey, TaskKey, save
from lfm2_colbert.errors import NotFoundError, UnknownNameError
from service.cli.evaluation.compare import compare

OURS, WORDS = SystemKey("lfm2-colbert", "semantic balanced"), SystemKey("bm25", "k1=0.9 b=0.4")
TASKS = [TaskKey("nanobeir", name, "ja", "ja") for name in ("arguana", "nq")]


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Give a folder with two reports, ``before`` and ``after``: the latter is worse on nq."""
    values = np.random.default_rng(0).random(50)
    write(tmp_path / "before", {OURS: [values, values], WORDS: [values - 0.2, values - 0.2]}, k=100)
    write(tmp_path / "after", {OURS: [values, values - np.linspace(0.05, 0.15, 50)]}, k=10)
    return tmp_path


def write(folder: Path, systems: dict[SystemKey, Sequence[np.ndarray]], k: int) -> None:
    of_tasks = [(task, system, each) for system in systems for task, each in zip(TASKS, systems[system], strict=True)]
    per_query = {
        (task, system): {"ndcg_at_10": {f"質問{i}": float(v) for i, v in enumerate(values)}}
        for task, system, values in of_tasks
    }
    rows = tuple(Row(task, system, 50, 100, {"ndcg_at_10": float(values.mean())}) for task, system, values in of_tasks)
    report = Report(
        commit="", created="", command="", machine=Machine("", 2, 24, ()), versions={}, seed=7, config={"k": k},
        rows=rows, cleaned={}, revisions={}, warnings=(), per_query=per_query, examples=(),
    )  # fmt: skip
    save(report, folder)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(compare, arguments, standalone_mode=False)


def test_a_line_for_each_task_then_the_mean_and_a_sentence(reports: Path) -> None:
    done = run(str(reports / "before"), str(reports / "after"))
    lines = done.stdout.splitlines()
    assert lines[:3] == ["A  lfm2-colbert semantic balanced", "B  lfm2-colbert semantic balanced", ""]
    assert lines[3].split() == "ndcg_at_10 queries A B B - A [95 %] p (Holm) B is".split()
    assert "+0.0000 [+0.0000, +0.0000]    1.0000  –" in lines[4]
    assert lines[5].startswith("nq, ja ")
    assert lines[5].endswith("worse")
    assert "-0.1000 [-0.1" in lines[5]
    assert lines[6].startswith("mean of 2 tasks")
    assert lines[-1].startswith("B is worse on 1 task, not distinguishable on 1 task. On the mean B - A = -0.0500")
    assert done.stderr == "warning: k is 100 in A and 10 in B\n"


def test_a_regression_fails_only_if_asked_to(reports: Path) -> None:
    before, after = str(reports / "before"), str(reports / "after")
    assert run(before, after).return_value == 0
    assert run(before, after, "--fail-on-regression").return_value == 1
    assert run(after, before, "--fail-on-regression").return_value == 0
    assert run(before, before, "--fail-on-regression").return_value == 0


def test_two_systems_of_one_report(reports: Path) -> None:
    before = str(reports / "before")
    found = json.loads(run(before, before, "--systems", str(OURS), "bm25", "--json").stdout)
    assert found["system_b"] == {"system": "bm25", "setting": "k1=0.9 b=0.4"}
    assert [each["contrast"]["verdict"] for each in found["tasks"]] == ["worse", "worse"]
    assert found["mean"]["difference"] == pytest.approx(-0.2)
    assert found["regressed"] is True
    assert found["warnings"] == []


def test_what_is_not_there_is_an_error_with_a_way_out(reports: Path) -> None:
    missing = run(str(reports / "before"), str(reports / "nowhere"))
    assert isinstance(missing.exception, NotFoundError)
    unknown = run(str(reports / "before"), str(reports / "after"), "--measure", "ndcg_at_11")
    assert isinstance(unknown.exception, UnknownNameError)
    assert "did you mean 'ndcg_at_10'" in unknown.exception.help


def test_the_command_is_there_before_numpy_is() -> None:
    program = "import sys; from service.cli.evaluation.compare import compare; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
