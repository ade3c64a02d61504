"""Without any extra: commands of this machine work, and those that need more name the extra that brings it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.cli import COMMANDS

ROOT = Path(__file__).parents[2]
EXTRAS = (
    "bm25s", "beir", "datasets", "fastapi", "httptools", "httpx2", "huggingface_hub", "ir_measures", "jupytext",
    "lancedb", "limits", "matplotlib", "mcp", "mteb", "nbclient", "onnx", "openvino", "opentelemetry", "peft",
    "prometheus_client", "pyarrow", "requests", "scipy", "sentence_transformers", "starlette", "torch",
    "transformers", "uvicorn", "uvloop",
)  # fmt: skip
"""Libraries that no dependency of the base install brings."""
PROGRAM = f"""
import contextlib, io, json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from service.cli.main import main

for line in sys.stdin:
    sys.argv = ["lfm2-colbert", *json.loads(line)]
    out, err, status = io.StringIO(), io.StringIO(), "none"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = end.code
        except BaseException as error:
            status = repr(error)
    print(json.dumps([status, out.getvalue(), err.getvalue()]), flush=True)
"""
NEEDING = {
    "eval": ["eval", "folder", str(ROOT / "examples" / "handbook"), "-o", "report"],
    "a language model's address": ["ask", "vacation", "--llm", "http://127.0.0.1:9/v1", "--llm-model", "m"],
    "another server": ["search", "vacation", "--url", "http://127.0.0.1:9"],
    "mcp": ["mcp"],
    "merge": ["merge", "model", "other", "-o", "merged"],
    "serve": ["serve"],
    "train": ["train", "recipe.toml", "-o", "trained"],
}


class Machine:
    """Runs commands in a process that finds no library of any extra."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
        )

    def run(self, *arguments: str) -> tuple[Any, str, str]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        status, out, err = json.loads(self._process.stdout.readline())
        return status, out, err

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LFM2_COLBERT_HOME", str(tmp_path / "home"))
    for name in ("model", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "note.md").write_text(
        "Im ersten Jahr gibt es 24 Urlaubstage.\n\n東京は日本の首都です。", encoding="utf-8"
    )
    machine = Machine(tmp_path)
    yield machine
    machine.close()


def test_commands_of_this_machine_work(machine: Machine) -> None:
    for command in (
        ["index", "note.md"], ["search", "How many vacation days?"], ["ask", "How many vacation days?"],
        ["rerank", "vacation", "note.md"], ["collections"], ["status"], ["verify"], ["optimize"], ["backup", "copy"],
        ["export", "collection", "out"], ["keys"], ["index", "note.md", "--dry-run"], ["rebuild"],
        ["restore", "copy", "-c", "again"],
    ):  # fmt: skip
        status, out, err = machine.run(*command)
        assert (status, "Traceback" in err) == (0, False), (command, status, out, err)


@pytest.mark.parametrize("name", NEEDING)
def test_commands_that_need_more_name_the_extra(machine: Machine, name: str) -> None:
    machine.run("index", "note.md")
    status, _, err = machine.run(*NEEDING[name])
    assert "pip install 'lfm2-colbert[" in err, (status, err)
    assert "error[missing_extra]" in err


def test_every_command_can_say_what_it_does(machine: Machine) -> None:
    for name in COMMANDS:
        status, out, err = machine.run(name, "--help")
        assert (status, err) == (0, ""), name
        assert name in out
