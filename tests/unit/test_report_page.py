"""The page of an evaluation shows what the report says, says what it lacks, and runs nothing of what it shows."""

import base64
import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import tostring

import numpy as np
import pytest
from lxml import html

from eval.charts import Point, Scale, bar, scatter
from eval.machine import Machine
from eval.markup import direction, element
from eval.page import page, write_page
from eval.report import Report, Row, SystemKey, TaskKey
from eval.significance import Interval
from eval.summary import matrix, mean_difference, mean_of, own_first, paired
from eval.tables import count, points, signed

HYBRID, SEMANTIC = SystemKey("lfm2-colbert", "hybrid balanced"), SystemKey("lfm2-colbert", "semantic balanced")
WORDS, ORACLE = SystemKey("bm25", "k1=0.9 b=0.4"), SystemKey("oracle", "fp32")


@pytest.fixture(scope="module")
def shown(evaluation: Report) -> html.HtmlElement:
    return html.document_fromstring(page(evaluation))


def text(node: html.HtmlElement) -> str:
    return re.sub(r"\s+", " ", node.text_content()).strip()


def table(shown: html.HtmlElement, caption: str) -> list[list[str]]:
    (found,) = [each for each in shown.iter("table") if text(each.find("caption")).startswith(caption)]
    return [[text(cell) for cell in line if cell.tag in ("th", "td")] for line in found.iter("tr")]


def cell(rows: list[list[str]], heading: str, *beginning: str) -> str:
    (row,) = [row for row in rows if row[: len(beginning)] == list(beginning)]
    return row[rows[0].index(heading)]


def test_the_page_is_written_whole_into_a_new_folder(evaluation: Report, tmp_path: Path) -> None:
    path = write_page(evaluation, tmp_path / "new" / "report")
    assert path == tmp_path / "new" / "report" / "index.html"
    assert path.read_text(encoding="utf-8") == page(evaluation)
    assert [each.name for each in path.parent.iterdir()] == ["index.html"]


def test_figures_are_those_of_the_report(shown: html.HtmlElement, evaluation: Report) -> None:
    rows = table(shown, "All figures of xquad, monolingual")
    assert cell(rows, "nDCG@10", "ar", "lfm2-colbert hybrid balanced") == "83.3"
    assert cell(rows, "95 % from", "ar", "lfm2-colbert hybrid balanced") == "70.3"
    assert cell(rows, "served − exact", "ar", "lfm2-colbert hybrid balanced") == "−0.4"
    assert cell(rows, "encoding, s", "ar", "lfm2-colbert hybrid balanced") == "1,234.6"
    assert cell(rows, "passages cut", "ar", "lfm2-colbert hybrid balanced") == "1"


def test_what_was_not_measured_is_a_dash(shown: html.HtmlElement) -> None:
    rows = table(shown, "All figures of xquad, monolingual")
    assert [each for each in rows[1:] if each[1] == "bm25 k1=0.9 b=0.4"] == [
        ["ar", "bm25 k1=0.9 b=0.4", "3", "40", "50.0", *["–"] * 7]
    ]


def test_a_figure_without_a_name_is_still_shown(evaluation: Report) -> None:
    odd = replace(evaluation.rows[1], figures={"ndcg_at_10": 0.5, "load_average": 2.5})
    rows = table(html.document_fromstring(page(replace(evaluation, rows=(odd,)))), "All figures of")
    assert cell(rows, "load_average", "ar") == "2.5"


def test_systems_are_listed_ours_first_with_mean_and_lead(shown: html.HtmlElement) -> None:
    rows = table(shown, "Mean nDCG@10 by system")
    assert [row[0] for row in rows[1:]] == [str(each) for each in (HYBRID, SEMANTIC, WORDS, ORACLE)]
    assert [(row[2], row[4], row[5]) for row in rows[1:]] == [
        ("57.9", "4", "–"), ("20.0", "1", "+40.0"), ("22.1", "4", "+35.8"), ("50.0", "1", "+10.0"),
    ]  # fmt: skip


def test_the_headline_is_the_mean_of_our_first_system(shown: html.HtmlElement, evaluation: Report) -> None:
    found = mean_of(evaluation, HYBRID, evaluation.rows)
    assert found is not None
    assert found.interval is not None
    headline = text(shown.find_class("headline")[0])
    assert headline.startswith("57.9nDCG@10 of lfm2-colbert hybrid balanced, of 100, mean of 4 tasks")
    assert headline.endswith(f"{points(found.interval.low)} to {points(found.interval.high)}")
    assert text(shown.find(".//h1")) == "nano on xquad and nanobeir"


def test_means_by_data_set_leave_out_who_was_not_measured(shown: html.HtmlElement) -> None:
    rows = table(shown, "Mean nDCG@10 by data set")
    assert rows[1:] == [
        ["xquad, monolingual", "83.3", "–", "50.0", "–"],
        ["xquad, cross-lingual", "44.2", "–", "4.2", "–"],
        ["nanobeir, ja", "60.0", "20.0", "30.0", "50.0"],
    ]


