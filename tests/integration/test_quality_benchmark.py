"""The quality benchmark end to end on twenty documents, with an encoder that finds equal words and nothing else."""

import math
from typing import Any

import pytest

from benchmarks.quality import FP32, INT8, Outcome, outcome, row_of, verdicts
from benchmarks.systems import Ranking
from eval.datasets.base import Task
from index.types import Document
from lfm2_colbert.encoders.hashing import HashingEncoder

TOPICS = ("Urlaub", "有給休暇", "연차휴가", "إجازة", "vacation", "férias", "vacances", "ferie", "отпуск", "άδεια")
ENCODER = HashingEncoder(dim=64, max_document_tokens=20)
FILLING = " ".join(f"word{i}" for i in range(30))


def twenty() -> Task:
    """Ten short documents that begin with their topic, ten whose topic stands where a cut text has ended."""
    early = {f"early-{i}": f"{topic} alpha {i}" for i, topic in enumerate(TOPICS)}
    late = {f"late-{i}": f"{FILLING}. {topic} omega {i}" for i, topic in enumerate(TOPICS)}
    queries = {f"q-{key}": text.removeprefix(f"{FILLING}. ") for key, text in (early | late).items()}
    qrels = {query_id: {query_id.removeprefix("q-"): 1} for query_id in queries}
    documents = {key: Document(key, text) for key, text in (early | late).items()}
    return Task("twenty", "de", "de", "test", documents, queries, qrels, 0)


@pytest.fixture(scope="module")
def measured_twenty() -> Outcome:
    return outcome(twenty(), {INT8: ENCODER, FP32: ENCODER})


def by_system(found: Outcome) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["system"], row["setting"]): row for row in found.rows}


def test_each_system_finds_what_it_can_read(measured_twenty: Outcome) -> None:
    rows = by_system(measured_twenty)
    own, oracle, truncated = (rows[system, INT8] for system in ("lfm2-colbert", "oracle", "truncated"))
    assert own["ndcg_at_10"] == oracle["ndcg_at_10"] == 1.0
    assert truncated["ndcg_at_10"] < 0.75  # half of the answers stand behind the cut
    # BM25 prefers the short document of the same topic to the long one: second place for half of the queries.
    assert rows["bm25", "k1=0.9 b=0.4"]["ndcg_at_10"] == pytest.approx((1 + 1 / math.log2(3)) / 2, abs=1e-4)
    assert own["passages"] == oracle["passages"] > truncated["passages"] == 20


def test_a_row_holds_its_costs_only_where_they_were_measured(measured_twenty: Outcome) -> None:
    rows = by_system(measured_twenty)
    assert (
        ENCODER.dim < rows["lfm2-colbert", INT8]["disk_bytes_per_token"] < 2 * ENCODER.dim
    )  # 8 bits a value, and a bit
    assert "disk_bytes_per_token" not in rows["oracle", INT8]
    assert rows["lfm2-colbert", INT8]["queries"] == 20


def test_the_verdict_holds_for_a_lossless_engine(measured_twenty: Outcome) -> None:
    assert all(verdict.holds for verdict in verdicts(measured_twenty.rows, measured_twenty.deviation))


@pytest.mark.parametrize(("setting", "planted"), [(INT8, 0.995), (FP32, 1.1)])
def test_the_verdict_fails_for_an_engine_that_loses(measured_twenty: Outcome, setting: str, planted: float) -> None:
    rows = [
        row | {"ndcg_at_10": planted} if (row["system"], row["setting"]) == ("lfm2-colbert", setting) else row
        for row in measured_twenty.rows
    ]
    assert [verdict.holds for verdict in verdicts(rows, 0.0)].count(False) == 1


def test_the_verdict_fails_for_an_oracle_that_is_none(measured_twenty: Outcome) -> None:
    assert not all(verdict.holds for verdict in verdicts(measured_twenty.rows, 0.1))


def test_a_row_measures_its_run_by_hand_values() -> None:
    task = twenty()
    ideal = {query_id: dict.fromkeys(grades, 1.0) for query_id, grades in task.qrels.items()}
    half = {query_id: found for i, (query_id, found) in enumerate(ideal.items()) if i % 2}
    row = row_of(task, Ranking("peer", "none", half, 20, {}))
    assert (row["ndcg_at_10"], row["recall_at_100"]) == (0.5, 0.5)
    assert row["ndcg_low"] < 0.5 < row["ndcg_high"]
