"""The guide to asking a server is run: commands, Python, curl and JavaScript print what stands below them."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving.server import served
from service.keys import Keyring, Role

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "client.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```(?:\n+```text\n(.*?)```)?", re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server, and a key to it; `notes` is what the first example in Python makes."""
    home = tmp_path_factory.mktemp("home")
    keyring = Keyring(home)
    _, token = keyring.create("me", Role.ADMIN)
    keyring.close()
    with served(home, model="nano") as ask:
        run(examples("python")[0][0], (ask.url, token))
        yield ask.url, token


def examples(language: str) -> list[tuple[str, str]]:
    return [(code, shown) for kind, code, shown in BLOCK.findall(GUIDE) if kind == language]


def filled(code: str, server: tuple[str, str]) -> str:
    """Put address and key where the guide has a stand-in."""
    return re.sub(r"\bKEY\b", server[1], code.replace("http://127.0.0.1:8765", server[0]))


def run(code: str, server: tuple[str, str]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(filled(code, server), "client.md", "exec"), {})
    return printed.getvalue()


def as_pattern(shown: str) -> str:
    """Turn shown output into a pattern: "…" stands for anything, scores and rates may differ."""
    return re.sub(r"\d+\\\.\d+", r"\\d+[.]\\d+", re.escape(shown.strip()).replace("…", ".*"))


def test_python_prints_what_stands_below_it(server: tuple[str, str]) -> None:
    first, second = examples("python")
    assert re.fullmatch(as_pattern(second[1]), run(second[0], server).strip())
    again = first[0].replace("notes", "again")
    assert re.fullmatch(as_pattern(first[1]), run(again, server).strip())


def test_commands_print_what_stands_below_them(server: tuple[str, str]) -> None:
    ((block, _),) = examples("console")
    first, *commands = filled(block, server).split("$ ")[1:]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    environment |= dict(each.split("=", 1) for each in first.split()[1:])
    assert len(commands) == 3
    for each in commands:
        command, _, shown = each.partition("\n")
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        printed = done.stdout if done.returncode == 0 else done.stderr
        assert re.match(as_pattern(shown), printed.strip(), re.DOTALL), f"$ {command}\n{printed}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_gets_hits_and_stores_lines(server: tuple[str, str]) -> None:
    _, (code, _) = examples("sh")
    done = subprocess.run(["/bin/sh", "-ec", filled(code, server)], capture_output=True, text=True, check=True)
    found, end = json.JSONDecoder().raw_decode(done.stdout)
    stored = json.loads(done.stdout[end:])
    assert [hit["document_id"] for hit in found["hits"]] == ["hr/urlaub 1.md"]
    assert (stored["added"], stored["failed"], stored["items"][0]["id"]) == (1, 1, "empty")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_javascript_prints_what_stands_below_it(server: tuple[str, str], tmp_path: Path) -> None:
    ((code, shown),) = examples("javascript")
    (tmp_path / "ask.mjs").write_text(filled(code, server), encoding="utf-8")
    done = subprocess.run(["node", str(tmp_path / "ask.mjs")], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (shown, "")
