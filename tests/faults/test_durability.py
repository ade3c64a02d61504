"""The programmes of `benchmarks.durability`, a little of each; whole they make ``benchmarks/results/durability.json``.

A harness that cannot find a bug proves nothing: each of ten bugs is planted, and must be found.
"""

import json

import pytest

from benchmarks.durability.__main__ import NOT_RUN, WHOLE
from benchmarks.durability.planted import PLANTS
from benchmarks.durability.programmes import PROGRAMMES, hunt
from benchmarks.results_file import RESULTS, ROOT

LONG_HUNTS = ("early-unlink", "rewritten-in-place", "synchronous-normal")
"""Bugs that show only after many states."""
BRIEF = [name for name in PROGRAMMES if name != "D3"]


@pytest.mark.parametrize("name", BRIEF)
def test_nothing_is_lost_invented_or_silently_wrong(name: str) -> None:
    outcome = PROGRAMMES[name].brief()
    assert outcome.runs > 0
    assert outcome.violations == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG_HUNTS)) for name in PLANTS]
)
def test_planted_bug_is_found(name: str) -> None:
    found = hunt(name)
    assert found.violations, f"{PLANTS[name].sentence}: not seen in {found.states} states"


@pytest.mark.slow
@pytest.mark.parametrize("name", BRIEF)
def test_whole_programme_finds_nothing(name: str) -> None:
    assert PROGRAMMES[name].run(PROGRAMMES[name].size).violations == []


def test_every_programme_is_in_the_published_figures_or_named_as_not_run() -> None:
    rows = json.loads((ROOT / RESULTS / "durability.json").read_text(encoding="utf-8"))["rows"]
    published = {row["test"]: row for row in rows}
    assert set(WHOLE) | set(NOT_RUN) == set(published)
    assert all(row.get("not_run") or row["violations"] == 0 for row in rows)
