"""Mistakes at `lfm2-colbert eval` get a code and a way out, and every command explains itself."""

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.cli.evaluation import COMMANDS

pytest.importorskip("ir_measures")
pytest.importorskip("bm25s")

Run = Callable[..., Any]
FAST = ("--model", "hashing")


def spoil(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture
def run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `lfm2-colbert eval` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(run, "eval")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", "eval", *arguments]


@pytest.mark.parametrize(
    ("arguments", "status", "code", "help"),
    [
        (("folder", "handbook", "--model", "nanoo"), 2, "unknown_encoder", "did you mean 'nano'?"),
        (("folder", "handbook", *FAST, "--mode", "semantik"), 2, "unknown_name", "did you mean 'semantic'?"),
        (("folder", "handbook", *FAST, "--mode", ""), 2, "invalid_argument", "semantic, hybrid or lexical"),
        (("folder", "handbook", *FAST, "--effort", "fats"), 2, "unknown_name", "did you mean 'fast'?"),
        (("folder", "handbook", *FAST, "--codec", "scaler4"), 2, "unknown_name", "did you mean 'scalar4'?"),
        (("folder", "handbook", *FAST, "--pool", "5"), 2, "invalid_argument", "1 keeps every vector"),
        (("folder", "handbook", *FAST, "--baseline", "bm52"), 2, "unknown_encoder", "known: a model folder"),
        (("folder", "handbook", *FAST, "--baseline", "a/b"), 2, "invalid_argument", "40 digits of a commit"),
        (("folder", "handbook", *FAST, "--baseline", "hashing"), 2, "invalid_argument", "leave it out"),
        (("folder", "handbook", *FAST, "--languages", "dee"), 2, "unknown_name", "did you mean 'de'?"),
        (("folder", "handbook", *FAST, "--query-languages", "dee"), 2, "unknown_name", "did you mean 'de'?"),
        (("folder", "handbook", *FAST, "--split", "dev"), 2, "not_found", "there are: test.tsv"),
        (("folder", "handbook", *FAST, "--limit", "0"), 2, "usage", "--help"),
        (("folder", "handbook", *FAST, "-o", "handbook/de/corpus.jsonl/x"), 4, "storage_failed", "the disk"),
        (("folder", "handbook", *FAST, "--cache", "handbook/de/corpus.jsonl/x"), 4, "storage_failed", "the disk"),
        (("folder", "unjudged", *FAST), 2, "not_found", "docs/guides/evaluating.md shows the layout"),
        (("folder", "textless", *FAST), 3, "malformed_document", "there is nothing to measure"),
        (("folder", "misjudged", *FAST), 3, "malformed_document", "of the same version"),
        (("folder", ".", *FAST), 2, "not_found", "name one of its sets: handbook, misjudged, textless, unjudged"),
        (("folder", "handbook/de/qrels", *FAST), 2, "not_found", "docs/guides/evaluating.md shows the layout"),
        (("folder", "handbook/de", *FAST), 2, "not_found", "lfm2-colbert eval beir handbook/de"),
        (("folder", "nowhere", *FAST), 2, "usage", "--help"),
        (("beir", "handbook", *FAST), 2, "not_found", "lfm2-colbert eval folder handbook"),
        (("beir", "scifct", *FAST), 2, "unknown_name", "did you mean 'scifact'?"),
        (("nanobeir", *FAST, "--tasks", "scifct"), 2, "unknown_name", "did you mean 'scifact'?"),
        (("nanobeir", *FAST, "--languages", "jp"), 2, "unknown_name", "known: ar, de, en"),
        (("nanobeir", *FAST, "--source", "mtep"), 2, "unknown_name", "did you mean 'mteb'?"),
        (("nanobeir", *FAST, "--source", "mtep", "--query-languages", "all"), 2, "unknown_name", "'mteb'?"),
        (("nanobeir", *FAST, "--data", "nowhere"), 2, "not_found", "it holds: nothing"),
        (("download", "nanobier", "--to", "copy"), 2, "usage", "--help"),
        (("download", "nanobeir", "--to", "copy", "--tasks", "scifct"), 2, "unknown_name", "'scifact'?"),
        (("compare", "handbook", "handbook"), 2, "not_found", "eval … -o FOLDER"),
        (("fodler", "handbook"), 2, "usage", "did you mean 'folder'?"),
    ],
)
def test_mistakes_get_a_code_and_a_way_out(
    run: Run, handbook: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, code: str, help: str
) -> None:
    for name in ("unjudged", "textless", "misjudged"):
        shutil.copytree(handbook, tmp_path / name)
    (tmp_path / "unjudged" / "de" / "qrels" / "test.tsv").unlink()
    spoil(tmp_path / "textless" / "de" / "corpus.jsonl", lambda text: re.sub('"text": ".*?"', '"text": " "', text))
    spoil(tmp_path / "misjudged" / "de" / "qrels" / "test.tsv", lambda text: text.replace("d3", "d33"))
    outcome = run(*arguments)
    assert (outcome.status, outcome.out) == (status, "")
    assert f"error[{code}]" in outcome.err
    assert help in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments", [("nanobeir", *FAST, "--languages", "de"), ("download", "nanobeir", "--to", "copy")], ids=" ".join
)
def test_a_hub_that_cannot_be_reached_has_a_way_out(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    pytest.importorskip("datasets")
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        command(*arguments),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (4, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("error[dataset_unavailable] LiquidAI/nanobeir-multilingual-extended cannot be fetched")
    assert second.startswith("help: on a connected machine: lfm2-colbert eval download nanobeir --to FOLDER")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_a_terminal(run: Run, command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.status == 0
    assert "[default: (" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_help_of_the_group_lists_whole_sentences(run: Run) -> None:
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [*COMMANDS]
    assert not [line for line in listed if line.endswith("...")]
