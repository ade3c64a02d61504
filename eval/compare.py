"""Whether one system is better than another: task by task and on the mean of the tasks, on the queries of both.

Everything is said of B against A: a difference is B - A, and ``worse`` means that B is. Tasks are judged by p-values
corrected for being many (Holm); the mean is one question and judged by its own.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from eval.report import Report, SystemKey, TaskKey, systems_of
from eval.significance import SAMPLES, Strata, Values, holm, stratified_interval, stratified_p
from lfm2_colbert.errors import InvalidArgumentError, UnknownNameError

OURS = "lfm2-colbert"
LEVEL = 0.05
SIGNS_PER_TASK = 100
"""Signs drawn for each task at least, so that the smallest p-value is still small when corrected."""
SHARED_QUERIES = ("monolingual", "cross-lingual")
"""What sets call their tasks: both ask the same questions, in several languages. A task of NanoBEIR has its own."""
LISTED = 5


class Verdict(StrEnum):
    """What B is, against A."""

    BETTER = "better"
    WORSE = "worse"
    NOT_DISTINGUISHABLE = "not distinguishable"


@dataclass(frozen=True, slots=True)
class Contrast:
    """B against A.

    Attributes:
        a: mean of A over the queries of both.
        b: the same of B.
        difference: b - a.
        low: where the 95 % interval of the difference begins.
        high: where it ends.
        p: of the two-sided randomisation test.
        p_corrected: by Holm for all tasks; of the mean as it is.
        verdict: by the corrected p-value.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    p_corrected: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class TaskContrast:
    """B against A on a task.

    Attributes:
        task: which.
        queries: number of those that both have.
        only_a: number of those that only A has; they count nowhere.
        only_b: the same of B.
        contrast: what was found.
    """

    task: TaskKey
    queries: int
    only_a: int
    only_b: int
    contrast: Contrast


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the tasks of both.

    Attributes:
        measure: what was compared.
        system_a: of the first report.
        system_b: of the second.
        tasks: in the order of the first report.
        mean: of the tasks' means; each task counts the same.
        left_out: tasks that were not compared: only one has them, or they share no query.
        warnings: what a reader has to know.
    """

    measure: str
    system_a: SystemKey
    system_b: SystemKey
    tasks: tuple[TaskContrast, ...]
    mean: Contrast
    left_out: tuple[TaskKey, ...]
    warnings: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        """Whether B is worse on a task or on the mean."""
        return Verdict.WORSE in (self.mean.verdict, *(each.contrast.verdict for each in self.tasks))

    @property
    def sentence(self) -> str:
        """Sum up."""
        counts = {verdict: sum(each.contrast.verdict == verdict for each in self.tasks) for verdict in Verdict}
        on_tasks = ", ".join(f"{verdict} on {_tasks(n)}" for verdict, n in counts.items() if n)
        if len(self.tasks) == 1:
            return f"B is {on_tasks}."
        mean = self.mean
        found = f"{mean.difference:+.4f}, 95 % [{mean.low:+.4f}, {mean.high:+.4f}], p {mean.p:.4f}"
        return f"B is {on_tasks}. On the mean B - A = {found}: {mean.verdict}."


@dataclass(frozen=True, slots=True)
class Pairs:
    """Values of the queries that both have, in one order ``(n_queries,)``, and how many others there are."""

    queries: tuple[str, ...]
    a: Values
    b: Values
    only_a: int
    only_b: int


def compare(
    a: Report,
    b: Report,
    *,
    measure: str = "ndcg_at_10",
    systems: tuple[str, str] | None = None,
    seed: int = 0,
    samples: int = SAMPLES,
) -> Comparison:
    """Hold a system of one report against one of another, or of the same.

    Args:
        a: what is compared with.
        b: what is judged.
        measure: as it is called in rows.
        systems: of A and of B, each by its name if that has one setting (``bm25``), else with it
            (``lfm2-colbert hybrid balanced``); None takes the first setting of ``lfm2-colbert`` that both have, else
            the first of each. A report without ``lfm2-colbert`` offers its other systems.
        seed: of all that is drawn.
        samples: drawn for each interval and test.

    Raises:
        UnknownNameError: a report has no such system, or no values of this measure.
        InvalidArgumentError: a system's name has several settings, or both have no task with a common query.
    """
    of_a, of_b = (_named(a, systems[0]), _named(b, systems[1])) if systems else _default_systems(a, b)
    values_a, values_b = _values(a, of_a, measure), _values(b, of_b, measure)
    paired = {task: _pairs(values_a[task], values_b[task]) for task in values_a if task in values_b}
    compared = {task: pairs for task, pairs in paired.items() if pairs.queries}
    left_out = tuple(task for task in {**values_a, **values_b} if task not in compared)
    if not compared:
        raise InvalidArgumentError(
            f"A and B have no task with a common query: {_listed(map(str, left_out))}",
            help="compare reports of the same data sets and languages",
        )
    contrasts, mean = _contrasts(compared, seed, samples)
    tasks = tuple(
        TaskContrast(task, len(pairs.queries), pairs.only_a, pairs.only_b, contrast)
        for (task, pairs), contrast in zip(compared.items(), contrasts, strict=True)
    )
    warnings = (*_missing(tasks, left_out), *_changed_settings(a, b), *_changed_data(a, b, compared))
    return Comparison(measure, of_a, of_b, tasks, mean, left_out, warnings)


def _named(report: Report, name: str) -> SystemKey:
    known = systems_of(report.rows)
    found = [key for key in known if name == str(key)] or [key for key in known if name == key.system]
    if not found:
        raise UnknownNameError.of("system", name, map(str, known))
    if len(found) > 1:
        listed = ", ".join(f"'{key}'" for key in found)
        raise InvalidArgumentError(f"'{name}' has {len(found)} settings here", help=f"name one of {listed}")
    return found[0]


def _default_systems(a: Report, b: Report) -> tuple[SystemKey, SystemKey]:
    offered_a, offered_b = _offered(a), _offered(b)
    shared = [key for key in offered_a if key in offered_b]
    return (shared[0], shared[0]) if shared else (offered_a[0], offered_b[0])


def _offered(report: Report) -> list[SystemKey]:
    known = systems_of(report.rows)
    if not known:
        raise InvalidArgumentError("a report has no rows", help="run the evaluation again")
    return [key for key in known if key.system == OURS] or known


def _values(report: Report, system: SystemKey, measure: str) -> dict[TaskKey, Mapping[str, float]]:
    of_tasks = {row.task: report.per_query.get((row.task, system), {}) for row in report.rows if row.system == system}
    found = {task: values[measure] for task, values in of_tasks.items() if measure in values}
    if not found:
        known = {name for values in of_tasks.values() for name in values}
        raise UnknownNameError.of(f"measure of the queries of '{system}'", measure, known)
    return found


def _pairs(a: Mapping[str, float], b: Mapping[str, float]) -> Pairs:
    queries = tuple(query_id for query_id in a if query_id in b)
    values_a, values_b = (np.array([values[query_id] for query_id in queries], np.float64) for values in (a, b))
    return Pairs(queries, values_a, values_b, len(a) - len(queries), len(b) - len(queries))


def _contrasts(compared: Mapping[TaskKey, Pairs], seed: int, samples: int) -> tuple[list[Contrast], Contrast]:
    signs = max(samples, SIGNS_PER_TASK * len(compared))

    def contrast(a: float, b: float, strata: Strata) -> Contrast:
        interval = stratified_interval(strata, seed=seed, samples=samples)
        p = stratified_p(strata, seed=seed, samples=signs)
        return Contrast(a, b, b - a, interval.low, interval.high, p, p, _verdict(b - a, p))

    raw = [
        contrast(float(pairs.a.mean()), float(pairs.b.mean()), [(pairs.b - pairs.a) / len(pairs.a)])
        for pairs in compared.values()
    ]
    corrected = [
        replace(each, p_corrected=p, verdict=_verdict(each.difference, p))
        for each, p in zip(raw, holm([each.p for each in raw]), strict=True)
    ]
    means = (float(np.mean([each.a for each in raw])), float(np.mean([each.b for each in raw])))
    return corrected, contrast(*means, strata_of_the_mean(compared))


def strata_of_the_mean(compared: Mapping[TaskKey, Pairs]) -> Strata:
    """Lay out what each question adds to the difference of the mean of all tasks.

    Tasks are drawn each for itself, but a question that several languages ask is one question: its answers go together,
    or the same luck would count as often as there are languages. The questions of a stratum are in the same tasks.
    """
    added: defaultdict[tuple[str, ...], float] = defaultdict(float)
    asked_in: defaultdict[tuple[str, ...], tuple[TaskKey, ...]] = defaultdict(tuple)
    for task, pairs in compared.items():
        whose = (task.dataset,) if task.task in SHARED_QUERIES else (task.dataset, task.task)
        shares = (pairs.b - pairs.a) / (len(pairs.queries) * len(compared))
        for query_id, share in zip(pairs.queries, shares, strict=True):
            added[*whose, query_id] += share
            asked_in[*whose, query_id] += (task,)
    strata: defaultdict[tuple[TaskKey, ...], list[float]] = defaultdict(list)
    for question, share in added.items():
        strata[asked_in[question]].append(share)
    return [np.array(shares) for shares in strata.values()]


def _verdict(difference: float, p: float) -> Verdict:
    if p > LEVEL:
        return Verdict.NOT_DISTINGUISHABLE
    return Verdict.BETTER if difference > 0 else Verdict.WORSE


def _missing(tasks: Iterable[TaskContrast], left_out: Sequence[TaskKey]) -> Iterator[str]:
    if left_out:
        yield f"not compared, for want of common queries: {_listed(map(str, left_out))}"
    for each in tasks:
        if each.only_a or each.only_b:
            yield f"{each.task}: {each.queries} queries are in both, {each.only_a} only in A, {each.only_b} only in B"


def _changed_settings(a: Report, b: Report) -> Iterator[str]:
    """Name the options that differ; of an option that one lacks, `nothing`."""
    ours, theirs = dict(leaves(a.config)), dict(leaves(b.config))
    for name in {**ours, **theirs}:
        if ours.get(name) != theirs.get(name):
            yield f"{name} is {ours.get(name, 'nothing')} in A and {theirs.get(name, 'nothing')} in B"


def _changed_data(a: Report, b: Report, compared: Iterable[TaskKey]) -> Iterator[str]:
    for name in a.revisions:
        if name in b.revisions and a.revisions[name] != b.revisions[name]:
            yield f"the data {name} is {a.revisions[name]} in A and {b.revisions[name]} in B"
    cleaned = [task for task in compared if dict(a.cleaned.get(task, {})) != dict(b.cleaned.get(task, {}))]
    if cleaned:
        yield f"cleaned differently in A and B: {_listed(map(str, cleaned))}"


def leaves(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Give each option of a report or a recipe, nested ones by their path, as JSON."""
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from leaves(item, f"{before}{name}.")
        else:
            yield f"{before}{name}", json.dumps(item, ensure_ascii=False)


def _listed(names: Iterable[str]) -> str:
    first, *rest = [*names]
    shown, more = [first, *rest[: LISTED - 1]], len(rest) - (LISTED - 1)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _tasks(n: int) -> str:
    return f"{n} task" if n == 1 else f"{n} tasks"
