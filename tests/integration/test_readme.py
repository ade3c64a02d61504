"""The README is run: its commands print what it shows, its Python does what it says, its links lead somewhere."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from service.cli.evaluation.group import evaluation
from service.cli.main import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SEARCHING = (ROOT / "docs" / "guides" / "searching.md").read_text(encoding="utf-8")
EVALUATING = (ROOT / "docs" / "guides" / "evaluating.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
ANIMALS = {
    "garten.txt": "Im Garten unter dem Baum schläft der Hund.",
    "katze.md": "Die Katze trinkt Milch in der Küche.",
    "東京.txt": "日本の首都は東京です。",
}
SETS_UP = ("git clone", "make ")
"""Commands that set the machine up; `make demo` is what a newcomer and CI's clean clone run."""
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("notebooks/*.md")]
)


def blocks(text: str, language: str) -> list[str]:
    return [block for kind, block in BLOCK.findall(text) if kind == language]


def commands(text: str) -> list[tuple[str, str]]:
    """Give each command of the console blocks with the output shown for it."""
    found = []
    for block in blocks(text, "console"):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            if not command.startswith(SETS_UP):
                found.append((command, output))
    return found


def as_pattern(shown: str) -> str:
    """Turn shown output into a pattern: "…" stands for anything; times, rates, figures and scores may differ."""
    pattern = re.escape(shown.strip()).replace("…", ".*")
    pattern = re.sub(r"\\ \\\([\d,]+\\ passages/s\\\)", r"\\ \\([\\d,]+\\ passages/s\\)", pattern)
    pattern = re.sub(r"(?:\\?[-+])?\d+\\\.\d+", r"[-+]?\\d+[.]\\d+", pattern)
    return re.sub(r"(?:\\ ){2,}", r" +", pattern)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what the documents name, so that reports are not written among the sources."""
    shutil.copytree(ROOT / "examples", tmp_path / "checkout" / "examples")
    return tmp_path / "checkout"


@pytest.mark.parametrize("document", ["README.md", "docs/guides/evaluating.md"])
def test_commands_print_what_is_shown(checkout: Path, tmp_path: Path, document: str) -> None:
    environment = os.environ | {
        "LFM2_COLBERT_HOME": str(tmp_path / "home"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
    }
    shown = commands((ROOT / document).read_text(encoding="utf-8"))
    assert len(shown) >= 4
    for command, output in shown:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        printed = done.stdout if done.returncode == 0 else done.stderr
        assert re.match(as_pattern(output), printed.strip(), re.DOTALL), f"$ {command}\n{printed}"


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFM2_COLBERT_HOME", str(tmp_path))
    (example,) = blocks(README, "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    assert printed.getvalue().startswith("de ")


def test_an_evaluation_in_python_runs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    (example,) = blocks(EVALUATING, "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "evaluating.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert [line.split()[0] for line in lines if "hybrid" in line] == [
        f"handbook-monolingual-{name}" for name in ("de-de", "ja-ja")
    ]
    assert (checkout / "report-python" / "index.html").is_file()


def test_the_examples_of_reranking_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "animals").mkdir()
    for name, text in ANIMALS.items():
        (tmp_path / "animals" / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (example,) = blocks(SEARCHING, "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "searching.md", "exec"), {})
    assert printed.getvalue().startswith("1 0.")
    (shown,) = (each for each in commands(SEARCHING) if each[0].startswith("lfm2-colbert rerank"))
    monkeypatch.setattr("sys.argv", shlex.split(shown[0]))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), pytest.raises(SystemExit):
        main()
    assert re.match(as_pattern(shown[1]), printed.getvalue().strip(), re.DOTALL), printed.getvalue()


def test_commands_that_are_not_run_have_options_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests" / "handbook").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    text = "".join(blocks(EVALUATING, "sh") + blocks(EVALUATING, "yaml"))
    lines = [line.partition("#")[0] for line in re.findall(r"lfm2-colbert eval (.+)", text)]
    assert len(lines) >= 8
    for line in lines:
        name, *arguments = shlex.split(line)
        command = evaluation.get_command(click.Context(evaluation), name)
        assert command is not None, name
        command.make_context(name, arguments)  # raises where an option does not exist


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing


def test_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:lfm2_colbert|index|eval|service|tests|docs)/[\w/.-]+\.(?:py|md))`", text)
    assert len(named) > 20
    assert not [name for name in named if not (ROOT / name).exists()]
