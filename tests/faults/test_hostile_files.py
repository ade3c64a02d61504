"""Broken files, and files that mean harm, in one folder with sound ones: the sound ones are found, the others named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.documents.breaking import DAMAGED, HOSTILE, WORDS
from index import Collection
from index.reading.base import UPLOADS, Limits, SourceFile
from index.reading.files import FileReader
from index.types import Document, Failure, Notice

HARMLESS = {
    "aliases.md": "its text is sound, and its fields are left out",
    "brackets.md": "likewise",
    "fetching.docx": "it is read without what it asks for",
    "headers.eml": "it is only long",
    "quotes.csv": "a cell may be long",
}
"""Files that may give a document: what they try comes to nothing."""
LARGE = ("bomb.docx", "bomb.epub", "bomb.xlsx")
"""Half a gigabyte of nothing takes its time to be packed."""


@pytest.fixture
def reader() -> Iterator[FileReader]:
    with FileReader() as reader:
        yield reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "sound.txt").write_text(WORDS, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in sorted(HOSTILE | DAMAGED)],
)
def test_a_bad_file_is_named_with_its_reason(reader: FileReader, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((HOSTILE | DAMAGED)[name]())
    found = list(reader.read(SourceFile(tmp_path / name, name)))
    failures = [each for each in found if isinstance(each, Failure)]
    if name in HARMLESS:
        assert found
    else:
        assert failures
    assert all(each.path.startswith(name) and each.message for each in failures)
    assert all(str(tmp_path) not in each.message for each in failures)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_a_file_asks_for_is_not_fetched(reader: FileReader, tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(HOSTILE["fetching.docx"]())
    documents = [each for each in reader.read(SourceFile(tmp_path / "a.docx", "a.docx")) if isinstance(each, Document)]
    assert all("root:" not in document.text for document in documents)


def test_after_each_bad_file_the_next_one_is_read(reader: FileReader, tmp_path: Path) -> None:
    sound = SourceFile(Path(), "sound.html", f"<p>{WORDS}</p>".encode())
    for name in ("deep.xhtml", "circle.pdf", "entities.docx", "cut.pptx"):
        list(reader.read(SourceFile(Path(), name, (HOSTILE | DAMAGED)[name]())))
        assert [item.text for item in reader.read(sound) if isinstance(item, Document)] == [WORDS]


@pytest.mark.slow
def test_a_parser_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    long = b"<p>" + b"<a href='x'>y</a>" * 2_000_000
    with FileReader(limits=Limits(cpu_seconds=1, seconds=20.0)) as reader:
        (found,) = reader.read(SourceFile(Path(), "long.html", long))
        assert isinstance(found, Failure)
        assert found.code == "unparsable_document"
        sound = SourceFile(Path(), "sound.html", f"<p>{WORDS}</p>".encode())
        assert [item.text for item in reader.read(sound) if isinstance(item, Document)] == [WORDS]


def test_a_parser_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    with FileReader(limits=Limits(memory_bytes=300 << 20)) as reader:
        (found,) = reader.read(SourceFile(Path(), "large.html", b"<p>" + b"<i>x</i>" * 4_000_000))
        assert isinstance(found, Failure)
        assert found.code == "unparsable_document"


def test_an_upload_may_unpack_to_less(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(HOSTILE["many.zip"]())
    with FileReader(limits=UPLOADS) as reader:
        (found,) = reader.read(SourceFile(tmp_path / "a.zip", "a.zip"))
    assert isinstance(found, Failure)
    assert found.code == "unsafe_archive"
    assert "1,000 entries" in found.message


def test_a_folder_of_bad_files_is_indexed_and_every_file_accounted_for(folder: Path, tmp_path: Path) -> None:
    for name, make in (
        DAMAGED | {name: HOSTILE[name] for name in ("traversal.zip", "links.tar.gz", "bidi.zip")}
    ).items():
        (folder / name).write_bytes(make())
    with Collection.open("bad", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        report = collection.add_files(folder)
        assert collection.search("krank", k=9).hits[0].document_id in {"sound.txt", "links.tar.gz/sound.txt"}
        named = {failure.path.partition("/")[0].partition(":")[0] for failure in report.failed}
        assert named | {document_id.partition("/")[0] for document_id in collection.ids()} == {
            path.name for path in folder.iterdir()
        }
        again = collection.add_files(folder)
        assert set(again.failed) == set(report.failed)
        assert (again.added, again.changed, again.removed) == (0, 0, 0)
    assert not list(tmp_path.rglob("*escaped*"))


def test_notices_name_their_file(reader: FileReader) -> None:
    found = list(reader.read(SourceFile(Path(), "aliases.md", HOSTILE["aliases.md"]())))
    assert [type(each) for each in found] == [Notice, Document]
    assert "aliases.md" in found[0].message  # type: ignore[union-attr]