def test_the_heat_map_has_a_cell_for_each_pair_and_means_beside_them(shown: html.HtmlElement) -> None:
    rows = table(shown, "nDCG@10 of lfm2-colbert hybrid balanced")
    assert rows == [
        ["query ↓ document →", "ar", "de", "mean"],
        ["ar", "83.3", "55.0", "69.2"],
        ["de", "33.3", "–", "33.3"],
        ["mean", "58.3", "55.0", ""],
    ]


def test_a_set_that_was_not_crossed_has_no_heat_map(shown: html.HtmlElement, evaluation: Report) -> None:
    (section,) = shown.xpath("//section[h2[@id='languages']]")
    assert [text(each) for each in section.iter("h3")] == ["xquad", "Which language is preferred: xquad"]
    assert matrix(evaluation.rows, SEMANTIC).cells == {("ja", "ja"): pytest.approx(0.2)}


def test_the_languages_found_are_shown_with_what_no_preference_would_give(shown: html.HtmlElement) -> None:
    rows = table(shown, "Share of the documents' languages")
    assert rows[1:] == [["ar", "90.0 (85.0 to 95.0)", "10.0 (5.0 to 15.0)"], ["de", "–", "100.0 (100.0 to 100.0)"]]
    assert "without any preference it would be 50.0." in text(shown)


def test_many_warnings_are_folded(evaluation: Report) -> None:
    many = replace(evaluation, warnings=tuple(f"number {i}" for i in range(9)))
    first, rest = html.document_fromstring(page(many)).find_class("warnings")
    assert (len(first), len(rest)) == (4, 5)
    assert text(rest.getparent().find("summary")) == "5 more warnings"


def test_queries_are_counted_by_who_is_better(shown: html.HtmlElement, evaluation: Report) -> None:
    pairs = paired(evaluation, WORDS, HYBRID)
    assert sorted(pairs)[:2] == [(0.0, 0.0), (0.0, 0.0)]
    assert (len(pairs), sum(b > a for a, b in pairs), sum(b < a for a, b in pairs)) == (12, 8, 1)
    assert "Of 12 queries, lfm2-colbert hybrid balanced is better on 8, equal on 3 and worse on 1." in text(shown)


def test_examples_show_texts_with_their_language_and_direction(shown: html.HtmlElement) -> None:
    example = shown.find_class("example")[0]
    (query,) = example.find_class("query")
    assert (query.get("dir"), query.get("lang")) == ("rtl", "ar")
    assert [each.get("dir") for each in example.find_class("passage")] == ["ltr", "rtl", "ltr", "ltr"]
    assert [text(each) for each in example.xpath(".//li/p[1]")] == [
        "○ not judged <b>1</b>", "✗ not relevant d2", "✓ relevant, grade 2 d3",
        '✓ relevant, grade 1 "><img src=x onerror=alert(1)>',
    ]  # fmt: skip
    assert "lfm2-colbert hybrid balanced 0.0, bm25 k1=0.9 b=0.4 63.0" in text(example)


def test_the_query_that_loses_most_comes_first_and_is_open(shown: html.HtmlElement) -> None:
    assert [each.xpath("string(.//code)") for each in shown.find_class("example")] == ["q0<", "q1"]


def test_hostile_texts_stay_text(shown: html.HtmlElement, evaluation: Report) -> None:
    assert not list(shown.iter("script", "img", "iframe", "object", "b"))
    assert "<script>alert('found')</script>" in text(shown)
    assert not [name for each in shown.iter() for name in each.attrib if name.startswith("on")]
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", page(evaluation))


