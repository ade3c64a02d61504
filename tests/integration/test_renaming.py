"""Files under other names keep their vectors, and the collection is what indexing the folder anew would give."""

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index import Collection, IndexReport
from index.verify import verify

TEXTS = {
    "de/straße.txt": "Der Hund schläft unter dem großen Baum.",
    "ja/東京.md": "---\nyear: 2024\n---\n# 東京\n\n日本の首都は東京です。",
    "ar/باريس.txt": "عاصمة فرنسا هي باريس.",
    "th/แมว.txt": "แมวดำนอนหลับอยู่บนเตียง",
    "ko/cafe\u0301.txt": "프랑스의 수도는 파리이다 🐈",
}
ROWS = [{"id": "zwei", "text": "Zweite Zeile"}, {"text": "三行目のテキスト"}, {"text": "الصف الرابع", "year": 2020}]
QUESTIONS = ("Hund", "首都", "فرنسا", "แมว", "파리", "Zeile", "行", "الصف")

Change = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for name, text in TEXTS.items():
        write(folder / name, text)
    write(folder / "rows.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS))
    with zipfile.ZipFile(folder / "old.zip", "w") as archive:
        archive.writestr("inner/日記.txt", "今日は天気がいい。")
        archive.writestr("inner/photo.jpg", b"\xff\xd8")
    return folder


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open("files", create=True, encoder="hashing", home=tmp_path / "home") as opened:
        yield opened


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def stored(collection: Collection) -> dict[str, tuple[Any, ...]]:
    """Give by id all that is stored of documents."""
    found = ((each, collection.get(each), collection.passages(each)) for each in collection.ids())
    return {each: (doc.text, dict(doc.metadata), passages) for each, doc, passages in found if doc}


def scored(collection: Collection) -> dict[tuple[str, str, int], tuple[float, str]]:
    """Give the scores of all passages for all questions, by the text of the document."""
    found: dict[tuple[str, str, int], tuple[float, str]] = {}
    for question in QUESTIONS:
        for hit in collection.search(question, k=100, effort="exact", mode="semantic").hits:
            found[question, hit.text, hit.passage] = (hit.raw_score, json.dumps(hit.anchor))
    return found


def anew(folder: Path, tmp_path: Path, prefix: str = "") -> tuple[dict[str, tuple[Any, ...]], IndexReport]:
    """Index a folder into a collection that knows nothing of it."""
    with Collection.open("anew", create=True, encoder="hashing", home=tmp_path / "other") as fresh:
        report = fresh.add_files(folder, prefix=prefix)
        return stored(fresh), report


def swap(first: str, second: str) -> Change:
    def change(folder: Path) -> None:
        (folder / first).rename(folder / "aside")
        (folder / second).rename(folder / first)
        (folder / "aside").rename(folder / second)

    return change


def move(before: str, after: str) -> Change:
    def change(folder: Path) -> None:
        (folder / after).parent.mkdir(parents=True, exist_ok=True)
        (folder / before).rename(folder / after)

    return change


def rotate(folder: Path) -> None:
    names = ("de/straße.txt", "ar/باريس.txt", "th/แมว.txt")
    held = [(folder / name).read_bytes() for name in names]
    for name, content in zip(names, [held[-1], *held[:-1]], strict=True):
        (folder / name).write_bytes(content)


CHANGES: Mapping[str, tuple[Change, int]] = {
    "a file": (move("de/straße.txt", "de/gasse.txt"), 1),
    "a file, to another folder and script": (move("ja/東京.md", "a/b/c/도쿄.md"), 1),
    "a file, over another": (move("de/straße.txt", "ar/باريس.txt"), 1),
    "a folder": (move("th", "ไทย"), 1),
    "all folders": (lambda folder: [move(each, f"z/{each}")(folder) for each in ("de", "ja", "ar")], 3),  # type: ignore[dict-item,return-value]
    "two files for each other": (swap("de/straße.txt", "th/แมว.txt"), 2),
    "three files in a ring": (rotate, 3),
    "one after the other": (
        lambda folder: [move("th/แมว.txt", "x.txt")(folder), move("de/straße.txt", "th/แมว.txt")(folder)],  # type: ignore[dict-item,return-value]
        2,
    ),
    "rows": (move("rows.jsonl", "zeilen.jsonl"), 1),
    "an archive": (move("old.zip", "deep/neu.zip"), 1),
    "to another composition": (move("ko/cafe\u0301.txt", "ko/caf\u00e9.txt"), 1),
}


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("two files for each other", ""),
        ("an archive", ""),
        ("rows", "mappe"),
        ("a file, over another", "mappe"),
        *(pytest.param(name, "", marks=pytest.mark.slow) for name in CHANGES),
    ],
)
def test_renamed_files_keep_their_vectors(
    collection: Collection, folder: Path, tmp_path: Path, name: str, prefix: str
) -> None:
    collection.add_files(folder, prefix=prefix)
    before = scored(collection)
    change, n_renamed = CHANGES[name]
    change(folder)
    report = collection.add_files(folder, prefix=prefix)
    expected, fresh = anew(folder, tmp_path, prefix)
    assert stored(collection) == expected
    lost = {key for key in before if key not in scored(collection)}
    assert scored(collection) == {key: value for key, value in before.items() if key not in lost}
    assert bool(lost) == (name == "a file, over another")
    assert (report.encoded_passages, report.renamed, report.added, report.changed) == (0, n_renamed, 0, 0)
    assert report.failed == fresh.failed
    assert verify_clean(tmp_path)
    assert collection.add_files(folder, prefix=prefix).renamed == 0


