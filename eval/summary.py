"""What an evaluation comes to: means over tasks, with intervals, and how two systems compare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np

from eval.report import Report, Row, SystemKey, TaskKey, systems_of
from eval.significance import Interval, stratified_interval

OWN = "lfm2-colbert"
NDCG = "ndcg_at_10"
SAMPLES = 2000
KINDS = ("monolingual", "cross-lingual")

Contributions = Mapping[tuple[str, str], Mapping[str, float]]
"""Data set and task → query id → what it adds to a mean over tasks."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over tasks, each of the same weight.

    Attributes:
        tasks: number of them.
        value: of nDCG@10, 0..1, or of its difference.
        interval: over queries; None where the values of queries were not kept.
    """

    tasks: int
    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """What a system gets in each language of queries over each of documents; means over the tasks of a pair.

    Attributes:
        query_languages: in order.
        document_languages: in order.
        cells: query language and document language → nDCG@10; pairs that were not measured are absent.
    """

    query_languages: tuple[str, ...]
    document_languages: tuple[str, ...]
    cells: Mapping[tuple[str, str], float]

    def of_queries(self, language: str) -> float | None:
        """Give the mean of a row."""
        return mean(value for (asked, _), value in self.cells.items() if asked == language)

    def of_documents(self, language: str) -> float | None:
        """Give the mean of a column."""
        return mean(value for (_, searched), value in self.cells.items() if searched == language)


def mean(values: Iterable[float]) -> float | None:
    """Give the mean, or None of nothing."""
    found = list(values)
    return fsum(found) / len(found) if found else None


def own_first(rows: Iterable[Row]) -> list[SystemKey]:
    """List the systems, our own first, else in the order in which they come."""
    return sorted(systems_of(rows), key=lambda system: system.system != OWN)


def tasks_of(rows: Iterable[Row]) -> list[TaskKey]:
    """List the tasks in the order in which they first come."""
    return list(dict.fromkeys(row.task for row in rows))


def measured(rows: Iterable[Row], system: SystemKey, figure: str = NDCG) -> list[Row]:
    """Choose the rows of a system that have a figure."""
    return [row for row in rows if row.system == system and figure in row.figures]


def mean_of(report: Report, system: SystemKey, rows: Iterable[Row]) -> Mean | None:
    """Give a system's mean over those of the rows that are its own; None if there are none."""
    own = measured(rows, system)
    value = mean(row.figures[NDCG] for row in own)
    if value is None:
        return None
    return Mean(len(own), value, _interval(report, _contributions(report, [row.task for row in own], system)))


def mean_difference(report: Report, a: SystemKey, b: SystemKey) -> Mean | None:
    """Give how far the mean of `b` lies above that of `a`, over the tasks that both did; None if there are none."""
    of_a = {row.task: row.figures[NDCG] for row in measured(report.rows, a)}
    of_b = {row.task: row.figures[NDCG] for row in measured(report.rows, b)}
    tasks = [task for task in of_a if task in of_b]
    value = mean(of_b[task] - of_a[task] for task in tasks)
    if value is None:
        return None
    theirs, ours = _contributions(report, tasks, a), _contributions(report, tasks, b)
    return Mean(len(tasks), value, _interval(report, _subtracted(ours, theirs)))


def matrix(rows: Iterable[Row], system: SystemKey) -> Matrix:
    """Lay a system's rows out by the languages of queries and documents."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for row in measured(rows, system):
        pairs.setdefault((row.task.query_language, row.task.document_language), []).append(row.figures[NDCG])
    asked, searched = sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs})
    return Matrix(tuple(asked), tuple(searched), {pair: fsum(found) / len(found) for pair, found in pairs.items()})


def paired(report: Report, a: SystemKey, b: SystemKey) -> list[tuple[float, float]]:
    """Give nDCG@10 of each query by two systems, over all tasks that both did."""
    return [
        (values[query_id], value)
        for task in tasks_of(report.rows)
        if (values := _values(report, task, a)) and (others := _values(report, task, b))
        for query_id, value in others.items()
        if query_id in values
    ]


def n_queries(rows: Iterable[Row]) -> int:
    """Count the queries of all tasks, a task once."""
    return sum({row.task: row.queries for row in rows}.values())


def _values(report: Report, task: TaskKey, system: SystemKey) -> Mapping[str, float]:
    return report.per_query.get((task, system), {}).get(NDCG, {})


def _contributions(report: Report, tasks: Sequence[TaskKey], system: SystemKey) -> Contributions | None:
    """Add up what a query gives to the mean over tasks: its translations are drawn together with it."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for task in tasks:
        values = _values(report, task, system)
        if not values:
            return None
        stratum = found.setdefault((task.dataset, "" if task.task in KINDS else task.task), {})
        for query_id, value in values.items():
            stratum[query_id] = stratum.get(query_id, 0.0) + value / (len(values) * len(tasks))
    return found


def _subtracted(b: Contributions | None, a: Contributions | None) -> Contributions | None:
    if a is None or b is None or any(a[stratum].keys() != b[stratum].keys() for stratum in a):
        return None
    return {
        stratum: {name: b[stratum][name] - value for name, value in values.items()} for stratum, values in a.items()
    }


def _interval(report: Report, contributions: Contributions | None) -> Interval | None:
    if contributions is None:
        return None
    strata = [np.array(list(values.values())) for values in contributions.values()]
    return stratified_interval(strata, seed=report.seed, samples=SAMPLES)
