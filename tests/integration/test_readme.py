"""The README is run: its commands print what it shows, its Python does what it says, its links lead somewhere."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
SETS_UP = ("git clone", "make ")
"""Commands that set the machine up; `make demo` is what a newcomer and CI's clean clone run."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(README) if kind == language]


def commands() -> list[tuple[str, str]]:
    """Give each command of the console blocks with the output shown for it."""
    found = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            if not command.startswith(SETS_UP):
                found.append((command, output))
    return found


def as_pattern(shown: str) -> str:
    """Turn shown output into a pattern: "…" stands for anything; times, rates and scores may differ."""
    pattern = re.escape(shown.strip()).replace("…", ".*")
    pattern = re.sub(r"\d+\\\.\d\\ s", r"[\\d.]+\\ s", pattern)
    pattern = re.sub(r"\\ \\\([\d,]+\\ passages/s\\\)", r"\\ \\([\\d,]+\\ passages/s\\)", pattern)
    return re.sub(r"0\\\.\d\d", r"0\\.\\d\\d", pattern)


def test_commands_print_what_the_readme_shows(tmp_path: Path) -> None:
    environment = os.environ | {
        "LFM2_COLBERT_HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
    }
    shown = commands()
    assert len(shown) >= 4
    for command, output in shown:
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        printed = done.stdout if done.returncode == 0 else done.stderr
        assert re.match(as_pattern(output), printed.strip(), re.DOTALL), f"$ {command}\n{printed}"


def test_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFM2_COLBERT_HOME", str(tmp_path))
    (example,) = blocks("python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    assert printed.getvalue().startswith("de ")


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
