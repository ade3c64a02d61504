"""The edge of the benchmark scripts: the status a run ends with, and the command that its results record."""

import sys

import click
import pytest

from benchmarks.command import command_line, run
from lfm2_colbert.errors import InvalidArgumentError


@click.command()
@click.argument("verdict", type=int)
def judge(verdict: int) -> int:
    """End with the status given; refuse what is below 0."""
    if verdict < 0:
        raise InvalidArgumentError("below 0", help="give 0 or 1")
    return verdict


@pytest.mark.parametrize(("argument", "status"), [("0", 0), ("1", 1), ("zero", 2)])
def test_a_run_ends_with_its_verdict(monkeypatch: pytest.MonkeyPatch, argument: str, status: int) -> None:
    monkeypatch.setattr(sys, "argv", ["judge", argument])
    with pytest.raises(SystemExit) as caught:
        run(judge)
    assert caught.value.code == status


def test_an_error_is_a_line_with_its_code_and_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["judge", "--", "-1"])
    with pytest.raises(SystemExit) as caught:
        run(judge)
    assert caught.value.code == InvalidArgumentError.exit_status
    assert capsys.readouterr().err == "error[invalid_argument] below 0\nhelp: give 0 or 1\n"


def test_the_command_is_kept_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/quality.py", "../sets", "--queries", "5"])
    assert command_line("benchmarks.quality") == "python -m benchmarks.quality ../sets --queries 5"
