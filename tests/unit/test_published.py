"""Published figures are as printed, their means follow from their cells, and a report is told where it differs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import pytest

from eval.machine import Machine
from eval.published import FILE, MEAN, Beside, beside, figures_of, published
from eval.report import Report, Row, SystemKey, TaskKey

OURS, HYBRID = SystemKey("lfm2-colbert", "semantic balanced"), SystemKey("lfm2-colbert", "hybrid balanced")
LFM2, GTE = "LFM2-ColBERT-350M", "GTE-ModernColBERT-v1"
NINE = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "pt")
ELEVEN = (*NINE, "no", "sv")
TASKS = [figure.task for figure in figures_of(table="lfm2-colbert-nanobeir-en") if figure.task != MEAN]
REVISION = json.loads(FILE.read_text(encoding="utf-8"))["data"]["revision"]
LAST_DIGIT = 0.0005
"""Cells are printed with three digits: a mean of them is known as exactly."""


def value(**wanted: str) -> float:
    (figure,) = figures_of(**wanted)
    return figure.value


def report(languages: Sequence[tuple[str, str]], tasks: Sequence[str] = TASKS, system: SystemKey = OURS) -> Report:
    """Write a report whose figures are 0.5, of arguana 0.4."""
    rows = tuple(
        Row(TaskKey("nanobeir", task, *pair), system, 50, 3000, {"ndcg_at_10": 0.4 if task == "arguana" else 0.5})
        for pair in languages
        for task in tasks
    )
    return Report(
        commit="", created="", command="", machine=Machine("", 2, 24, ()), versions={}, seed=7, config={}, rows=rows,
        cleaned={}, revisions={"nanobeir": REVISION}, warnings=(), per_query={}, examples=(),
    )  # fmt: skip


def test_names_are_unique_and_every_table_says_where_it_stands() -> None:
    tables = published()
    assert max(Counter(table.name for table in tables).values()) == 1
    assert max(Counter(replace(figure, value=0) for table in tables for figure in table.figures).values()) == 1
    for table in tables:
        assert table.source
        assert table.date
        assert {"mode", "all passages scored", "precision"} <= set(table.settings)
        assert {"name", "revision"} == set(table.data)


def test_grids_are_as_wide_and_high_as_their_labels() -> None:
    for table in json.loads(FILE.read_text(encoding="utf-8"))["tables"]:
        for grid in table["grids"]:
            (rows,), (columns,) = grid["rows"].values(), grid["columns"].values()
            assert [len(row) for row in grid["cells"]] == [len(columns)] * len(rows), table["name"]


def test_figures_are_of_one() -> None:
    assert all(0 < figure.value < 1 for table in published() for figure in table.figures)


def test_single_cells_are_as_printed() -> None:
    crossed = {"table": "lfm2-colbert-cross-lingual", "model": LFM2, "task": MEAN}
    assert value(**crossed, query_language="ar", document_language="de") == 0.383
    assert value(**crossed, query_language="de", document_language="ar") == 0.288
    assert value(table="mlateon-benchmarks", model="jina-colbert-v2", dataset="mldr-target") == 0.1397
    assert value(table="nanobeir-eleven-languages", model="BM25 (mteb baseline)", query_language="ko") == 0.351
    assert value(table="lfm2-colbert-nanobeir-en", task="touche2020") == 0.6296


def test_the_english_mean_follows_from_its_tasks() -> None:
    english = {"table": "lfm2-colbert-nanobeir-en", "measure": "ndcg_at_10"}
    cells = [value(**english, task=task) for task in TASKS]
    assert len(cells) == 13
    assert value(**english, task=MEAN) == pytest.approx(fmean(cells), abs=0.00005)


@pytest.mark.parametrize("side", ["query_language", "document_language"])
@pytest.mark.parametrize("language", NINE)
def test_means_of_the_cross_lingual_matrix_follow_from_its_cells(side: str, language: str) -> None:
    other = {"query_language", "document_language"} - {side}
    figures = figures_of(table="lfm2-colbert-cross-lingual", **{side: language})
    cells = [figure.value for figure in figures if getattr(figure, *other) != MEAN]
    (printed,) = [figure.value for figure in figures if getattr(figure, *other) == MEAN]
    assert len(cells) == 9
    assert printed == pytest.approx(fmean(cells), abs=LAST_DIGIT)


def test_both_means_of_a_matrix_have_one_mean() -> None:
    for table in ("lfm2-colbert-cross-lingual", "gte-moderncolbert-cross-lingual"):
        by_query, by_document = (
            [figure.value for figure in figures_of(table=table, **{side: MEAN})]
            for side in ("document_language", "query_language")
        )
        assert fmean(by_query) == pytest.approx(fmean(by_document), abs=0.0001)


def test_the_means_of_eleven_languages_follow_from_their_cells() -> None:
    table, whole = "nanobeir-eleven-languages", 0
    for figure in figures_of(table=table, query_language=MEAN):
        cells = [value(table=table, model=figure.model, query_language=language) for language in ELEVEN
                 if figures_of(table=table, model=figure.model, query_language=language)]  # fmt: skip
        if len(cells) == len(ELEVEN):
            whole += 1
            assert figure.value == pytest.approx(fmean(cells), abs=2 * LAST_DIGIT)
    assert whole == 5


def test_what_two_tables_say_of_one_language_agrees_or_is_noted() -> None:
    table = {"table": "nanobeir-eleven-languages"}
    for model, other in ((LFM2, "lfm2-colbert-cross-lingual"), (GTE, "gte-moderncolbert-cross-lingual")):
        for language in NINE:
            wanted = {"model": model, "query_language": language, "document_language": language}
            differs = (model, language) == (LFM2, "ar")
            assert value(**table, **wanted) == pytest.approx(value(table=other, **wanted) + 0.001 * differs)
    (notes,) = [each.notes for each in published() if each.name == "nanobeir-eleven-languages"]
    assert any("in ar is .490" in note for note in notes)


def of(found: Sequence[Beside], task: str, language: str) -> Beside:
    (entry,) = [each for each in found if each.task == task and each.query_language == language]
    return entry


def test_a_task_and_the_mean_of_all_stand_beside_published_ones() -> None:
    found = beside(report([("en", "en")]))
    arguana, mean = of(found, "arguana", "en"), of(found, MEAN, "en")
    assert (arguana.value, [figure.value for figure in arguana.figures]) == (0.4, [0.5507])
    assert mean.value == pytest.approx((0.4 + 12 * 0.5) / 13)
    assert {figure.value for figure in mean.figures if figure.model == LFM2} == {0.66123, 0.661}
    assert arguana.warnings == mean.warnings == ()


def test_languages_are_crossed_as_published() -> None:
    (entry,) = beside(report([("ar", "de")]))
    assert [figure.value for figure in entry.figures] == [0.383]


def test_the_mean_of_all_languages_stands_beside_that_of_eleven() -> None:
    found = beside(report([(language, language) for language in ELEVEN]))
    entry = of(found, MEAN, MEAN)
    assert entry.warnings == ()
    assert [figure.value for figure in entry.figures if figure.model == LFM2] == [0.54]
    few = of(beside(report([("de", "de"), ("fr", "fr"), ("xx", "xx")])), MEAN, MEAN)
    assert few.warnings == (
        "the report's mean is over other languages: without ar, en, es, it, ja, ko, no, pt, sv and with xx",
    )


def test_a_mean_of_some_tasks_says_which_it_lacks() -> None:
    tasks = [task for task in TASKS if task not in ("nq", "fever")]
    found = beside(report([("en", "en")], tasks))
    assert of(found, MEAN, "en").warnings == ("the report's mean is over other tasks: without fever, nq",)
    assert of(found, "scifact", "en").warnings == ()


def test_other_settings_are_told() -> None:
    other = replace(
        report([("en", "en")], ["nq"], HYBRID), config={"limit": 10}, revisions={"nanobeir": "local"},
        cleaned={TaskKey("nanobeir", "nq", "en", "en"): {"empty documents": 1}},
    )  # fmt: skip
    warnings = of(beside(other), "nq", "en").warnings
    assert [warning.partition(";")[0] for warning in warnings] == [
        "the report's search is hybrid",
        "the report's limit is 10",
        f"the report's data is local, not LiquidAI/nanobeir-multilingual-extended@{REVISION}",
        "the report's data were cleaned",
    ]


def test_other_data_sets_and_languages_have_nothing_beside_them() -> None:
    rows = (Row(TaskKey("xquad", "monolingual", "en", "en"), OURS, 50, 3000, {"ndcg_at_10": 0.5}),)
    assert beside(replace(report([]), rows=rows)) == ()
    assert beside(report([("xx", "xx")])) == ()
    assert beside(report([("en", "en")]), measure="ndcg_at_1") == ()
