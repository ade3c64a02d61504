"""`lfm2-colbert doctor` on the command line: a table for people, JSON for programs, 4 where something will not work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.doctor.checks import CHECKS

Run = Callable[..., Any]


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the checks that look at the machine of whoever runs the tests."""
    from service.doctor import checks
    from service.doctor.finding import fine

    for name in ("kernels", "terminal", "port", "torch", "extras", "hub"):
        monkeypatch.setitem(checks.CHECKS, name, lambda asked, name=name: iter([fine(name, "")]))  # type: ignore[arg-type]


def test_json_has_a_row_for_every_check(run: Run, fit: None) -> None:
    outcome = run("doctor", "--model", "hashing", "--json")
    assert (outcome.status, outcome.json["fit"]) == (0, True)
    assert {row["check"] for row in outcome.json["checks"]} == CHECKS.keys() - {"openmp"}
    assert {tuple(row) for row in outcome.json["checks"]} == {("check", "state", "code", "message", "help")}


def test_a_fit_machine_is_told_so(run: Run, fit: None) -> None:
    outcome = run("doctor", "--model", "hashing")
    assert outcome.out.splitlines()[-1] == "all checks passed"
    assert "passages/s" in outcome.out
    assert outcome.err == ""


def test_a_warning_is_no_failure(run: Run, fit: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFM2_COLBERT_TREADS", "2")
    outcome = run("doctor", "--model", "hashing")
    assert outcome.status == 0
    assert "warning[unknown_variable] LFM2_COLBERT_TREADS is set" in outcome.out
    assert outcome.out.splitlines()[-1] == "1 warning; everything else is as it should be"


def test_an_error_ends_with_the_status_of_the_environment(run: Run, fit: None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outcome = run("doctor", "--model", "hashing", "--home", tmp_path / "file")
    assert outcome.status == 4
    assert f"error[permission_denied] {tmp_path / 'file'} is no folder" in outcome.out
    assert run("doctor", "--model", "nanno", "--json").json["fit"] is False
