"""`lfm2-colbert eval compare`, and an evaluation that was interrupted: what was kept is held against what is new."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ir_measures")
pytest.importorskip("bm25s")

Run = Callable[..., Any]
FAST = ("--model", "hashing")

Texts = Mapping[str, Sequence[str]]
TIMED = re.compile(r"(encode|search)_\w*(s|p\d\d)|seconds")
"""Figures that no two runs share."""


@pytest.fixture
def run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `lfm2-colbert eval` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(run, "eval")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", "eval", *arguments]


def untimed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not TIMED.fullmatch(name)} for row in rows]


NUMBERED = {
    "ar": ("إجازة رقم {} طويلة", "رقم {}"),
    "de": ("Urlaub Nummer {} ist lang", "Nummer {}"),
    "ja": ("休暇 第 {} 号は長い 🐈", "第 {} 号"),
}


def numbered(languages: Sequence[str], n: int) -> tuple[Texts, Texts]:
    """Give documents that a number tells apart, and questions for it."""
    return (
        {name: [NUMBERED[name][0].format(i) for i in range(n)] for name in languages},
        {name: [NUMBERED[name][1].format(i) for i in range(n)] for name in languages},
    )


def test_a_regression_fails_the_command_and_the_same_index_does_not(
    run: Run, tmp_path: Path, write_set: Callable[..., Path]
) -> None:
    texts, questions = numbered(("ar", "ja"), 80)
    whole = write_set(tmp_path / "whole" / "set", texts, questions)
    # A tenth of the documents has lost its text: what was judged is still there by name.
    fewer = {name: ["" if i % 10 == 3 else text for i, text in enumerate(each)] for name, each in texts.items()}
    short = write_set(tmp_path / "short" / "set", fewer, questions)
    for folder, name, *options in ((whole, "a"), (whole, "b", "--cache", "anew"), (short, "c")):
        assert run("folder", str(folder), *FAST, "-o", name, *options).status == 0
    assert run("compare", "a", "b", "--fail-on-regression").status == 0
    worse = run("compare", "a", "c", "--fail-on-regression")
    assert worse.status == 1
    assert [line.split()[-1] for line in worse.out.splitlines()[4:7]] == ["worse"] * 3
    assert run("compare", "a", "c").status == 0
    assert run("compare", "c", "a", "--fail-on-regression").status == 0
    found = run("compare", "a", "c", "--json").json
    assert (found["regressed"], len(found["tasks"])) == (True, 2)
    assert found["mean"]["difference"] == pytest.approx(-0.1, abs=0.02)


def test_other_questions_are_no_regression_but_another_task(run: Run, handbook: Path) -> None:
    run("folder", str(handbook), "--languages", "ja", *FAST, "-o", "a")
    run("folder", str(handbook), "--languages", "ja", "--query-languages", "de", *FAST, "-o", "b")
    outcome = run("compare", "a", "b", "--fail-on-regression")
    assert outcome.status == 2
    assert "no task with a common query" in outcome.err


def test_two_systems_of_one_report_are_compared_by_their_short_names(run: Run, handbook: Path) -> None:
    run("folder", str(handbook), *FAST, "-o", "a")
    outcome = run("compare", "a", "a", "--systems", "lfm2-colbert semantic balanced", "bm25", "--measure", "mrr_at_10")
    assert outcome.status == 0
    assert outcome.out.splitlines()[:2] == ["A  lfm2-colbert semantic balanced", "B  bm25 k1=0.9 b=0.4"]
    assert json.loads(run("compare", "a", "a", "--systems", "oracle", "bm25", "--json").out)["system_a"] == {
        "system": "oracle", "setting": "MaxSim over the encoder's vectors",
    }  # fmt: skip


@pytest.mark.slow
def test_what_was_interrupted_goes_on_where_it_stopped(tmp_path: Path, write_set: Callable[..., Path]) -> None:
    folder = write_set(tmp_path / "set", *numbered(("ar", "de", "ja"), 120))
    asked = ("folder", str(folder), *FAST, "--json", "--home")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def start(home: Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command(*asked, str(home)),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What a shell starts in the background is told to ignore interruptions, and so is what that starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    answers = tmp_path / "stopped" / ".evaluations" / "answers"
    child = start(tmp_path / "stopped")
    deadline = time.monotonic() + 120
    while not list(answers.glob("*")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate()
    assert child.returncode == 130, said
    assert "error[interrupted] stopped; what was stored is safe\nhelp: run the same command again" in said
    assert "Traceback" not in said
    done = set(answers.glob("*"))
    assert 0 < len(done) < 3 * 4

    again, undisturbed = start(tmp_path / "stopped"), start(tmp_path / "whole")
    rows = [json.loads(each.communicate()[0])["rows"] for each in (again, undisturbed)]
    assert untimed(rows[0]) == untimed(rows[1])
    assert done < set(answers.glob("*"))
