"""`status --failed` names rows and members that gave no document, and why, until they are mended."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.verify import verify

Run = Callable[..., Any]
Failures = dict[str, str]

GOOD = json.dumps({"id": "gut", "text": "日本の首都は東京です。"}, ensure_ascii=False)
WITHOUT_TEXT = json.dumps({"id": "leer", "title": "القطة"}, ensure_ascii=False)
BLANK = json.dumps({"id": "weiß", "text": " \u3000 "}, ensure_ascii=False)
CUT = '{"id": "halb", "text": "แมว'


def write_rows(folder: Path, *rows: str) -> None:
    (folder / "zeilen.jsonl").write_text("\n".join(rows), encoding="utf-8")


def write_zip(folder: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / "아카이브.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_tar(folder: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(folder / "архив.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    write_rows(folder, GOOD, WITHOUT_TEXT, BLANK, CUT)
    write_zip(folder, {"a/日記.txt": "晴れ".encode(), "a/leer.txt": b"", "bild.jpg": b"\xff\xd8", "x.pdf": b"%PDF-"})
    write_tar(folder, {"ok.txt": "Столица Франции".encode(), "cafe\u0301.jsonl": b"[]"})
    (folder / "leer.txt").write_text("")
    return folder


@pytest.fixture
def index(run: Run, folder: Path) -> Callable[..., dict[str, Any]]:
    def call(*options: str) -> dict[str, Any]:
        report: dict[str, Any] = run("index", str(folder), "--model", "hashing", "--json", *options).json
        return report

    return call


def failed(run: Run) -> Failures:
    """Give what the collection says has failed."""
    found = run("status", "--failed", "--json").json["failures"]
    assert len(found) == len({each["path"] for each in found})
    return {each["path"]: each["code"] for each in found}


def told(report: dict[str, Any]) -> Failures:
    return {each["path"]: each["code"] for each in report["failed"]}


def test_rows_and_members_are_listed_with_their_reasons(run: Run, index: Callable[..., dict[str, Any]]) -> None:
    expected = {
        "zeilen.jsonl:2": "malformed_document",
        "zeilen.jsonl:3": "empty_document",
        "zeilen.jsonl:4": "malformed_document",
        "아카이브.zip/a/leer.txt": "empty_document",
        "아카이브.zip/bild.jpg": "unsupported_file",
        "아카이브.zip/x.pdf": "malformed_document",
        "архив.tar.gz/cafe\u0301.jsonl:1": "malformed_document",
        "leer.txt": "empty_document",
    }
    assert told(index()) == expected
    assert failed(run) == expected
    assert told(index()) == expected  # told again, and nothing is read for it
    shown = run("status", "--failed").out
    assert all(path in shown and code in shown for path, code in expected.items())


def test_what_is_mended_is_listed_no_more(
    run: Run, folder: Path, index: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    index()
    write_rows(folder, GOOD, WITHOUT_TEXT.replace("title", "text"), BLANK)
    report = index()
    assert (report["added"], report["encoded_passages"]) == (1, 1)
    assert {path for path in failed(run) if path.startswith("zeilen")} == {"zeilen.jsonl:3"}
    write_rows(folder, GOOD)
    write_zip(folder, {"a/日記.txt": "晴れ".encode(), "a/leer.txt": b"voll"})
    write_tar(folder, {"ok.txt": "Столица Франции".encode()})
    (folder / "leer.txt").unlink()
    assert index("--strict")["failed"] == []
    assert failed(run) == {}
    assert not verify(tmp_path / "home" / "default").findings


def test_failed_parts_go_with_their_file_and_follow_its_name(
    run: Run, folder: Path, index: Callable[..., dict[str, Any]]
) -> None:
    before = told(index())
    (folder / "아카이브.zip").rename(folder / "neu.zip")
    renamed = {path.replace("아카이브.zip", "neu.zip"): code for path, code in before.items()}
    assert told(index()) == renamed
    assert failed(run) == renamed
    (folder / "neu.zip").unlink()
    rest = {path: code for path, code in before.items() if not path.startswith("아카이브.zip")}
    assert told(index()) == rest
    assert failed(run) == rest


def test_strict_is_what_makes_failures_an_error(run: Run, folder: Path) -> None:
    assert run("index", str(folder), "--model", "hashing").status == 0
    assert run("index", str(folder), "--model", "hashing", "--strict").status == 3


def test_the_formats_that_are_known_are_listed_once(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# 休暇\n\nZwanzig Tage.", encoding="utf-8")
    for name in ("写真.jpg", "صورة.png", "b.svg"):
        (folder / name).write_bytes(b"\x00")
    said = run("index", folder, "-c", "few", "--model", "hashing").out
    for name in ("写真.jpg", "صورة.png", "b.svg"):
        assert f"skipped {name}: unsupported_file: {name} has a format that no reader knows\n" in said
    assert said.count("        known: text, Markdown, HTML, PDF, ") == said.count("known: ") == 1
