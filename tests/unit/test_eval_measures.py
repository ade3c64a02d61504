"""Measures by hand, by their formulas, and by trec_eval itself."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.measures import MEASURES, measure, ranked, untie
from lfm2_colbert.errors import InvalidArgumentError, MissingExtraError


def values(qrels: dict[str, int], scores: dict[str, float]) -> tuple[float, float, float]:
    mean = measure({"q": qrels}, {"q": scores}).mean
    return mean["nDCG@10"], mean["R@100"], mean["MRR@10"]


def test_values_agree_with_a_computation_by_hand() -> None:
    # Ranking: x (not relevant), b (grade 1), a (grade 2); c (grade 1) is not found.
    found = values({"a": 2, "b": 1, "c": 1}, {"x": 9.0, "b": 8.0, "a": 7.0})
    gained = 1 / math.log2(3) + 2 / math.log2(4)
    ideal = 2 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert found == pytest.approx((gained / ideal, 2 / 3, 1 / 2))


def test_a_perfect_run_scores_one() -> None:
    assert values({"a": 2, "b": 1}, {"a": 0.2, "b": 0.1}) == pytest.approx((1, 1, 1))


def test_ranks_after_the_tenth_count_for_recall_only() -> None:
    scores = {f"x{n:02d}": 100.0 - n for n in range(10)} | {"a": 1.0}
    assert values({"a": 1}, scores) == (0, 1, 0)
    assert values({"a": 1}, {f"x{n:03d}": 200.0 - n for n in range(100)} | {"a": 1.0}) == (0, 0, 0)


def test_ties_are_broken_by_document_id() -> None:
    assert values({"a": 1}, {"b": 1.0, "a": 1.0})[2] == 1
    assert values({"b": 1}, {"b": 1.0, "a": 1.0})[2] == 1 / 2


def test_queries_without_result_count_zero_and_unjudged_ones_nothing() -> None:
    found = measure(
        {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {"a": 0}, "q4": {"a": 1}}, {"q1": {"a": 1}, "q4": {}, "z": {"a": 1}}
    )
    assert found.per_query["nDCG@10"] == {"q1": 1, "q2": 0, "q3": 0, "q4": 0}
    assert found.mean == dict.fromkeys(MEASURES, 0.25)


def test_no_judgements_and_senseless_scores_are_refused() -> None:
    with pytest.raises(InvalidArgumentError):
        measure({}, {})
    for score in (math.nan, math.inf):
        with pytest.raises(InvalidArgumentError, match="'a'"):
            values({"a": 1}, {"a": score})


IDS = st.sampled_from([f"d{n}" for n in range(30)])
SCORES = st.dictionaries(IDS, st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 1.0]), max_size=30)
GRADES = st.dictionaries(IDS, st.integers(0, 4), min_size=1, max_size=12)


@given(scores=SCORES)
def test_untying_keeps_the_order_and_leaves_no_tie(scores: dict[str, float]) -> None:
    untied = untie(scores)
    assert ranked(untied) == ranked(scores)
    assert len(set(untied.values())) == len(scores)


@given(
    qrels=st.dictionaries(st.sampled_from("pqr"), GRADES, min_size=1),
    run=st.dictionaries(st.sampled_from("pqrs"), SCORES),
)
def test_measures_agree_with_trec_eval(qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.100"})
    truth = evaluator.evaluate({query_id: untie(scores) for query_id, scores in run.items()})
    found = measure(qrels, run).per_query
    for query_id in qrels:
        expected = truth.get(query_id, {"ndcg_cut_10": 0.0, "recall_100": 0.0})
        assert found["nDCG@10"][query_id] == pytest.approx(expected["ndcg_cut_10"])
        assert found["R@100"][query_id] == pytest.approx(expected["recall_100"])


@given(qrels=GRADES, scores=SCORES)
def test_reciprocal_rank_agrees_with_its_definition(qrels: dict[str, int], scores: dict[str, float]) -> None:
    order = sorted(scores, key=lambda document_id: (-scores[document_id], document_id))[:10]
    ranks = [rank for rank, document_id in enumerate(order, start=1) if qrels.get(document_id, 0) > 0]
    assert values(qrels, scores)[2] == pytest.approx(1 / ranks[0] if ranks else 0)


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(MissingExtraError) as caught:
        measure({"q": {"a": 1}}, {})
    assert "lfm2-colbert[eval]" in caught.value.help


def test_importing_the_parts_of_eval_is_light() -> None:
    program = (
        "import sys; from eval import measures, baselines; from eval.datasets import folder;"
        "print([m for m in ('torch', 'bm25s', 'ir_measures', 'scipy', 'faiss', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
