"""Lists of candidates: written and read back, as others publish them, and refused where they are broken."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfm2_colbert.errors import (
    CorruptionError,
    DuplicateIdError,
    InvalidArgumentError,
    MalformedDocumentError,
    NotFoundError,
)
from lfm2_colbert.training.journal import Journal
from lfm2_colbert.training.lists import (
    Format,
    Lists,
    Row,
    drawn_candidates,
    read_lists,
    read_triplets,
    standardised,
    text_id,
    write_lists,
)

QUERIES = {"1": "Wie groß ist Tokio?", "2": "ما عاصمة اليابان؟"}
DOCUMENTS = {"10": "東京は日本の首都です。", "11": "Tokio ist groß.\u2028Sehr.", "12": "서울은 대한민국의 수도이다."}
LISTS = Lists(QUERIES, DOCUMENTS, (Row("1", ("11", "10"), (0.9, 0.25)), Row("2", ("10", "12", "11"), (2.0, -1.0, 0.0))))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)


def tables(**changes: Callable[[Any], Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of LISTS, with some columns changed."""
    same = {name: changes.get(name, lambda value: value) for name in ("id", "list")}
    identified, listed = same["id"], same["list"]
    return {
        "queries": [{"query_id": identified(key), "text": text} for key, text in QUERIES.items()],
        "documents": [{"document_id": identified(key), "text": text} for key, text in DOCUMENTS.items()],
        "train": [
            {
                "query_id": identified(row.query_id),
                "document_ids": listed([identified(each) for each in row.document_ids]),
                "scores": listed(list(row.scores)),
            }
            for row in LISTS.rows
        ],
    }


@pytest.mark.parametrize("form", Format)
def test_what_was_written_is_read_and_an_older_one_is_gone(tmp_path: Path, form: Format) -> None:
    if form == Format.PARQUET:
        pytest.importorskip("pyarrow")
    older = Lists({"q": "x"}, {"d": "y"}, (Row("q", ("d",), (1.0,)),))
    write_lists(tmp_path, older)
    write_lists(tmp_path, LISTS, form)
    assert read_lists(tmp_path) == LISTS
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{n}.{form}" for n in ("documents", "queries", "train")
    ]


LAYOUTS: dict[str, dict[str, str]] = {
    "ours": {"train": "train.jsonl", "queries": "queries.jsonl", "documents": "documents.jsonl"},
    "published": {
        "train": "dataset.parquet",
        "queries": "english_queries.train.parquet",
        "documents": "english_collection.parquet",
    },
    "converted by the hub": {name: f"{name}/train/0000.parquet" for name in ("train", "queries", "documents")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("identified", "listed"), [(str, list), (int, list), (int, str), (str, str)])
def test_published_sets_are_read_unchanged(
    tmp_path: Path, layout: str, identified: Callable[[Any], Any], listed: Callable[[Any], Any]
) -> None:
    for name, rows in tables(id=identified, list=listed).items():
        write_rows(tmp_path / LAYOUTS[layout][name], rows)
    (tmp_path / "README.md").write_text("a card")
    assert read_lists(tmp_path) == LISTS


def test_texts_may_be_called_after_what_they_are_and_lie_in_several_files(tmp_path: Path) -> None:
    rows = tables()
    write_rows(tmp_path / "train.jsonl", rows["train"])
    write_rows(tmp_path / "queries.jsonl", [{"query_id": r["query_id"], "query": r["text"]} for r in rows["queries"]])
    renamed = [{"document_id": r["document_id"], "document": r["text"]} for r in rows["documents"]]
    write_rows(tmp_path / "documents" / "0.jsonl", renamed[:1])
    write_rows(tmp_path / "documents" / "1.jsonl", renamed[1:])
    assert read_lists(tmp_path) == LISTS


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Row("9", ("d",), (1.0,)), "unknown query '9'"),
        (Row("q", ("d", "x"), (1.0, 0.0)), "unknown document 'x'"),
        (Row("q", ("d", "e"), (1.0,)), "2 documents and 1 scores"),
        (Row("q", (), ()), "0 documents"),
        (Row("q", ("d", "d"), (1.0, 1.0)), "twice"),
        (Row("q", ("d",), (float("nan"),)), "not finite"),
    ],
)
def test_lists_that_contradict_themselves_are_refused(row: Row, message: str) -> None:
    with pytest.raises(MalformedDocumentError, match=message):
        Lists({"q": "?"}, {"d": "a", "e": "b"}, (row,))


@pytest.mark.parametrize(
    ("table", "row", "error"),
    [
        ("queries", {"query_id": "1", "text": "again"}, DuplicateIdError),
        ("documents", {"document_id": 1.5, "text": "x"}, MalformedDocumentError),
        ("documents", {"document_id": "x", "text": None}, MalformedDocumentError),
        ("train", {"query_id": "1", "document_ids": "no list", "scores": []}, MalformedDocumentError),
        ("train", {"query_id": "1", "document_ids": 3, "scores": []}, MalformedDocumentError),
        ("train", {"query_id": "1", "document_ids": ["10"], "scores": ["high"]}, MalformedDocumentError),
    ],
)
def test_broken_rows_are_refused(tmp_path: Path, table: str, row: dict[str, Any], error: type[Exception]) -> None:
    for name, rows in tables().items():
        write_rows(tmp_path / f"{name}.jsonl", [*rows, row] if name == table else rows)
    with pytest.raises(error):
        read_lists(tmp_path)