def test_the_policy_allows_nothing_but_this_style(shown: html.HtmlElement) -> None:
    (policy,) = shown.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    digest = base64.b64encode(hashlib.sha256(shown.find(".//style").text.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not shown.xpath("//*[@style]")
    assert {each.get("href").partition(",")[0] for each in shown.iter("link")} == {"data:"}
    assert all(each.get("href").startswith("#") for each in shown.iter("a"))


def test_charts_and_tables_have_names_and_headings_their_order(shown: html.HtmlElement) -> None:
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in shown.iter("svg"))
    assert all(text(each.find("caption")) for each in shown.iter("table"))
    levels = [int(each.tag[1]) for each in shown.iter("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [each.get("id") for each in shown.xpath("//*[@id]")]
    assert len(ids) == len(set(ids))
    assert {each.get("href")[1:] for each in shown.iter("a")} <= set(ids)


def test_where_it_was_measured_stands_at_the_bottom(shown: html.HtmlElement, evaluation: Report) -> None:
    footer = text(shown.find(".//footer"))
    for told in (evaluation.commit, evaluation.command, "a <fast> processor, 2 cores, 24 GB", "avx2", "2.4.6", "local"):
        assert told in footer


def test_warnings_and_cleaning_are_told(shown: html.HtmlElement) -> None:
    assert text(shown.find_class("warnings")[0]) == "Warning: one passage was <cut>"
    assert "Cleaning: empty documents 3" in text(shown)


def test_a_report_of_nothing_is_still_a_page(evaluation: Report) -> None:
    empty = replace(
        evaluation, rows=(), per_query={}, examples=(), cleaned={}, warnings=(), commit="", language_bias=()
    )
    shown = html.document_fromstring(page(empty))
    assert [text(each) for each in shown.iter("h2")] == ["Warnings and cleaning", "Provenance"]
    assert "none: it did not run from a clean clone" in text(shown)


def test_equal_reports_have_equal_pages(evaluation: Report) -> None:
    assert page(evaluation) == page(replace(evaluation))


def test_translations_of_a_query_are_drawn_together() -> None:
    tasks = [TaskKey("nanobeir", "scifact", language, language) for language in ("de", "ja", "ko")]
    values = dict(zip((f"q{i}" for i in range(50)), np.random.default_rng(0).random(50).tolist(), strict=True))
    rows = tuple(Row(task, HYBRID, 50, 9, {"ndcg_at_10": float(np.mean(list(values.values())))}) for task in tasks)

    def interval(of: tuple[Row, ...]) -> Interval | None:
        report = _report(of, {(task, HYBRID): {"ndcg_at_10": values} for task in tasks})
        found = mean_of(report, HYBRID, of)
        return found and found.interval

    one, three = interval(rows[:1]), interval(rows)
    assert one is not None
    assert three is not None
    assert (three.low, three.high) == pytest.approx((one.low, one.high))  # copies of a query tell nothing new


def test_without_values_of_queries_a_mean_has_no_interval(evaluation: Report) -> None:
    found = mean_of(replace(evaluation, per_query={}), HYBRID, evaluation.rows)
    assert found is not None
    assert found.interval is None


def test_a_lead_counts_the_tasks_that_both_did(evaluation: Report) -> None:
    lead = mean_difference(evaluation, ORACLE, HYBRID)
    assert lead is not None
    assert (lead.tasks, lead.value) == (1, pytest.approx(0.1))
    assert lead.interval is not None
    assert lead.interval.low == 0.0  # two of three queries are equal
    assert mean_difference(evaluation, SystemKey("dense", "x"), HYBRID) is None


def test_our_own_systems_come_first(evaluation: Report) -> None:
    assert own_first(evaluation.rows) == [HYBRID, SEMANTIC, WORDS, ORACLE]


def test_numbers_have_one_decimal_and_their_sign() -> None:
    assert [points(0.8235), points(1.0), points(None), points(float("nan"))] == ["82.3", "100.0", "–", "–"]
    assert [signed(0.0123), signed(-0.0123), signed(-0.0001), signed(None)] == ["+1.2", "−1.2", "0.0", "–"]
    assert [count(15990.0), count(None)] == ["15,990", "–"]


def test_a_bar_is_as_wide_as_its_share() -> None:
    drawn = bar(0.825, Interval(0.8, 0.85), 0)
    (fill,) = [each for each in drawn if each.get("class") == "fill"]
    assert fill.get("width") == "82.50%"
    assert [(each.get("x1"), each.get("x2")) for each in drawn if each.tag == "line"] == [
        ("80.00%", "85.00%"), ("80.00%", "80.00%"), ("85.00%", "85.00%"),
    ]  # fmt: skip


def test_scales_have_round_ticks() -> None:
    assert Scale(0, 100, 0, 200).ticks() == [0, 20, 40, 60, 80, 100]
    assert Scale(0.8, 30, 0, 1, logarithmic=True).ticks() == [1, 2, 5, 10, 20]
    assert Scale(1, 100, 0, 200, logarithmic=True)(10) == pytest.approx(100)


def test_a_scatter_places_the_better_higher_and_the_slower_to_the_right(evaluation: Report) -> None:
    drawn = scatter([Point(1, 40, 0, "a"), Point(30, 60, 0, "b")], x_label="ms", y_label="nDCG@10", says="c")
    first, second = drawn.iter("circle")
    assert float(second.get("cx", "")) > float(first.get("cx", ""))
    assert float(second.get("cy", "")) < float(first.get("cy", ""))


def test_a_text_runs_as_most_of_its_letters_do() -> None:
    assert [direction(each) for each in ("IBM شركة أمريكية", "שלום", "日本 (2)", "12 %", "")] == [
        "rtl", "rtl", "ltr", "auto", "auto",
    ]  # fmt: skip


def test_markup_in_content_and_attributes_is_escaped() -> None:
    made = element("p", "<i>&", ["b", None, element("i", "c"), "d\x00\ud800"], data_x='"<b>', data_y=None)
    assert tostring(made, encoding="unicode", method="html") == (
        '<p data-x="&quot;<b&gt;">&lt;i&gt;&amp;b<i>c</i>d\ufffd\ufffd</p>'
    )


def _report(rows: tuple[Row, ...], per_query: dict[tuple[TaskKey, SystemKey], dict[str, dict[str, float]]]) -> Report:
    machine = Machine("a processor", 2, 24, ())
    return Report("", "2026-11-26", "", machine, {}, 0, {}, rows, {}, {}, (), per_query, ())
