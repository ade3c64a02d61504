"""Indexing folders: what changed is encoded, what disappeared goes, what is broken is named, nothing else is lost."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Collection, IndexReport
from lfm2_colbert.errors import NotFoundError

NOBODY = 65534


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open("files", create=True, encoder="hashing", home=tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    write(folder / "a.txt", "Der Hund schläft.")
    write(folder / "sub" / "b.md", "# Katzen\n\nEine Katze trinkt Milch.")
    write(folder / "sub" / "日本.html", "<html><body><p>日本の首都は東京です。</p></body></html>")
    return folder


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def ids(collection: Collection, query: str = "x", k: int = 100) -> set[str]:
    return {hit.document_id for hit in collection.search(query, k=k)}


def did(report: IndexReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, report.removed


def codes(report: IndexReport) -> dict[str, str]:
    return {failure.path: failure.code for failure in report.failed}


def test_ids_are_paths_below_the_folder(collection: Collection, folder: Path) -> None:
    assert did(collection.add_files(folder)) == (3, 0, 0, 0)
    assert ids(collection) == {"a.txt", "sub/b.md", "sub/日本.html"}


def test_second_run_encodes_only_what_changed(collection: Collection, folder: Path) -> None:
    collection.add_files(folder)
    assert collection.add_files(folder).encoded_passages == 0
    write(folder / "a.txt", "Der Wolf heult.")
    (folder / "sub" / "b.md").unlink()
    write(folder / "new.txt", "Neues.")
    report = collection.add_files(folder)
    assert (*did(report), report.encoded_passages) == (1, 1, 1, 1, 2)
    assert ids(collection) == {"a.txt", "new.txt", "sub/日本.html"}
    assert collection.search("Wolf", k=1).hits[0].document_id == "a.txt"


def test_touching_a_file_is_no_change(collection: Collection, folder: Path) -> None:
    collection.add_files(folder)
    os.utime(folder / "a.txt", (1, 1))
    assert did(collection.add_files(folder)) == (0, 0, 3, 0)


def test_single_file_is_a_root_of_its_own(collection: Collection, folder: Path) -> None:
    collection.add_files(folder / "a.txt")
    assert ids(collection) == {"a.txt"}


def test_rescan_leaves_other_documents_alone(collection: Collection, folder: Path, tmp_path: Path) -> None:
    from index import Document

    collection.add([Document("by-hand", "Text")])
    write(tmp_path / "other" / "c.txt", "Other root.")
    collection.add_files(tmp_path / "other")
    collection.add_files(folder)
    (folder / "a.txt").unlink()
    assert collection.add_files(folder).removed == 1
    assert ids(collection) == {"by-hand", "c.txt", "sub/b.md", "sub/日本.html"}


def test_two_roots_with_the_same_names_need_a_prefix(collection: Collection, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "second" / "a.txt", "Second text.")
    collection.add_files(folder)
    report = collection.add_files(tmp_path / "second")
    assert codes(report) == {"a.txt": "duplicate_id"}
    assert "--prefix" in report.failed[0].message
    first = collection.get("a.txt")
    assert first is not None
    assert first.text == "Der Hund schläft."
    collection.add_files(tmp_path / "second", prefix="second")
    assert "second/a.txt" in ids(collection)


def test_duplicate_is_taken_up_when_the_other_owner_goes(collection: Collection, folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "second" / "a.txt", "Second text.")
    collection.add_files(folder)
    collection.add_files(tmp_path / "second")
    (folder / "a.txt").unlink()
    collection.add_files(folder)
    assert did(collection.add_files(tmp_path / "second")) == (1, 0, 0, 0)


def test_row_that_moves_between_files_stays_in_the_collection(collection: Collection, tmp_path: Path) -> None:
    folder, row = tmp_path / "rows", json.dumps({"id": "r", "text": "moved words"})
    filler = json.dumps({"id": "f", "text": "filler"})
    write(folder / "a.jsonl", filler)
    write(folder / "b.jsonl", row)
    collection.add_files(folder)
    write(folder / "a.jsonl", f"{filler}\n{row}")
    write(folder / "b.jsonl", json.dumps({"id": "g", "text": "other"}))
    report = collection.add_files(folder)
    assert report.failed == ()
    assert ids(collection) == {"f", "g", "r"}


def test_id_twice_in_one_run_keeps_the_first_and_names_the_second(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    rows = [json.dumps({"id": "r", "text": text}) for text in ("first", "second", "third")]
    write(folder / "a.jsonl", f"{rows[0]}\n{rows[1]}")
    write(folder / "b.jsonl", rows[2])
    report = collection.add_files(folder)
    assert [f.code for f in report.failed] == ["duplicate_id", "duplicate_id"]
    kept = collection.get("r")
    assert kept is not None
    assert kept.text == "first"


def test_deleted_document_stays_deleted_until_its_file_changes(collection: Collection, folder: Path) -> None:
    collection.add_files(folder)
    collection.delete("a.txt")
    collection.add_files(folder)
    assert "a.txt" not in ids(collection)
    write(folder / "a.txt", "Der Hund ist wach.")
    collection.add_files(folder)
    assert "a.txt" in ids(collection)


def test_broken_files_are_named_and_the_rest_is_indexed(collection: Collection, folder: Path) -> None:
    write(folder / "binary.txt", bytes(range(256)) * 8)
    write(folder / "latin.txt", "Grüße aus Köln, schöne Straße".encode("latin-1"))
    write(folder / "empty.md", "")
    write(folder / "space.txt", " \n\t ")
    write(folder / "photo.jpg", b"\xff\xd8\xff")
    write(folder / "rows.jsonl", '{"id": "ok", "text": "good row"}\n{broken\n{"id": "no-text"}\n')
    report = collection.add_files(folder)
    assert codes(report) == {
        "binary.txt": "not_text",
        "latin.txt": "invalid_encoding",
        "empty.md": "empty_document",
        "space.txt": "empty_document",
        "photo.jpg": "unsupported_file",
        "rows.jsonl:2": "malformed_document",
        "rows.jsonl:3": "malformed_document",
    }
    assert ids(collection) == {"a.txt", "sub/b.md", "sub/日本.html", "ok"}
    assert report.truncated == 0


def test_failures_are_told_again_without_reading_again(collection: Collection, folder: Path) -> None:
    write(folder / "latin.txt", "Grüße".encode("latin-1"))
    first = collection.add_files(folder)
    assert codes(collection.add_files(folder)) == codes(first)
    (folder / "latin.txt").write_text("Grüße", encoding="utf-8")
    assert collection.add_files(folder).failed == ()


def test_file_that_breaks_keeps_what_it_gave_before(collection: Collection, folder: Path) -> None:
    collection.add_files(folder)
    write(folder / "a.txt", b"now broken \x80\xfa")
    report = collection.add_files(folder)
    assert codes(report) == {"a.txt": "invalid_encoding"}
    kept = collection.get("a.txt")
    assert kept is not None
    assert kept.text == "Der Hund schläft."


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who may not enter every other, even where the tests run as root."""
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def test_folder_that_may_not_be_entered_keeps_its_documents(unprivileged: Path) -> None:
    write(unprivileged / "docs" / "a.txt", "first")
    write(unprivileged / "docs" / "sub" / "b.txt", "second")
    with Collection.open("files", create=True, encoder="hashing", home=unprivileged / "home") as collection:
        collection.add_files(unprivileged / "docs")
        (unprivileged / "docs" / "sub").chmod(0)
        report = collection.add_files(unprivileged / "docs")
        (unprivileged / "docs" / "sub").chmod(0o755)
        assert codes(report) == {"sub/": "permission_denied"}
        assert report.removed == 0
        assert ids(collection) == {"a.txt", "sub/b.txt"}


