"""What a system found on a task, as a row of results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.baselines import bm25
from eval.datasets.base import Task
from eval.measures import measure
from eval.significance import bootstrap_interval

FOUND = 100
"""Documents taken of each query: recall is measured at 100."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a system found.

    Attributes:
        system: its name, as in results.
        setting: its parameters, in a word.
        run: query id → document id → score.
        passages: stretches of text that were scored.
    """

    system: str
    setting: str
    run: Mapping[str, Mapping[str, float]]
    passages: int


def lexical(task: Task) -> Ranking:
    """Rank by BM25."""
    return Ranking("bm25", "k1=0.9 b=0.4", bm25(task, k=FOUND), len(task.documents))


def row_of(task: Task, ranking: Ranking) -> dict[str, Any]:
    """Measure what a system found."""
    found = measure(task.qrels, ranking.run)
    interval = bootstrap_interval(np.array(list(found.per_query["nDCG@10"].values())), seed=SEED)
    return {
        "dataset": task.name,
        "task": task.key.task,
        "query_language": task.query_language,
        "document_language": task.language,
        "system": ranking.system,
        "setting": ranking.setting,
        "queries": len(task.queries),
        "passages": ranking.passages,
        "ndcg_at_10": round(found.mean["nDCG@10"], 4),
        "ndcg_low": round(interval.low, 4),
        "ndcg_high": round(interval.high, 4),
        "recall_at_100": round(found.mean["R@100"], 4),
    }
