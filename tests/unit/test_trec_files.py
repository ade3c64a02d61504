"""Files of TREC: what was written is read in the same order, by this program and by others."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.measures import measure, ranked
from eval.trec import column, falling, file_name, read_qrels, read_run, write_qrels, write_run
from lfm2_colbert.errors import MalformedDocumentError, NotFoundError

ids = st.text(st.characters(exclude_categories=("Cs", "Z", "Cc"), exclude_characters="%"), min_size=1, max_size=8)
scores = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-9, 1e-45, 3e38, -3e38]))
runs = st.dictionaries(ids, st.dictionaries(ids, scores, max_size=6), min_size=1, max_size=3)


@settings(max_examples=60)
@given(runs)
def test_a_run_is_read_in_the_order_it_had(run: dict[str, dict[str, float]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs" / "a.trec"
        write_run(path, run, "ours semantic balanced")
        read = read_run(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    assert {query_id: list(found) for query_id, found in read.items()} == {
        query_id: ranked(found) for query_id, found in run.items() if found
    }
    for found in read.values():
        values = np.array(list(found.values()), np.float32)  # tools hold scores in float32
        assert (values[1:] < values[:-1]).all()
        assert ranked(found) == list(found)
    assert all(len(line.split(" ")) == 6 for line in lines)


@given(st.lists(scores, max_size=8))
def test_falling_scores_move_as_little_as_float32_allows(values: list[float]) -> None:
    best_first = sorted(values, reverse=True)
    made = list(falling(best_first))
    assert all(a > b for a, b in pairwise(made))
    distinct = [np.float32(value) for value in best_first]
    if len(set(distinct)) == len(distinct):
        assert made == [float(value) for value in distinct]


def test_white_space_in_ids_parts_no_columns(tmp_path: Path) -> None:
    run = {"frage 1\u3000ä": {"doc\t1": 2.0, "東京 タワー": 1.0, "a\u2028b": 0.5, "c\x1cd": 0.25}}
    qrels = {"frage 1\u3000ä": {"doc\t1": 0, "東京 タワー": 2, "a\u2028b": 1}}
    write_run(tmp_path / "run.trec", run, "a system\nwith lines")
    write_qrels(tmp_path / "qrels.trec", qrels)
    written = {column(query): {column(each): score for each, score in found.items()} for query, found in run.items()}
    assert read_run(tmp_path / "run.trec") == written
    assert list(written) == ["frage%201%E3%80%80ä"]
    judged = read_qrels(tmp_path / "qrels.trec")
    assert judged == {"frage%201%E3%80%80ä": {"doc%091": 0, "東京%20タワー": 2, "a%E2%80%A8b": 1}}
    assert measure(judged, written).mean == measure(qrels, run).mean


def test_other_tools_read_what_is_written(tmp_path: Path) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    run = {"q1": {"d1": 1.0, "d2": 1.0, "d3": 1.0}, "q2": {"d1": 0.5}}
    qrels = {"q1": {"d3": 1, "d1": 0}, "q2": {"d1": 2}}
    write_run(tmp_path / "run", run, "ours hybrid balanced")
    write_qrels(tmp_path / "qrels", qrels)
    read = list(ir_measures.read_trec_run(str(tmp_path / "run")))
    assert [(each.query_id, each.doc_id) for each in read] == [("q1", "d1"), ("q1", "d2"), ("q1", "d3"), ("q2", "d1")]
    judged = ir_measures.read_trec_qrels(str(tmp_path / "qrels"))
    theirs = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], judged, read)
    assert theirs[ir_measures.nDCG @ 10] == pytest.approx(measure(qrels, run).mean["nDCG@10"], abs=1e-12)


@pytest.mark.parametrize("line", ["q1 Q0 d1 1 2.0", "q1 Q0 d1 1 high tag", "q1 Q0 d 1 1 2.0 tag"])
def test_a_line_that_is_none_is_refused_by_place(tmp_path: Path, line: str) -> None:
    (tmp_path / "run").write_text(f"q1 Q0 d0 1 2.0 tag\n{line}\n")
    with pytest.raises(MalformedDocumentError, match="run:2"):
        read_run(tmp_path / "run")
    with pytest.raises(NotFoundError, match="nowhere"):
        read_qrels(tmp_path / "nowhere")


def test_names_of_files_hold_no_other_characters() -> None:
    assert file_name("a/b: c", "ü x") == "a_b_c-_x"
