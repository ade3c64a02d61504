"""How good a run is, computed by ir-measures so that figures compare with published ones."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.registry import missing_extra

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]
"""Query id → document id → score."""

MEASURES = {
    "nDCG@10": "nDCG@10",
    "R@100": "R@100",
    "MRR@10": "RR@10",
    "MAP@100": "AP@100",
    "Success@1": "Success@1",
    "Success@5": "Success@5",
}
"""The name shown → what ir-measures calls it for one query."""
FIGURES = {
    "nDCG@10": "ndcg_at_10",
    "R@100": "recall_at_100",
    "MRR@10": "mrr_at_10",
    "MAP@100": "map_at_100",
    "Success@1": "success_at_1",
    "Success@5": "success_at_5",
}
"""The name shown → its key in results."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Values of a run, by measure.

    Attributes:
        per_query: measure → query id → value, for every judged query.
        mean: measure → mean over the judged queries.
    """

    per_query: Mapping[str, Mapping[str, float]]
    mean: Mapping[str, float]


def measure(qrels: Qrels, run: Run) -> Measured:
    """Measure a run against judgements.

    A judged query that the run lacks counts 0, as does one without a relevant document; others are ignored.

    Raises:
        InvalidArgumentError: there are no judgements, or a score is not a finite number.
        MissingExtraError: ir-measures is not installed.
    """
    if not qrels:
        raise InvalidArgumentError("there are no judgements to measure against", help="load a split that has some")
    wanted, ir_measures = _load()
    untied = {query_id: untie(run.get(query_id, {})) for query_id in qrels}
    per_query: dict[str, dict[str, float]] = {name: dict.fromkeys(qrels, 0.0) for name in MEASURES}
    for result in ir_measures.iter_calc(list(wanted), qrels, untied):
        per_query[wanted[result.measure]][result.query_id] = float(result.value)
    mean = {name: math.fsum(values.values()) / len(values) for name, values in per_query.items()}
    return Measured(per_query, mean)


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Order document ids by score, best first; ties by id.

    Raises:
        InvalidArgumentError: a score is not a finite number.
    """
    for document_id, score in scores.items():
        if not math.isfinite(score):
            raise InvalidArgumentError(f"'{document_id}' has the score {score}", help="scores must be finite")
    return sorted(scores, key=lambda document_id: (-scores[document_id], document_id))


def untie(scores: Mapping[str, float]) -> dict[str, float]:
    """Replace scores by strictly decreasing ones in the same order: each library breaks ties its own way."""
    order = ranked(scores)
    return {document_id: float(len(order) - place) for place, document_id in enumerate(order)}


def require_measures() -> None:
    """Refuse before the work what `measure` would refuse after it.

    Raises:
        MissingExtraError: ir-measures is not installed.
    """
    _load()


def _load() -> tuple[dict[Any, str], Any]:
    try:
        import ir_measures
    except ModuleNotFoundError as error:
        raise missing_extra("measuring", error.name or "ir_measures", "eval") from error
    return {ir_measures.parse_measure(theirs): ours for ours, theirs in MEASURES.items()}, ir_measures
