"""Arithmetic of the comparison of engines, against values computed by hand."""

import math
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.engine import KEYS, fronts, not_run, ordered
from benchmarks.engine_measures import best_passages, ndcg_of_documents, pareto_front, recall, recall_among
from benchmarks.peers.processes import (
    NotRunError,
    install_arguments,
    interpreter,
    process_environment,
    reason_of,
)
from benchmarks.peers.protocol import Environment, Setting
from benchmarks.peers.worker import Job
from benchmarks.results_file import ROOT

EXACT = np.array([[9.0, 7.0, 8.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0, 5.0]], np.float32)
POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12)
JOB = Job("engine", "", 1, "", "", "", "", 1800)


def test_recall_is_the_share_of_the_best_that_were_found_meaned_over_queries() -> None:
    found = np.array([[0, 3, 2], [4, 3, 2]])
    assert recall(found, EXACT, 2) == pytest.approx((1 / 2 + 2 / 2) / 2)  # of {0, 2} one; of {4, 3} both
    assert recall(found, EXACT, 3) == pytest.approx((2 / 3 + 3 / 3) / 2)


def test_a_passage_found_twice_counts_once_and_a_missing_one_never() -> None:
    found = np.array([[0, 0, 0], [-1, -1, -1]])
    assert recall(found, EXACT, 2) == pytest.approx((1 / 2 + 0) / 2)


def test_a_passage_that_ties_with_the_last_of_the_best_is_as_good() -> None:
    exact = np.array([[5.0, 3.0, 3.0, 3.0]], np.float32)
    assert recall(np.array([[0, 3]]), exact, 2) == 1


def test_recall_among_candidates_asks_for_the_best_wherever_they_stand() -> None:
    found = np.array([[3, 4, 2, 0], [0, 1, 2, 4]])
    assert recall_among(found, EXACT, 2) == pytest.approx((2 / 2 + 1 / 2) / 2)  # both of {0, 2}; of {4, 3} one


def test_more_candidates_than_wanted_that_tie_with_the_best_count_no_more_than_those() -> None:
    exact = np.array([[5.0, 3.0, 3.0, 3.0]], np.float32)
    assert recall_among(np.array([[1, 2, 3]]), exact, 2) == 1


def test_exact_search_finds_everything() -> None:
    assert recall(best_passages(EXACT, 3), EXACT, 3) == 1


def test_the_best_passages_come_by_score_then_by_number() -> None:
    assert best_passages(np.array([[1.0, 3.0, 3.0, 2.0]], np.float32), 3).tolist() == [[1, 2, 3]]


def test_a_document_is_as_good_as_its_best_passage() -> None:
    documents = np.array([0, 0, 1, 2])  # passages 0 and 1 are of document 0
    found = np.array([[2, 0, 3, 1]])
    scores = np.array([[5.0, 4.0, 3.0, 6.0]], np.float32)  # document 0 by passage 1: 6, before document 1: 5
    assert ndcg_of_documents(found, scores, documents, [{0: 1}]) == pytest.approx(1)
    assert ndcg_of_documents(found, scores, documents, [{1: 1}]) == pytest.approx(1 / math.log2(3))
    assert ndcg_of_documents(found, scores, documents, [{2: 1}]) == pytest.approx(1 / math.log2(4))


def test_ndcg_is_the_mean_over_queries_and_what_is_missing_counts_nothing() -> None:
    found, scores = np.array([[1, -1], [-1, -1]]), np.array([[2.0, -np.inf], [-np.inf, -np.inf]], np.float32)
    assert ndcg_of_documents(found, scores, np.array([0, 1]), [{1: 1}, {0: 1}]) == pytest.approx(1 / 2)


def test_the_front_leaves_out_what_costs_more_and_finds_less() -> None:
    assert pareto_front([4, 1, 2, 3, 9], [0.9, 0.5, 0.4, 0.8, 0.9]) == [1, 3, 0]


@given(points=POINTS)
def test_the_front_is_what_no_other_point_beats(points: list[tuple[int, int]]) -> None:
    def is_beaten(cost: int, gain: int) -> bool:
        return any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)

    front = pareto_front([cost for cost, _ in points], [gain for _, gain in points])
    assert sorted(front) == [i for i, point in enumerate(points) if not is_beaten(*point)]
    assert [points[i][0] for i in front] == sorted(points[i][0] for i in front)


def test_fronts_are_of_rows_that_ran_on_one_thread() -> None:
    slow = {"system": "a", "setting": "", "threads": 1, "cpu_ms_per_query": 2.0, "recall_at_10": 0.5}
    fast = slow | {"system": "b", "cpu_ms_per_query": 1.0, "recall_at_10": 0.6}
    wide = fast | {"threads": 2, "cpu_ms_per_query": 0.1}
    assert fronts([slow, fast, wide, {"system": "c", "threads": 1, "not_run": "no"}]) == [fast]


def test_rows_have_the_keys_that_results_are_kept_by(shared: Path) -> None:
    text = (shared / "design" / "results.md").read_text(encoding="utf-8")
    line = re.search(r"^\| `engine\.json` \|[^|]*\| ([^|]*) \|$", text, re.MULTILINE)
    assert line is not None
    assert set(KEYS) == set(line[1].split(", ")) | {"load_average"}  # beside wall times, as the page says


def test_a_row_is_in_the_order_of_its_keys_and_has_no_other() -> None:
    assert list(ordered({"threads": 1, "system": "faiss", "setting": ""})) == ["system", "setting", "threads"]
    with pytest.raises(KeyError):
        ordered({"system": "faiss", "recall": 1.0})


def test_a_reason_names_no_folder_of_this_machine() -> None:
    row = not_run({"system": "faiss"}, NotRunError(f"{ROOT}/data/engine: no such file"))
    assert row == {"system": "faiss", "not_run": "./data/engine: no such file"}


def test_a_setting_is_named_by_its_parameters() -> None:
    assert Setting.of(nprobe=8, alpha=None).name == "nprobe=8 alpha=None"


def test_the_reason_is_the_last_error_without_its_traceback() -> None:
    errors = 'warning: slow\nTraceback (most recent call last):\n  File "x", line 1\nValueError: no centroids\n'
    assert reason_of(1, errors, JOB.cpu_seconds, JOB.threads) == "ValueError: no centroids"


def test_a_build_that_used_up_its_time_says_so() -> None:
    assert (
        reason_of(-signal.SIGXCPU, "", JOB.cpu_seconds, JOB.threads) == "stopped after 1800 CPU seconds on 1 thread(s)"
    )
    assert reason_of(-signal.SIGKILL, "", JOB.cpu_seconds, JOB.threads) == "killed, as when memory runs out"


def test_an_engine_without_requirements_runs_where_we_do(tmp_path: Path) -> None:
    assert interpreter(tmp_path, "faiss", Environment()) == Path(sys.executable)


def test_an_engine_that_cannot_be_installed_is_told_by_the_first_line_of_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(NotRunError, match=r"^ERROR: .*no-such-engine==1"):
        interpreter(tmp_path, "none", Environment(("no-such-engine==1",)))


def test_foreign_wheels_go_straight_into_the_environment(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    arguments = install_arguments(tmp_path, Environment(("tachiom==0.4.0",), ("tachiom",), ("manylinux_2_39_x86_64",)))
    assert arguments[arguments.index("--target") + 1] == str(packages)
    assert "--platform=manylinux_2_39_x86_64" in arguments


def test_every_library_is_told_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    told = process_environment(2)
    assert {told[key] for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")} == {"2"}
    assert "OPENBLAS_CORETYPE" not in told
