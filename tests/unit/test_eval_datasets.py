"""Loading a set in BEIR's layout, sound and broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from eval.datasets import folder as sets
from eval.datasets.base import Task
from eval.datasets.folder import languages, load
from index.types import Document
from lfm2_colbert.errors import DuplicateIdError, Lfm2ColbertError, MalformedDocumentError, NotFoundError

CORPUS = [
    {"_id": "d1", "title": "有給", "text": "二十日"},
    {"_id": "d2", "title": "", "text": " "},
    {"_id": "d3", "text": "三"},
]
QUERIES = [{"_id": "q1", "text": "何日？"}, {"_id": "q2", "text": "unjudged"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td3\t0\n"


def lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def write(folder: Path, corpus: str = lines(CORPUS), queries: str = lines(QUERIES), qrels: str = QRELS) -> Path:
    home = folder / "handbook" / "ja"
    (home / "qrels").mkdir(parents=True)
    (home / "corpus.jsonl").write_text(corpus)
    (home / "queries.jsonl").write_text(queries)
    (home / "qrels" / "test.tsv").write_text(qrels)
    return folder / "handbook"


def test_a_task_holds_documents_and_the_judged_queries(tmp_path: Path) -> None:
    task = load(write(tmp_path), "ja")
    assert (task.name, task.language, task.query_language, task.split) == ("handbook", "ja", "ja", "test")
    assert list(task.documents.values()) == [
        Document("d1", "二十日", {"title": "有給"}),
        Document("d3", "三"),
    ]
    assert task.queries == {"q1": "何日？"}
    assert task.qrels == {"q1": {"d1": 2, "d3": 0}}
    assert task.cleaned == {"empty documents": 1, "queries without judgements": 1}


def test_queries_in_another_language_are_asked_for_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "ja" / "queries.de.jsonl").write_text(lines([{"_id": "q1", "text": "Wie viele Tage?"}]))
    task = load(folder, "ja", query_language="de")
    assert (task.query_language, task.queries) == ("de", {"q1": "Wie viele Tage?"})


def test_languages_are_the_folders_with_a_corpus(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "notes").mkdir()
    assert languages(folder) == ["ja"]


@pytest.mark.parametrize(
    ("broken", "error", "message"),
    [
        ({"qrels": QRELS + "q9\td1\t1\nq8\td1\t1\n"}, MalformedDocumentError, r"queries .*\(2\): q8, q9"),
        ({"qrels": QRELS + "q1\td9\t1\n"}, MalformedDocumentError, r"documents .*\(1\): d9"),
        ({"qrels": QRELS + "q1\td1\n"}, MalformedDocumentError, r"test\.tsv:4"),
        ({"qrels": QRELS + "q1\td1\thigh\n"}, MalformedDocumentError, r"test\.tsv:4"),
        ({"qrels": "q1\td1\t1\n"}, MalformedDocumentError, "header"),
        ({"qrels": "query-id\tcorpus-id\tscore\n"}, MalformedDocumentError, "no judgement"),
        ({"corpus": lines(CORPUS) + "{\n"}, MalformedDocumentError, r"corpus\.jsonl:4"),
        ({"corpus": lines([*CORPUS, {"_id": 5, "text": "x"}])}, MalformedDocumentError, r"corpus\.jsonl:4"),
        ({"corpus": lines([*CORPUS, CORPUS[0]])}, DuplicateIdError, "d1"),
        ({"queries": lines([*QUERIES, QUERIES[0]])}, DuplicateIdError, "q1"),
    ],
)
def test_a_broken_set_is_refused_by_place(
    tmp_path: Path, broken: dict[str, str], error: type[Lfm2ColbertError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        load(write(tmp_path, **broken), "ja")
    assert caught.value.help


def test_a_missing_file_is_not_found_and_bad_bytes_are_malformed(tmp_path: Path) -> None:
    folder = write(tmp_path)
    with pytest.raises(NotFoundError, match="dev"):
        load(folder, "ja", split="dev")
    (folder / "ja" / "corpus.jsonl").write_bytes(b'{"_id": "\xff"}')
    with pytest.raises(MalformedDocumentError, match="UTF-8"):
        load(folder, "ja")


def test_a_task_is_loaded_as_it_was_written(tmp_path: Path) -> None:
    documents = {key: Document(key, text) for key, text in {"a b#0": "東京", "c.md#1": "مرحبا 🎉\nZeile"}.items()}
    documents["t"] = Document("t", "Text", {"title": "Titel"})
    task = Task(
        "own", "und", "und", "test", documents, {"q0": "どこ？", "q1": "أين؟"}, {"q0": {"a b#0": 1}, "q1": {"t": 2}}
    )
    sets.write(task, tmp_path / "own")
    assert load(tmp_path / "own", "und") == task
