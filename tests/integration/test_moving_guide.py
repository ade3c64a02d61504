"""The guide to moving collections is run: commands print what stands below them, Qdrant's go to one that listens."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.cli.main import main

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "moving.md").read_text(encoding="utf-8")
QDRANT = "127.0.0.1:6333"
LANCEDB = GUIDE.partition("## LanceDB")[2].partition("\n## ")[0]


class Listening(BaseHTTPRequestHandler):
    """Takes what a server of Qdrant takes, and keeps it."""

    received: list[tuple[str, bytes]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.path, body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"result":true,"status":"ok","time":0.1}\n')

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def qdrant() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    received: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Listening,), {"received": received}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", made / "examples")
    for command, output in commands(GUIDE)[:2]:  # what all others begin with
        require_shown(made, command, output)
    return made


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[tuple[str, str]]:
    parts = [part for block in blocks(text, "console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def as_pattern(shown: str) -> str:
    return re.escape(shown.strip()).replace("…", ".*")


def require_shown(folder: Path, command: str, shown: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("LFM2_COLBERT_HOME", str(folder / "home"))
        printed = of_ours(command, patch) if command.startswith("lfm2-colbert ") else of_the_shell(command)
    assert re.match(as_pattern(shown), printed.strip(), re.DOTALL), f"$ {command}\n{printed}"


def of_ours(command: str, patch: pytest.MonkeyPatch) -> str:
    """Run a command of ours in this process: starting one takes longer than most of them."""
    patch.setattr("sys.argv", shlex.split(command))
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
        main()
    return err.getvalue() if stop.value.code else out.getvalue()


def of_the_shell(command: str) -> str:
    environment = os.environ | {"no_proxy": "127.0.0.1"}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def printed_by(code: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "moving.md", "exec"), {})
    return printed.getvalue()


def test_commands_print_what_is_shown(folder: Path, qdrant: tuple[str, list[tuple[str, bytes]]]) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is an extra: parquet")
    shown = commands(GUIDE.replace(LANCEDB, ""))[2:]
    assert len(shown) >= 9
    for command, output in shown:
        require_shown(folder, command.replace(QDRANT, qdrant[0]), output)
    (asked, collection), *bodies = qdrant[1]
    assert asked == "/collections/handbook"
    assert collection == (folder / "points" / "collection.json").read_bytes()
    assert {path for path, _ in bodies} == {"/collections/handbook/points"}
    assert [body for _, body in bodies] == (folder / "points" / "points.jsonl").read_bytes().splitlines(keepends=True)
    points = [point for _, body in bodies for point in json.loads(body)["points"]]
    assert len(points) == json.loads((folder / "points" / "export.json").read_text(encoding="utf-8"))["passages"]


def test_vectors_are_read_as_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (code,) = blocks(GUIDE.replace(LANCEDB, ""), "python")
    assert re.fullmatch(r"\S+\.txt \(\d+, \d+\) float16\n", printed_by(code))


def test_a_table_of_lancedb_is_asked_as_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lancedb", reason="lancedb is an extra of that name")
    monkeypatch.chdir(folder)
    for command, output in commands(LANCEDB):
        require_shown(folder, command, output)
    (code,) = blocks(LANCEDB, "python")
    assert re.fullmatch(r"(\S+\.txt -?\d+\.\d+\n){3}", printed_by(code))
