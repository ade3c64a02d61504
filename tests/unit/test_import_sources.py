"""Collections of others: each row becomes the document it says, and what is none is named."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Collection
from index.importing import located
from index.importing.run import import_into, open_source
from index.importing.tsv import documents as tsv_documents
from index.types import Document, Failure
from lfm2_colbert.errors import (
    CorruptionError,
    EmptyDocumentError,
    InvalidArgumentError,
    InvalidEncodingError,
    Lfm2ColbertError,
    MalformedDocumentError,
    PermissionDeniedError,
    UnsupportedFileError,
)

TEXTS = {
    "0": "القطة نائمة",
    "1": "Der Hund schla\u0308ft.",
    "2": "日本の首都は東京です。",
    "3": "서울은 수도이다",
    "4": "กรุงเทพเป็นเมืองหลวง",
    "5": "北京 👩‍👩‍👧 🐕",
}


def items(path: Path, text_field: str = "text") -> list[Document | Failure]:
    source = open_source(path, text_field)
    return list(source.items)  # type: ignore[union-attr]


def found(path: Path, text_field: str = "text") -> dict[str, str]:
    documents = [item for item in items(path, text_field) if isinstance(item, Document)]
    return {document.id: document.text for document in documents}


def failures(path: Path) -> dict[str, str]:
    return {item.path: item.code for item in items(path) if isinstance(item, Failure)}


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    rows = (json.dumps({"_id": key, "title": "", "text": text}) for key, text in TEXTS.items())
    write(tmp_path / "set" / "corpus.jsonl", "\n".join(rows))
    write(tmp_path / "set" / "queries.jsonl", '{"_id": "q", "text": "?"}')
    return tmp_path / "set"


@pytest.mark.parametrize("header", ["", "id\ttext\n", "pid\tpassage\n"])
def test_a_collection_of_colbert_is_read(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "collection.tsv", header + "".join(f"{key}\t{text}\n" for key, text in TEXTS.items()))
    assert found(path) == found(tmp_path) == TEXTS


def test_a_third_column_is_the_title(tmp_path: Path) -> None:
    path = write(tmp_path / "collection.tsv", "\ufeffid\ttext\ttitle\r\n7\tWale leben im Meer.\tمحيط\r\n8\tTau\t\n")
    assert items(path) == [Document("7", "Wale leben im Meer.", {"title": "محيط"}), Document("8", "Tau", {})]


def test_columns_without_names_have_no_other_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="no names"):
        open_source(write(tmp_path / "a.tsv", "0\tgut\n"), "body")


def test_lines_that_are_no_passages_are_named(tmp_path: Path) -> None:
    lines = ["0\tgut", "ohne Tabulator", "\tohne Id", "1\ta\tb\tc", "2\t \u200b", "", "3\tgut"]
    (tmp_path / "a.tsv").write_bytes("\n".join(lines).encode() + b"\n4\t\xff\n5\t\x00\x00\n")
    assert found(tmp_path / "a.tsv") == {"0": "gut", "3": "gut"}
    malformed = dict.fromkeys(("a.tsv:2", "a.tsv:3", "a.tsv:4"), "malformed_document")
    others = {"a.tsv:5": "empty_document", "a.tsv:8": "invalid_encoding", "a.tsv:9": "not_text"}
    assert failures(tmp_path / "a.tsv") == malformed | others


def test_a_line_that_is_too_long_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    with path.open("wb") as file:
        for part in (b"0\tgut\n1\t", b"a" * (65 * 2**20), b"\n2\tgut\n"):
            file.write(part)
    assert found(path) == {"0": "gut", "2": "gut"}
    assert failures(path) == {"a.tsv:2": "document_too_large"}


LETTERS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\u2800"), min_size=1)


@given(st.lists(st.tuples(LETTERS.filter(lambda key: key.strip() not in ("id", "pid")), LETTERS), min_size=1))
def test_any_text_comes_through_columns(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = write(tmp_path_factory.mktemp("t") / "a.tsv", "".join(f"{key}\t{text}\n" for key, text in rows))
    read = [item for item in tsv_documents(path, "text") if isinstance(item, Document)]
    failed = [item.code for item in tsv_documents(path, "text") if isinstance(item, Failure)]
    assert set(failed) <= {"empty_document"}  # marks that leave no ink
    assert len(read) + len(failed) == len(rows)
    assert {(document.id, document.text) for document in read} <= {(key.strip(), text) for key, text in rows}


def test_a_folder_of_beir_is_read_and_its_questions_are_left(beir: Path, tmp_path: Path) -> None:
    assert found(beir) == TEXTS
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as collection:
        report = import_into(collection, open_source(beir))
        assert (report.added, report.failed) == (len(TEXTS), ())
        assert [notice.code for notice in report.notices] == ["not_imported"]
        assert collection.search("首都", k=1).hits[0].document_id == "2"


def test_an_id_that_occurs_again_fails_and_the_first_stays(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "1\tDer erste.\n1\tDer zweite.\n2\tEin anderer.\n")
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as collection:
        report = import_into(collection, open_source(path))
        assert [(failure.path, failure.code) for failure in report.failed] == [("1", "duplicate_id")]
        first = collection.get("1")
        assert first is not None
        assert first.text == "Der erste."
        again = import_into(collection, open_source(path))
        assert (again.added, again.changed, again.unchanged) == (0, 0, 2)


def test_documents_that_cannot_be_stored_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id": "a\\u0001", "text": "x"}\n{"id": "b", "text": "y"}\n')
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as collection:
        report = import_into(collection, open_source(path))
    assert [failure.code for failure in report.failed] == ["invalid_argument"]
    assert report.documents == 1


def test_a_table_of_parquet_is_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is an extra: parquet")
    from datetime import date

    from pyarrow import parquet

    rows = [{"document_id": key, "passage": text, "day": date(2024, 2, 29), "x": None} for key, text in TEXTS.items()]
    parquet.write_table(pa.Table.from_pylist([*rows, {"document_id": "6", "passage": None}]), tmp_path / "t.parquet")
    read = items(tmp_path / "t.parquet", "passage")
    assert read[:-1] == [Document(key, text, {"day": "2024-02-29"}) for key, text in TEXTS.items()]
    assert isinstance(read[-1], Failure)
    assert (read[-1].path, read[-1].code) == ("t.parquet:7", "malformed_document")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is an extra: parquet")
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(MalformedDocumentError):
        open_source(tmp_path / "a.parquet")


def fast_plaid(folder: Path, columns: str, rows: list[tuple[Any, ...]]) -> Path:
    """Write the table as fast-plaid's `filtering.create` does."""
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / "metadata.db")
    database.execute(f'CREATE TABLE METADATA ("_subset_" INTEGER PRIMARY KEY, {columns})')
    marks = ", ".join("?" for _ in rows[0])
    database.executemany(f"INSERT INTO METADATA VALUES ({marks})", rows)
    database.commit()
    database.close()
    (folder / "centroids.npy").write_bytes(b"")
    return folder