def verify_clean(tmp_path: Path) -> bool:
    return not verify(tmp_path / "home" / "files").findings


def test_what_is_renamed_and_changed_is_encoded_and_nothing_else(
    collection: Collection, folder: Path, tmp_path: Path
) -> None:
    collection.add_files(folder)
    swap("de/straße.txt", "th/แมว.txt")(folder)
    write(folder / "th/แมว.txt", "Der Wolf heult.")
    move("ja/東京.md", "ja/京都.md")(folder)
    write(folder / "ja/京都.md", "# 京都\n\n古い都です。")
    report = collection.add_files(folder)
    assert stored(collection) == anew(folder, tmp_path)[0]
    assert (report.renamed, report.encoded_passages) == (1, 2)
    assert verify_clean(tmp_path)


def test_a_copy_takes_nothing_away(collection: Collection, folder: Path, tmp_path: Path) -> None:
    collection.add_files(folder)
    shutil.copy(folder / "de/straße.txt", folder / "a.txt")
    shutil.copy(folder / "de/straße.txt", folder / "th/แมว.txt")
    report = collection.add_files(folder)
    assert stored(collection) == anew(folder, tmp_path)[0]
    assert (report.renamed, report.added, report.changed) == (0, 1, 1)


def test_a_file_read_otherwise_under_its_new_name_is_read_so(
    collection: Collection, folder: Path, tmp_path: Path
) -> None:
    collection.add_files(folder)
    move("ja/東京.md", "ja/東京.txt")(folder)
    collection.add_files(folder)
    assert stored(collection) == anew(folder, tmp_path)[0]
    assert verify_clean(tmp_path)


def test_an_id_of_somebody_else_is_not_taken_by_renaming(collection: Collection, folder: Path, tmp_path: Path) -> None:
    collection.add_files(folder)
    write(tmp_path / "other" / "neu.txt", "Von nebenan")
    collection.add_files(tmp_path / "other")
    move("de/straße.txt", "neu.txt")(folder)
    report = collection.add_files(folder)
    assert ("neu.txt", "duplicate_id") in {(each.path, each.code) for each in report.failed}
    assert stored(collection)["neu.txt"][0] == "Von nebenan"
    assert "de/straße.txt" not in stored(collection)


def test_ids_that_only_begin_like_the_file_stay(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    write(folder / "a.jsonl", json.dumps({"id": "a.jsonl-x", "text": "eins"}) + "\n" + json.dumps({"text": "zwei"}))
    collection.add_files(folder)
    move("a.jsonl", "b.jsonl")(folder)
    assert collection.add_files(folder).encoded_passages == 0
    assert stored(collection) == anew(folder, tmp_path)[0]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(5)), st.sets(st.integers(0, 4), max_size=2), st.sets(st.integers(0, 4), max_size=1))
def test_whatever_is_renamed_the_collection_is_that_of_the_folder(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], changed: set[int], gone: set[int]
) -> None:
    root = tmp_path_factory.mktemp("any")
    folder, names = root / "docs", list(TEXTS)
    for name, text in TEXTS.items():
        write(folder / name, text)
    with Collection.open("files", create=True, encoder="hashing", home=root / "home") as opened:
        opened.add_files(folder)
        held = [(folder / name).read_bytes() for name in names]
        for n, place in enumerate(places):
            (folder / names[place]).write_bytes(held[n] + b" neu" * (n in changed))
        for place in gone:
            (folder / names[place]).unlink()
        opened.add_files(folder)
        assert stored(opened) == anew(folder, root)[0]
    assert not verify(root / "home" / "files").findings


def test_the_members_of_a_tar_keep_their_vectors(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "tars"
    write(tmp_path / "текст.txt", "Столица Франции — Париж")
    folder.mkdir()
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "текст.txt", "в/текст.txt")
    collection.add_files(folder)
    move("a.tar.gz", "ö/b.tar.gz")(folder)
    assert collection.add_files(folder).encoded_passages == 0
    assert list(stored(collection)) == ["ö/b.tar.gz/в/текст.txt"]
