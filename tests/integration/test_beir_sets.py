"""Sets of BEIR by name: fetched whole or not at all."""

import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eval.datasets.beir import NAMES, fetched, load
from lfm2_colbert.errors import DatasetUnavailableError, MissingExtraError, NotFoundError, UnknownNameError

CORPUS = '{"_id": "d1", "title": "Urlaub", "text": "長い休暇"}\n'
QUERIES = '{"_id": "q1", "text": "休暇は？"}\n'
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\n"
FILES = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels/test.tsv": QRELS}


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def write_archive(path: Path, name: str, outside: str = "") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in FILES.items():
            archive.writestr(f"{name}/{file}", content)
        if outside:
            archive.writestr(outside, "outside")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve ``served/`` and say where its archives are."""
    pytest.importorskip("beir.util", reason="the extra 'beir' is not installed")
    (tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path / "served")))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{{name}}.zip"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_unknown_set_gets_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'scifac'") as caught:
        fetched("scifac", tmp_path)
    assert "did you mean 'scifact'?" in caught.value.help
    assert "cqadupstack" not in NAMES  # twelve sets in one archive


def test_the_package_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "beir", None)
    monkeypatch.setitem(sys.modules, "beir.util", None)
    with pytest.raises(MissingExtraError, match="fetching 'scifact'") as caught:
        fetched("scifact", tmp_path / "sets")
    assert caught.value.help == "pip install 'lfm2-colbert[beir]'"
    assert not (tmp_path / "sets").exists()


def test_a_set_that_is_here_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "beir", None)
    (tmp_path / "scifact").mkdir()
    assert fetched("scifact", tmp_path) == tmp_path / "scifact"


def test_a_set_is_fetched_once_and_read(tmp_path: Path, address: str) -> None:
    write_archive(tmp_path / "served" / "arguana.zip", "arguana")
    folder = fetched("arguana", tmp_path / "sets", address=address)
    task = load(folder, language="ja")
    assert (task.name, task.queries, task.qrels, task.skips_own) == (
        "arguana",
        {"q1": "休暇は？"},
        {"q1": {"d1": 1}},
        True,
    )
    (tmp_path / "served" / "arguana.zip").unlink()
    assert fetched("arguana", tmp_path / "sets", address=address) == folder
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["arguana"]


def test_nothing_is_left_of_what_cannot_be_fetched(tmp_path: Path, address: str) -> None:
    whole = tmp_path / "whole.zip"
    write_archive(whole, "scifact")
    content = bytearray(whole.read_bytes())
    content[45:60] = bytes(15)  # in the first file's compressed text
    served = tmp_path / "served"
    (served / "fever.zip").write_bytes(b"no archive")
    (served / "fiqa.zip").write_bytes(whole.read_bytes()[:-30])
    (served / "nq.zip").write_bytes(content)
    write_archive(served / "quora.zip", "another")
    for name in ("scidocs", "fever", "fiqa", "nq", "quora"):  # the first is not served
        with pytest.raises(DatasetUnavailableError, match=f"'{name}' cannot be fetched") as caught:
            fetched(name, tmp_path / "sets", address=address)
        assert f"{name}.zip" in caught.value.help
        assert list((tmp_path / "sets").iterdir()) == []


def test_a_server_that_does_not_answer_is_said(tmp_path: Path, address: str) -> None:
    with pytest.raises(DatasetUnavailableError, match="ConnectionError"):
        fetched("scifact", tmp_path, address="http://127.0.0.1:9/{name}.zip")


@pytest.mark.parametrize("outside", ["../../outside.txt", "/outside.txt", "../scifact/../../outside.txt"])
def test_an_archive_writes_nothing_outside(tmp_path: Path, address: str, outside: str) -> None:
    write_archive(tmp_path / "served" / "scifact.zip", "scifact", outside)
    folder = fetched("scifact", tmp_path / "sets", address=address)
    assert list((tmp_path / "sets").iterdir()) == [folder]
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("outside.txt"))


def test_a_set_with_languages_is_sent_to_its_own_command(tmp_path: Path) -> None:
    (tmp_path / "xquad" / "ja").mkdir(parents=True)
    (tmp_path / "xquad" / "ja" / "corpus.jsonl").write_text(CORPUS)
    with pytest.raises(NotFoundError, match="folder for each language") as caught:
        load(tmp_path / "xquad")
    assert caught.value.help.startswith("lfm2-colbert eval folder")