def test_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"documents\.jsonl, queries\.jsonl, train\.jsonl"):
        read_lists(tmp_path)
    for content in (b"{", b"[]", b"\xff\xfe"):
        (tmp_path / "train.jsonl").write_bytes(content)
        with pytest.raises(MalformedDocumentError):
            read_lists(tmp_path)
    pytest.importorskip("pyarrow")
    (tmp_path / "train.jsonl").unlink()
    (tmp_path / "train.parquet").write_bytes(b"no parquet")
    with pytest.raises(MalformedDocumentError, match="parquet"):
        read_lists(tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_triplets_become_lists_of_labels(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"query": "東京?", "positive": "首都", "negative": "Hund"},
        {"query": "東京?", "positive": "首都", "negative": "قطة"},
        {"query": "東京?", "positive": "首都", "negative": "首都"},
        {"query": "Hund?", "positive": "Hund", "negative": "首都"},
    ]
    write_rows(tmp_path / f"t{suffix}", rows)
    lists = read_triplets(tmp_path / f"t{suffix}")
    shown = [
        (lists.queries[row.query_id], [lists.documents[each] for each in row.document_ids], row.scores)
        for row in lists.rows
    ]
    assert shown == [("東京?", ["首都", "Hund", "قطة"], (1.0, 0.0, 0.0)), ("Hund?", ["Hund", "首都"], (1.0, 0.0))]


def test_triplets_may_have_many_negatives_in_a_row(tmp_path: Path) -> None:
    rows = [
        {"anchor": "q", "positive": "p", "negative_1": "a", "negative_2": "b"},
        {"anchor": "r", "positive": "p", "negative": ["a"]},
    ]
    write_rows(tmp_path / "t.jsonl", rows)
    assert [len(row.document_ids) for row in read_triplets(tmp_path / "t.jsonl").rows] == [3, 2]
    write_rows(tmp_path / "t.jsonl", [{"query": "q", "positive": "p"}])
    with pytest.raises(MalformedDocumentError, match="negative"):
        read_triplets(tmp_path / "t.jsonl")
    with pytest.raises(NotFoundError):
        read_triplets(tmp_path / "none.jsonl")


def test_ids_are_made_of_texts() -> None:
    assert text_id("東京") == text_id("東京") != text_id("京都")
    assert len(text_id("\ud800")) == 32  # half a surrogate pair is a text too


def test_a_journal_goes_on_without_what_a_kill_left_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "work" / "journal.jsonl"
    with Journal(path, {"of": "a"}, 2) as journal:
        journal.append({"n": 1, "text": "a\u2028b"})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "te')
    with Journal(path, {"of": "a"}, 2) as journal:
        assert journal.lines == [{"of": "a"}, {"n": 1, "text": "a\u2028b"}]
        journal.append({"n": 2})
    assert [json.loads(line) for line in path.read_text().split("\n") if line][1:] == [
        {"n": 1, "text": "a\u2028b"},
        {"n": 2},
    ]
    with pytest.raises(InvalidArgumentError, match="other texts"):
        Journal(path, {"of": "b"}, 2)
    path.write_bytes(b"broken\n")
    with pytest.raises(CorruptionError):
        Journal(path, {"of": "a"}, 2)


def test_candidates_are_the_best_and_others_drawn_by_chance() -> None:
    documents = {str(number): f"text {number}" for number in range(6)}
    row = Row("q", tuple(documents), (0.0, 1.0, 5.0, 3.0, 4.0, 2.0))
    lists = Lists(
        {"q": "東京?", "short": "x", "blank": " "},
        documents,
        (row, Row("short", ("0", "1"), (1.0, 0.0)), replace(row, query_id="blank")),
    )
    drawn = [drawn_candidates(lists, 3, np.random.default_rng(seed)) for seed in range(20)]
    for (own,) in drawn:
        assert own.query == "東京?"
        assert own.documents[0] == "text 2"
        assert len(set(own.documents)) == 3
        assert own.scores == tuple(row.scores[int(text[-1])] for text in own.documents)
    assert {text for (own,) in drawn for text in own.documents} == set(documents.values())
    assert drawn_candidates(lists, 3, np.random.default_rng(7)) == drawn[7]


def test_standardised_scores_have_mean_0_and_deviation_1() -> None:
    found = standardised(np.array([1, 3, 5], np.float32))
    assert found == pytest.approx([-(1.5**0.5), 0, 1.5**0.5])
    assert standardised(np.array([0.1, 0.1, 0.1], np.float32)).tolist() == [0, 0, 0]
