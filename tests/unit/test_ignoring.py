"""What ``.gitignore`` names is left out: as git does it; and sidecars belong to their files."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.reading.base import SourceFile
from index.reading.files import FileReader
from index.reading.scan import scan
from index.types import Document, Notice

FILES = (
    "a.txt", "b.md", "日本語.txt", "مذكرة.txt", "cafe\u0301.txt", "build/a.txt", "build/deep/b.md", "src/build/a.txt",
    "src/บันทึก.txt", "src/deep/a.txt", "src/deep/日本語.txt", "src/deep/keep/a.txt", "x y/a.txt", "x y/#b.txt",
)  # fmt: skip
PATTERNS = (
    "*.txt", "!a.txt", "build", "build/", "/build", "src/*", "!src/deep", "!src/deep/", "deep/**", "**/a.txt",
    "**/deep", "!keep/", "日本*", "*.md", "!*.md", "# nothing", "", "\\#b.txt", "x y/", "x\\ y", "cafe\u0301.txt",
    "/src/deep/*", "!/src/deep/keep", "[ab].*", "?.txt", "บันทึก.txt", "*", "!*/", "مذكرة.txt  ",
)  # fmt: skip
PLACES = ("", "src/", "src/deep/", "build/")

rules = st.dictionaries(st.sampled_from(PLACES), st.lists(st.sampled_from(PATTERNS), max_size=5), max_size=3)


def laid_out(folder: Path, ignored: dict[str, list[str]]) -> Path:
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    for place, lines in ignored.items():
        (folder / place / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def by_git(folder: Path) -> list[str]:
    """Ask git which files it would add."""
    own = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q", str(folder)], check=True, env=own, capture_output=True)
    asked = ["git", "-C", str(folder), "ls-files", "-z", "--others", "--exclude-standard"]
    names = subprocess.run(asked, check=True, env=own, capture_output=True).stdout.decode().split("\0")
    return sorted(name for name in names if name and not name.endswith(".gitignore"))


def by_us(folder: Path) -> list[str]:
    return [entry.id for entry in scan(folder) if isinstance(entry, SourceFile)]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is what this is compared with")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rules)
def test_the_same_is_left_out_as_git_leaves_out(ignored: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        laid_out(Path(folder), ignored)
        assert by_us(Path(folder)) == by_git(Path(folder))


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    laid_out(tmp_path, {"": ["build/", "日本語.txt"], "src/deep/": ["*", "!a.txt"]})
    (notice,) = [each for each in scan(tmp_path) if isinstance(each, Notice) and each.code == "ignored_files"]
    assert notice.message == "5 files or folders that a .gitignore names were left out"
    assert not {"日本語.txt", "src/deep/日本語.txt"} & set(by_us(tmp_path))


def test_a_file_that_is_no_text_ignores_nothing(tmp_path: Path) -> None:
    laid_out(tmp_path, {})
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe\x00*\x00")
    assert by_us(tmp_path) == sorted(FILES)


def read(path: Path) -> list[Any]:
    with FileReader() as reader:
        return list(reader.read(SourceFile(path, path.name)))


@pytest.mark.parametrize("name", ["مذكرة.txt", "日本語.md", "cafe\u0301.txt", "บันทึก.html"])
def test_a_sidecar_gives_fields_and_no_document(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("---\nyear: 1999\n---\n東京です" if name.endswith(".md") else "<p>本文</p>")
    fields = {"year": 2024, "作者": "山田", "tags": ["ä", "ب"]}
    (tmp_path / f"{name}.meta.json").write_text(json.dumps(fields), encoding="utf-8")
    assert by_us(tmp_path) == [name]
    (document,) = [each for each in read(tmp_path / name) if isinstance(each, Document)]
    assert {key: document.metadata[key] for key in fields} == fields


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b'"text"'])
def test_a_broken_sidecar_is_told_and_its_file_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_text("Der Hund schläft.")
    (tmp_path / "a.txt.meta.json").write_bytes(content)
    notice, document = read(tmp_path / "a.txt")
    assert (notice.code, document.text) == ("sidecar_unread", "Der Hund schläft.")
    assert "a.txt.meta.json" in notice.message


def test_what_only_looks_like_a_sidecar_is_read(tmp_path: Path) -> None:
    (tmp_path / "gone.txt.meta.json").write_text('{"year": 2024}')
    assert by_us(tmp_path) == ["gone.txt.meta.json"]
