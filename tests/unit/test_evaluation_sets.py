"""Evaluation sets for benchmarks: unpacked whole or not at all, crossed only where parallel, drawn by a seed."""

import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine_vectors import QUERIES_PER_SET, Part, part_of
from benchmarks.evaluation_sets import unpack
from eval.datasets.base import Task, crossed, sample, with_titles, without_titles
from index.types import Document
from lfm2_colbert.errors import MalformedDocumentError, NotFoundError, NotParallelError


def task(language: str = "ja", n_queries: int = 40) -> Task:
    queries = {f"q{i}": f"{language} {i}" for i in range(n_queries)}
    document = Document("d1", "有給休暇", {"title": "休暇"})
    qrels = {query_id: {"d1": 1} for query_id in queries}
    return Task("handbook", language, language, "test", {"d1": document}, queries, qrels)


def archive(folder: Path, name: str) -> None:
    source = folder / "source" / name / "ja"
    source.mkdir(parents=True)
    (source / "corpus.jsonl").write_text("{}")
    with tarfile.open(folder / f"{name}.tar.xz", "w:xz") as content:
        content.add(folder / "source" / name, name)


def test_a_set_is_unpacked_once(tmp_path: Path) -> None:
    archive(tmp_path, "handbook")
    folder = unpack(tmp_path, "handbook", tmp_path / "eval")
    assert (folder / "ja" / "corpus.jsonl").read_text() == "{}"
    (tmp_path / "handbook.tar.xz").unlink()
    assert unpack(tmp_path, "handbook", tmp_path / "eval") == folder
    assert [path.name for path in (tmp_path / "eval").iterdir()] == ["handbook"]


def test_a_set_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="handbook") as caught:
        unpack(tmp_path, "handbook", tmp_path / "eval")
    assert ".tar.xz" in caught.value.help


def test_a_broken_archive_leaves_no_half_set(tmp_path: Path) -> None:
    (tmp_path / "handbook.tar.xz").write_bytes(b"no archive")
    with pytest.raises(MalformedDocumentError, match="handbook"):
        unpack(tmp_path, "handbook", tmp_path / "eval")
    assert not (tmp_path / "eval" / "handbook").exists()


def test_an_archive_of_another_set_is_refused(tmp_path: Path) -> None:
    archive(tmp_path, "other")
    (tmp_path / "other.tar.xz").rename(tmp_path / "handbook.tar.xz")
    with pytest.raises(MalformedDocumentError, match="handbook"):
        unpack(tmp_path, "handbook", tmp_path / "eval")


def test_a_sample_is_drawn_by_its_seed_and_keeps_judgements_with_queries() -> None:
    drawn = sample(task(), 10, seed=0)
    assert drawn == sample(task(), 10, seed=0)
    assert drawn.queries != sample(task(), 10, seed=1).queries
    assert len(drawn.queries) == 10
    assert list(drawn.queries) == list(drawn.qrels)
    assert drawn.queries.items() <= task().queries.items()
    assert drawn.documents == task().documents


def test_a_small_set_is_taken_whole() -> None:
    assert sample(task(), 40, seed=0) == task()


def test_crossing_takes_the_queries_of_the_other_language() -> None:
    both = crossed(task("ja"), task("de"))
    assert (both.language, both.query_language, both.queries["q3"]) == ("ja", "de", "de 3")
    assert both.cleaned == {}


def test_crossing_asks_what_both_have_and_counts_the_rest() -> None:
    other = replace(task("de"), queries={"q7": "de 7"}, qrels={"q7": {"d1": 1}})
    both = crossed(task("ja"), other)
    assert (both.queries, both.qrels) == ({"q7": "de 7"}, {"q7": {"d1": 1}})
    assert both.cleaned == {"queries without a counterpart": 39}


def test_documents_that_carry_their_language_in_the_id_do_not_hinder_crossing() -> None:
    other = replace(task("de"), qrels={f"q{i}": {"de-d1": 1} for i in range(40)})
    assert crossed(task("ja"), other).qrels == task("ja").qrels


@pytest.mark.parametrize("change", [{"qrels": {"q0": {"d1": 2}}, "queries": {"q0": "x"}}, {"queries": {}, "qrels": {}}])
def test_sets_that_judge_differently_or_share_nothing_are_not_crossed(change: dict[str, Any]) -> None:
    with pytest.raises(NotParallelError, match="ja"):
        crossed(task("ja"), replace(task("de"), **change))


def test_titles_are_left_out() -> None:
    untitled = replace(task(), documents=task().documents | {"d2": Document("d2", " ", {"title": "休暇"})})
    assert without_titles(untitled).documents == {"d1": Document("d1", "有給休暇")}
    assert without_titles(untitled).cleaned == {"empty documents": 1}


def test_titles_are_put_before_texts() -> None:
    assert with_titles(task()).documents == {"d1": Document("d1", "休暇 有給休暇")}


def test_queries_to_tune_with_and_to_report_have_nothing_in_common() -> None:
    asked = task(n_queries=100)
    tuning, reported = (part_of(asked, part, seed=0) for part in Part)
    assert len(tuning.queries) == len(reported.queries) == QUERIES_PER_SET
    assert not tuning.queries.keys() & reported.queries.keys()
    assert reported.qrels.keys() == reported.queries.keys()
    assert part_of(asked, Part.REPORTED, seed=0).queries == reported.queries