def test_missing_folder_removes_nothing(collection: Collection, folder: Path, tmp_path: Path) -> None:
    collection.add_files(folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFoundError):
        collection.add_files(folder)
    assert len(ids(collection)) == 3


@pytest.mark.parametrize("name", ["line\nbreak.txt", "x" * 250 + ".txt", "emoji 👩🏽‍🚀.txt", "e\u0301.txt"])
def test_strange_names_do_not_stop_a_run(collection: Collection, folder: Path, name: str) -> None:
    write(folder / name, "strange name")
    collection.add_files(folder)
    assert {"a.txt", "sub/b.md"} <= ids(collection)
    collection.add_files(folder)


def test_name_that_is_no_unicode_is_listed(collection: Collection, folder: Path) -> None:
    try:
        Path(os.fsdecode(bytes(folder) + b"/bad\xff.txt")).write_text("text", encoding="utf-8")
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    report = collection.add_files(folder)
    assert codes(report) == {"bad\\xff.txt": "invalid_encoding"}
    assert ids(collection) == {"a.txt", "sub/b.md", "sub/日本.html"}


def test_large_jsonl_is_committed_in_parts_and_complete(collection: Collection, tmp_path: Path) -> None:
    rows = "\n".join(json.dumps({"id": f"{i:04}", "text": f"row {i}"}) for i in range(1000))
    write(tmp_path / "rows.jsonl", rows)
    assert did(collection.add_files(tmp_path / "rows.jsonl")) == (1000, 0, 0, 0)
    write(tmp_path / "rows.jsonl", rows.replace("row 17", "changed 17"))
    assert did(collection.add_files(tmp_path / "rows.jsonl")) == (0, 11, 989, 0)


def test_file_above_the_limit_is_refused_before_it_is_read(collection: Collection, folder: Path) -> None:
    with (folder / "huge.txt").open("wb") as sparse:
        sparse.truncate(64 * 1024 * 1024 + 1)
    report = collection.add_files(folder)
    assert codes(report) == {"huge.txt": "document_too_large"}
    assert report.documents == 3


@pytest.mark.slow
def test_text_of_fifty_megabytes_is_indexed_whole(collection: Collection, folder: Path) -> None:
    sentences = [f"Satz {i} über Größe und 東京 {i * i}." for i in range(1_000_000)]
    text = "\n".join(sentences)
    assert 50e6 < len(text.encode()) < 64e6
    write(folder / "fifty.txt", text)
    report = collection.add_files(folder)
    assert (report.failed, report.truncated) == ((), 0)
    hit = collection.search(sentences[-1], k=1).hits[0]
    assert (hit.document_id, text[hit.span.start : hit.span.end]) == ("fifty.txt", hit.text)
    assert sentences[-1] in hit.text