def test_texts_beside_an_index_of_fast_plaid_are_read(tmp_path: Path) -> None:
    rows = [(int(key), text, 2024 if key == "1" else None) for key, text in TEXTS.items()]
    folder = fast_plaid(tmp_path / "index", '"text" TEXT, "year" INTEGER', rows)
    assert items(folder) == [
        Document(key, text, {"year": 2024} if key == "1" else {}) for key, text in TEXTS.items()
    ]  # fmt: skip


def test_an_id_of_ones_own_comes_before_the_number_in_fast_plaid(tmp_path: Path) -> None:
    rows = [(0, "東京", "首都"), (1, None, "ohne Id"), (2, "leer", None), (3, "bytes", b"\xff")]
    folder = fast_plaid(tmp_path / "pylate" / "fast_plaid_index", '"id" TEXT, "content" TEXT', rows)
    read = items(folder.parent, "content")
    assert read[:2] == [Document("東京", "首都", {}), Document("1", "ohne Id", {})]
    assert [item.code for item in read if isinstance(item, Failure)] == ["malformed_document"] * 2


def test_a_table_without_texts_says_which_columns_there_are(tmp_path: Path) -> None:
    folder = fast_plaid(tmp_path / "index", '"title" TEXT, "year" INTEGER', [(0, "a", 1)])
    with pytest.raises(UnsupportedFileError) as caught:
        open_source(folder)
    assert "--text-field (title, year)" in caught.value.help


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"\1" * 200, b"none" * 100, b""])
def test_what_is_no_table_of_fast_plaid_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metadata.db").write_bytes(content)
    with pytest.raises(CorruptionError):
        open_source(tmp_path)


def test_a_view_in_the_place_of_the_table_is_not_asked(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "metadata.db")
    endless = "WITH RECURSIVE n(_subset_, text) AS (SELECT 1, 'x' UNION ALL SELECT _subset_ + 1, 'x' FROM n)"
    database.execute(f"CREATE VIEW METADATA AS {endless} SELECT * FROM n")
    database.close()
    with pytest.raises(CorruptionError):
        open_source(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *("documents_ids_to_plaid_ids.sqlite", "documents_ids_to_plaid_ids.pkl", "document_ids_to_embeddings.pkl"),
        *("doc_id_to_embedding_range.pkl", "tachiom.bin", "index.voyager", "fast_plaid_index", "warp_index"),
        *("ivf.pid.pt", "plan.json", "centroids.npy"),
    ],
)
def test_an_index_without_texts_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x04")  # as a pickle begins: nothing of it is read
    with pytest.raises(UnsupportedFileError, match="codes and no texts") as caught:
        located(tmp_path)
    assert "file of texts" in caught.value.help


def test_what_may_not_be_read_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    write(folder / "a.tsv", "0\tgut\n")
    folder.chmod(0)
    try:
        if os.access(folder / "a.tsv", os.R_OK):
            pytest.skip("root reads everything")
        with pytest.raises(PermissionDeniedError):
            open_source(folder / "a.tsv")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.tsv", b"", EmptyDocumentError),
        ("a.tsv", b"\n\n", EmptyDocumentError),
        ("a.jsonl", b"", EmptyDocumentError),
        ("a.jsonl", "{}".encode("utf-16"), InvalidEncodingError),
        ("a.pt", b"", UnsupportedFileError),
        ("a", b"", UnsupportedFileError),
    ],
)
def test_what_is_no_source_is_refused_before_anything_is_made(
    tmp_path: Path, name: str, content: bytes, error: type[Lfm2ColbertError]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error):
        open_source(tmp_path / name)
