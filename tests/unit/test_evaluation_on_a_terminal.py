"""An evaluation on a terminal: columns that stand under each other in every script, names that are short, one bar."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eval.progress import Progress
from eval.report import LanguageShare, Report, SystemKey, TaskKey
from service.cli.evaluation.progress import progress
from service.cli.evaluation.shown import short_names, show, show_warnings
from service.cli.output import print_table, width

OURS, EXACT, WORDS = "lfm2-colbert", SystemKey("oracle", "MaxSim"), SystemKey("bm25", "k1=0.9 b=0.4")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def whole(report: Report) -> Report:
    """Give the rows a figure that every evaluation has."""
    rows = [replace(row, figures={**row.figures, "recall_at_100": 0.5}) for row in report.rows]
    return replace(report, rows=tuple(rows))


def test_columns_stand_under_each_other_in_every_script(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("言語", "n"), ("a heading over all of it",), ("e\u0301", "10"), ("ar", "1,000")], right=(1,))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["言語      n", "a heading over all of it", "e\u0301        10", "ar    1,000"]
    assert {width(line) for line in lines if "heading" not in line} == {11}
    print_table([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (["semantic balanced"], [OURS]),
        (
            ["semantic balanced", "hybrid balanced", "lexical"],
            [f"{OURS} semantic", f"{OURS} hybrid", f"{OURS} lexical"],
        ),
        (["hybrid balanced", "hybrid fast"], [f"{OURS} hybrid balanced", f"{OURS} hybrid fast"]),
    ],
)
def test_systems_are_named_by_what_tells_them_apart(settings: list[str], names: list[str]) -> None:
    own = [SystemKey(OURS, setting) for setting in settings]
    assert list(short_names([*own, EXACT, WORDS]).values()) == [*names, "oracle", "bm25"]


def test_sets_of_one_report_are_told_apart(evaluation: Report, capsys: pytest.CaptureFixture[str]) -> None:
    show(whole(evaluation))
    out = capsys.readouterr().out
    assert out.startswith("task ")
    assert "\nxquad ar → de, 3 queries\n" in out
    assert "\nnanobeir scifact, ja, 3 queries\n" in out
    assert "mean of 2 tasks, xquad, cross-lingual, 6 queries\n" in out
    matrix = out.partition("queries down, documents across\n")[2].splitlines()[:4]
    assert [line.split() for line in matrix[:2]] == [["ar", "de", "ja", "mean"], ["ar", "83.3", "55.0", "–", "69.2"]]


def test_shares_of_several_pools_are_means(evaluation: Report, capsys: pytest.CaptureFixture[str]) -> None:
    shares = [LanguageShare(f"nanobeir {n}", "hybrid", "ar", "ar", 3, n / 4, 0, 1, 0.5) for n in (1, 3)]
    found = whole(evaluation)
    show(replace(found, language_bias=tuple(shares), rows=found.rows[:1]))
    out = capsys.readouterr().out
    assert "% in each; mean of 2 pools\nhybrid; without preference 50.0" in out
    assert out.endswith("\n      ar\nar  50.0\n")


def test_many_warnings_are_cut_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    show_warnings([f"number {i}" for i in range(12)], "in report.json")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "warning: number 0"
    assert lines[10:] == ["warning: … and 2 more: in report.json"]


def states() -> Iterator[Progress]:
    task = TaskKey("nanobeir", "quoraretrieval", "ar", "de")
    for step in ("encode", "lfm2-colbert semantic balanced", "oracle MaxSim over the encoder's vectors", "model dense"):
        yield Progress(task, 12, 143, step, 0.5)
    yield Progress(task, 13, 0, "queries in ar", 1.0)


def test_a_bar_says_what_is_done_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with progress() as tell:
        for state in states():
            tell(state)
            # What is drawn is drawn ten times a second; the last state of the block is drawn at its end.
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue()))
    assert any("13  quoraretrieval, ar → de  queries" in line and "100%" in line for line in lines)
    assert max(map(width, lines)) <= 80
