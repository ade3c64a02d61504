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

SETTINGS = [
    {
        "system": system, "codec": codec, "pool": pool, "mode": mode, "effort": "balanced", "ndcg_at_10": ndcg,
        "bytes_per_passage": n_bytes, "cpu_ms_per_query": cost,
    }
    for system, codec, pool, mode, ndcg, n_bytes, cost in (
        ("lfm2-colbert", "scalar4", 1, "semantic", 0.76, 17_000, 8.0),
        ("lfm2-colbert", "scalar4", 1, "hybrid", 0.78, 17_000, 9.0),
        ("lfm2-colbert", "scalar2", 2, "hybrid", 0.77, 2_500, 8.5),
        ("multilingual-e5-small", "float32", 1, "semantic", 0.71, 1_536, 24.0),
    )
]  # fmt: skip
EXAMPLES = {
    "engine": (ROWS, ("faiss", "lfm2-colbert")),
    "growth": (ROWS, ("faiss", "lfm2-colbert")),
    "pareto": (SETTINGS, ("nano, semantic", "nano, hybrid", "multilingual-e5-small", "scalar2 / 2")),
}
"""Figure → rows, and what is named in it."""


def test_rows_that_did_not_run_or_had_more_threads_are_left_out() -> None:
    assert measured_rows(ROWS) == ROWS[:5]


def test_our_own_system_comes_first() -> None:
    assert systems(ROWS) == ["lfm2-colbert", "faiss", "lancedb"]


def test_the_thrifty_row_is_the_cheapest_of_those_that_find_nearly_as_much() -> None:
    assert thrifty(ROWS[:3]) == ROWS[1]


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_is_svg_that_names_its_systems_and_is_the_same_each_time(name: str) -> None:
    rows, named = EXAMPLES[name]
    text = svg(PLOTS[name], rows)
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert all(each in text for each in named)
    assert svg(PLOTS[name], rows) == text


@pytest.mark.parametrize("name", PLOTS)
def test_figures_of_the_documents_are_up_to_date(name: str) -> None:
    assert (FIGURES / f"{name}.svg").read_text(encoding="utf-8") == svg(PLOTS[name], read(name).rows)
