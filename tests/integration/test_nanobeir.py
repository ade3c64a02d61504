"""NanoBEIR in its three layouts gives the same tasks, and what is wrong with a copy is said by place."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.datasets.base import Task
from eval.datasets.nanobeir import SOURCES, Wanted, load, tasks
from index.types import Document
from lfm2_colbert.errors import (
    DuplicateIdError,
    Lfm2ColbertError,
    MalformedDocumentError,
    NotFoundError,
    UnknownNameError,
)

Writer = Callable[..., Path]
BOTH = ("arguana", "scifact")


def found(folder: Path, source: str, documents: tuple[str, ...], queries: tuple[str, ...] = ()) -> list[Task]:
    return list(tasks(Wanted(documents, queries, BOTH, source, folder)))


@pytest.mark.parametrize("source", SOURCES)
def test_each_layout_gives_the_task_that_was_written(tmp_path: Path, write_nanobeir: Writer, source: str) -> None:
    arguana, scifact = found(write_nanobeir(tmp_path, source), source, ("ar",))
    assert scifact.documents == {
        "d1": Document("d1", "يحصل الموظفون على إجازة طويلة"),
        "d2": Document("d2", "الإجازة الطويلة تضر 🐈"),
        "d3": Document("d3", "طوكيو عاصمة اليابان"),
    }
    assert scifact.queries == {"q1": "ما عاصمة اليابان؟", "q2": "🐈", "q3": "بلا جواب"}
    assert scifact.qrels == {"q1": {"d3": 1}, "q2": {"d2": 1}, "q3": {"d4": 1}}
    assert scifact.cleaned == {"empty documents": 1, "queries without judgements": 1}
    assert (arguana.part, arguana.skips_own, scifact.part, scifact.skips_own) == ("arguana", True, "scifact", False)
    assert str(scifact.key) == "nanobeir-scifact-ar-ar"


def test_the_layouts_differ_in_nothing_but_where_they_come_from(tmp_path: Path, write_nanobeir: Writer) -> None:
    read = [found(write_nanobeir(tmp_path / source, source), source, ("ar", "de", "en")) for source in SOURCES]
    first, *others = [[replace(task, revision="") for task in each] for each in read]
    assert len(first) == 6
    assert all(other == first for other in others)
    assert {task.revision.rpartition("@")[2] for each in read for task in each} == {"local"}


def test_a_copy_as_json_lines_is_read_too(tmp_path: Path, write_nanobeir: Writer) -> None:
    from pyarrow import parquet

    folder = write_nanobeir(tmp_path / "parquet", "liquid")
    expected = found(folder, "liquid", ("ar",))
    for path in list(folder.rglob("*.parquet")):
        rows = parquet.read_table(path).to_pylist()
        path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        path.unlink()
    assert found(folder, "liquid", ("ar",)) == expected


@pytest.mark.parametrize("source", SOURCES)
def test_queries_of_another_language_are_asked_of_the_same_documents(
    tmp_path: Path, write_nanobeir: Writer, source: str
) -> None:
    folder = write_nanobeir(tmp_path, source)
    read = found(folder, source, ("ar",), ("de", "en"))
    assert [(task.part, task.query_language, task.skips_own) for task in read] == [
        ("arguana", "de", True),
        ("arguana", "en", True),
        ("scifact", "de", False),
        ("scifact", "en", False),
    ]
    german, english = read[2:]
    assert german.queries == {"q1": "Wie groß ist Tokio?", "q2": "🐈", "q3": "ohne Antwort"}
    assert english.queries["q1"] == "How large is Tokyo?"
    own = load("scifact", "ar", source=source, data=folder)
    for task in (german, english):
        assert (task.documents, task.qrels, task.cleaned) == (own.documents, own.qrels, own.cleaned)
        assert str(task.key) == f"nanobeir-scifact-{task.query_language}-ar"


def test_a_query_that_the_other_language_lacks_is_counted(tmp_path: Path, write_nanobeir: Writer) -> None:
    def change(task: str, language: str, rows: dict[str, list[dict[str, Any]]]) -> None:
        if language == "de" and task == "SciFact":
            rows["queries"] = [row for row in rows["queries"] if row["_id"] != "q1"]
            rows["queries"][0]["text"] = " "  # q2
            rows["qrels"] = rows["qrels"][1:]

    folder = write_nanobeir(tmp_path, "liquid", change=change)
    [task] = tasks(Wanted(("ja",), ("de",), ("scifact",), data=folder))
    assert task.queries == {"q3": "ohne Antwort"}
    assert task.cleaned["queries without a counterpart"] == 2


def spoiled(kind: str, row: dict[str, Any]) -> Callable[..., None]:
    def change(task: str, language: str, rows: dict[str, list[dict[str, Any]]]) -> None:
        rows[kind].append(row)

    return change


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("kind", "row", "error", "message"),
    [
        ("qrels", {"query-id": "q9", "corpus-id": "d1", "score": 1}, MalformedDocumentError, r"queries .*\(1\): q9"),
        ("qrels", {"query-id": "q1", "corpus-id": "d9", "score": 1}, MalformedDocumentError, r"documents .*\(1\): d9"),
        ("corpus", {"_id": "d1", "text": "二"}, DuplicateIdError, "'d1'"),
        ("queries", {"_id": "q1", "text": "二"}, DuplicateIdError, "'q1'"),
        ("corpus", {"_id": "d9", "text": None}, MalformedDocumentError, ":5 lacks"),
    ],
)
def test_a_broken_table_is_refused_by_place(
    tmp_path: Path,
    write_nanobeir: Writer,
    source: str,
    kind: str,
    row: dict[str, Any],
    error: type[Lfm2ColbertError],
    message: str,
) -> None:
    folder = write_nanobeir(tmp_path, source, ("SciFact",), spoiled(kind, row))
    with pytest.raises(error, match=message) as caught:
        load("scifact", "ar", source=source, data=folder)
    assert caught.value.help


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path, write_nanobeir: Writer) -> None:
    folder = write_nanobeir(tmp_path, "liquid", ("SciFact",))
    broken = next(folder.rglob("NanoSciFact_ja/corpus.parquet"))
    broken.write_bytes(broken.read_bytes()[:-9])
    with pytest.raises(MalformedDocumentError, match=r"NanoSciFact_ja/corpus\.parquet"):
        load("scifact", "ja", data=folder)


def test_an_empty_corpus_is_refused(tmp_path: Path, write_nanobeir: Writer) -> None:
    def change(task: str, language: str, rows: dict[str, list[dict[str, Any]]]) -> None:
        for row in rows["corpus"]:
            row["text"] = ""

    folder = write_nanobeir(tmp_path, "liquid", ("SciFact",), change)
    with pytest.raises(MalformedDocumentError, match="nanobeir/scifact/ja has no document"):
        load("scifact", "ja", data=folder)


def test_what_a_copy_lacks_is_said_with_what_it_has(tmp_path: Path, write_nanobeir: Writer) -> None:
    folder = write_nanobeir(tmp_path / "copy", "liquid", ("SciFact",))
    with pytest.raises(NotFoundError, match="NanoArguAna_ja") as caught:
        load("arguana", "ja", data=folder)
    assert "NanoSciFact_ja" in caught.value.help
    with pytest.raises(NotFoundError, match="no copy of mteb/MultilingualNanoSciFactRetrieval") as caught:
        load("scifact", "ja", source="mteb", data=folder)
    assert caught.value.help == "it holds: LiquidAI/nanobeir-multilingual-extended"
    with pytest.raises(NotFoundError, match="holds no copy") as caught:
        load("scifact", "ja", data=tmp_path / "nowhere")
    assert caught.value.help == "it holds: nothing"


@pytest.mark.parametrize(
    ("wrong", "message", "help_"),
    [
        ({"tasks": ("scifct",)}, "no task of NanoBEIR 'scifct'", "did you mean 'scifact'?"),
        ({"document_languages": ("jp",)}, "no language of NanoBEIR 'jp'", "ja"),
        ({"query_languages": ("ja",), "source": "sentence-transformers"}, "no language of NanoBEIR 'ja'", "known: ar"),
        ({"source": "liqud"}, "no source of NanoBEIR 'liqud'", "did you mean 'liquid'?"),
    ],
)
def test_a_name_that_there_is_not_gets_the_nearest(wrong: dict[str, Any], message: str, help_: str) -> None:
    with pytest.raises(UnknownNameError, match=message) as caught:
        Wanted(**wrong)
    assert help_ in caught.value.help


def test_every_language_is_taken_where_none_is_named(tmp_path: Path, write_nanobeir: Writer) -> None:
    read = tasks(Wanted(tasks=("scifact",), data=write_nanobeir(tmp_path, "liquid", ("SciFact",))))
    assert [next(read).language, next(read).language, next(read).language] == ["ar", "de", "en"]
    with pytest.raises(NotFoundError, match="NanoSciFact_es"):
        next(read)
