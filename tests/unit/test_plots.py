"""Figures of the documents: what they show, and that they come out the same each time."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from benchmarks.plots import FIGURES, PLOTS, measured_rows, svg, systems, thrifty
from benchmarks.results_file import read


def row(system: str, cost: float, recall: float, *, passages: int = 1000, threads: int = 1) -> dict[str, Any]:
    return {
        "system": system, "setting": f"{cost}", "passages": passages, "tokens": 100 * passages, "threads": threads,
        "cpu_ms_per_query": cost, "recall_at_10": recall, "recall_at_100": recall - 0.1,
    }  # fmt: skip


ROWS = [
    row("faiss", 40, 0.99), row("faiss", 20, 0.985), row("faiss", 5, 0.6), row("lfm2-colbert", 3, 0.98),
    row("lfm2-colbert", 9, 0.99, passages=5000), row("lfm2-colbert", 1, 0.98, threads=2),
    {"system": "lancedb", "setting": "build", "threads": 1, "passages": 1000, "not_run": "no"},
]  # fmt: skip


def test_rows_that_did_not_run_or_had_more_threads_are_left_out() -> None:
    assert measured_rows(ROWS) == ROWS[:5]


def test_our_own_system_comes_first() -> None:
    assert systems(ROWS) == ["lfm2-colbert", "faiss", "lancedb"]


def test_the_thrifty_row_is_the_cheapest_of_those_that_find_nearly_as_much() -> None:
    assert thrifty(ROWS[:3]) == ROWS[1]


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_is_svg_that_names_its_systems_and_is_the_same_each_time(name: str) -> None:
    text = svg(PLOTS[name], ROWS)
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "faiss" in text
    assert "lfm2-colbert" in text
    assert svg(PLOTS[name], ROWS) == text


@pytest.mark.parametrize("name", PLOTS)
def test_figures_of_the_documents_are_up_to_date(name: str) -> None:
    assert (FIGURES / f"{name}.svg").read_text(encoding="utf-8") == svg(PLOTS[name], read(name).rows)
