"""Planted differences are found, equal systems are not told apart, and nothing is left out in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from eval.compare import Comparison, Verdict, compare
from eval.machine import Machine
from eval.report import Report, Row, SystemKey, TaskKey, Values
from lfm2_colbert.errors import InvalidArgumentError, UnknownNameError

SEMANTIC, HYBRID = SystemKey("lfm2-colbert", "semantic balanced"), SystemKey("lfm2-colbert", "hybrid balanced")
WORDS = SystemKey("bm25", "k1=0.9 b=0.4")
TASKS = [TaskKey("nanobeir", name, "en", "en") for name in ("arguana", "fiqa2018", "nq", "scidocs", "scifact")]
LANGUAGES = [TaskKey("belebele", "monolingual", language, language) for language in ("ar", "de", "ja", "ko")]
PLANTED = 0.1

PerTask = Mapping[TaskKey, Sequence[float]]


def report(systems: Mapping[SystemKey, PerTask], **changed: object) -> Report:
    """Write a report whose queries are ``q0``, ``q1``, …"""
    rows, per_query = [], dict[tuple[TaskKey, SystemKey], Values]()
    for system, tasks in systems.items():
        for task, values in tasks.items():
            rows.append(Row(task, system, len(values), 100, {"ndcg_at_10": float(np.mean(values))}))
            per_query[task, system] = {"ndcg_at_10": {f"q{i}": float(value) for i, value in enumerate(values)}}
    whole = Report(
        commit="", created="2026-11-26T08:00:00+00:00", command="", machine=Machine("", 2, 24, ()), versions={},
        seed=7, config={"model": "nano", "k": 100}, rows=tuple(rows), cleaned={}, revisions={"nanobeir": "1"},
        warnings=(), per_query=per_query, examples=(),
    )  # fmt: skip
    return replace(whole, **changed)  # type: ignore[arg-type]


def drawn(tasks: Sequence[TaskKey], n: int = 50, seed: int = 0) -> dict[TaskKey, Sequence[float]]:
    rng = np.random.default_rng(seed)
    return {task: rng.random(n).tolist() for task in tasks}


def noisy(tasks: PerTask, gains: Mapping[TaskKey, float], seed: int = 1) -> dict[TaskKey, Sequence[float]]:
    rng = np.random.default_rng(seed)
    return {
        task: (np.array(values) + 0.1 * rng.standard_normal(len(values)) + gains.get(task, 0.0)).tolist()
        for task, values in tasks.items()
    }


def verdicts(comparison: Comparison) -> list[Verdict]:
    return [each.contrast.verdict for each in comparison.tasks]


def test_a_planted_drop_is_worse_and_the_other_tasks_are_not() -> None:
    values = drawn(TASKS)
    found = compare(report({SEMANTIC: values}), report({SEMANTIC: noisy(values, {TASKS[2]: -PLANTED})}))
    same = Verdict.NOT_DISTINGUISHABLE
    assert verdicts(found) == [same, same, Verdict.WORSE, same, same]
    assert found.tasks[2].contrast.low < -PLANTED < found.tasks[2].contrast.high < 0
    assert found.regressed


def test_a_drop_on_all_tasks_is_found_on_the_mean_before_it_is_on_any() -> None:
    values = drawn(TASKS, n=30)
    found = compare(report({SEMANTIC: values}), report({SEMANTIC: noisy(values, dict.fromkeys(TASKS, -0.025), seed=2)}))
    assert set(verdicts(found)) == {Verdict.NOT_DISTINGUISHABLE}
    assert found.mean.verdict is Verdict.WORSE
    assert found.regressed


def test_swapping_makes_worse_better() -> None:
    values = drawn(TASKS)
    a, b = report({SEMANTIC: values}), report({SEMANTIC: noisy(values, {TASKS[2]: -PLANTED})})
    there, back = compare(a, b), compare(b, a)
    assert back.tasks[2].contrast.verdict is Verdict.BETTER
    assert back.mean.difference == pytest.approx(-there.mean.difference)
    assert (back.mean.low, back.mean.high) == pytest.approx((-there.mean.high, -there.mean.low))
    assert [each.contrast.p for each in back.tasks] == [each.contrast.p for each in there.tasks]


def test_a_report_equals_itself() -> None:
    whole = report({SEMANTIC: drawn(TASKS)})
    found = compare(whole, whole)
    assert set(verdicts(found)) == {found.mean.verdict} == {Verdict.NOT_DISTINGUISHABLE}
    assert (found.mean.difference, found.mean.low, found.mean.high, found.mean.p) == (0, 0, 0, 1)
    assert found.warnings == ()
    assert not found.regressed


def test_the_same_seed_gives_the_same_figures() -> None:
    values = drawn(TASKS)
    a, b = report({SEMANTIC: values}), report({SEMANTIC: noisy(values, {})})
    assert compare(a, b, seed=3) == compare(a, b, seed=3)
    assert compare(a, b, seed=3).mean != compare(a, b, seed=4).mean


def test_means_are_those_of_the_values_and_each_task_counts_the_same() -> None:
    small, large = TASKS[:2]
    a, b = (
        report({SEMANTIC: {small: [0.2, 0.4], large: [0.5] * 9}}),
        report({SEMANTIC: {small: [1, 1], large: [0] * 9}}),
    )
    mean = compare(a, b).mean
    assert (mean.a, mean.b, mean.difference) == pytest.approx((0.4, 0.5, 0.1))


def share_of_false_alarms(tasks: Sequence[TaskKey], pairs: Mapping[TaskKey, np.ndarray], turned: str) -> int:
    """Count in 400 reports how often equal systems are told apart: each pair's values are swapped by a coin."""
    alarms = 0
    for run in range(400):
        rng = np.random.default_rng(run)
        one = rng.integers(0, 2, len(pairs[tasks[0]]))
        coins = {task: one if turned == "together" else rng.integers(0, 2, len(pairs[task])) for task in tasks}
        rows = {task: np.arange(len(pairs[task])) for task in tasks}
        a, b = (
            report({SEMANTIC: {task: pairs[task][rows[task], side ^ coins[task]].tolist() for task in tasks}})
            for side in (0, 1)
        )
        alarms += compare(a, b, seed=run, samples=199).mean.verdict is not Verdict.NOT_DISTINGUISHABLE
    return alarms


WITHIN_CHANCE = (stats.binom.ppf(0.001, 400, 0.05), stats.binom.ppf(0.999, 400, 0.05))


def test_equal_systems_are_told_apart_one_time_in_twenty() -> None:
    pairs = {task: np.random.default_rng(n).random((20, 2)) for n, task in enumerate(TASKS[:3])}
    assert WITHIN_CHANCE[0] <= share_of_false_alarms(TASKS[:3], pairs, "apart") <= WITHIN_CHANCE[1]


def test_questions_asked_in_several_languages_are_no_more_questions() -> None:
    # One question, four languages, the same luck in each: drawn task by task, 0.05 would be about 0.3.
    base = np.random.default_rng(5).random((20, 2))
    pairs = dict.fromkeys(LANGUAGES, base)
    assert WITHIN_CHANCE[0] <= share_of_false_alarms(LANGUAGES, pairs, "together") <= WITHIN_CHANCE[1]


def test_the_same_questions_in_more_languages_are_as_certain_as_in_one() -> None:
    values, gains = drawn(LANGUAGES[:1], n=40)[LANGUAGES[0]], dict.fromkeys(LANGUAGES[:1], 0.02)
    changed = noisy({LANGUAGES[0]: values}, gains)[LANGUAGES[0]]
    one = compare(report({SEMANTIC: {LANGUAGES[0]: values}}), report({SEMANTIC: {LANGUAGES[0]: changed}}))
    four = compare(
        report({SEMANTIC: dict.fromkeys(LANGUAGES, values)}), report({SEMANTIC: dict.fromkeys(LANGUAGES, changed)})
    )
    assert (four.mean.low, four.mean.high) == pytest.approx((one.mean.low, one.mean.high))
    assert four.mean.p == pytest.approx(one.mean.p)


def test_tasks_with_questions_of_their_own_are_more_certain_together() -> None:
    values = drawn(TASKS, n=40)
    a, b = report({SEMANTIC: values}), report({SEMANTIC: noisy(values, dict.fromkeys(TASKS, 0.02))})
    found = compare(a, b)
    widths = [each.contrast.high - each.contrast.low for each in found.tasks]
    expected = float(np.sqrt(np.sum(np.square(widths)))) / len(TASKS)  # variances of independent means add up
    assert found.mean.high - found.mean.low == pytest.approx(expected, rel=0.05)


def test_queries_of_one_report_only_are_counted_and_told() -> None:
    a = report({SEMANTIC: {TASKS[0]: [0.5, 0.5, 0.0]}})
    b = report({SEMANTIC: {TASKS[0]: [0.5, 0.5]}})
    found = compare(a, b)
    (task,) = found.tasks
    assert (task.queries, task.only_a, task.only_b) == (2, 1, 0)
    assert task.contrast.a == 0.5
    assert found.warnings == ("nanobeir-arguana-en-en: 2 queries are in both, 1 only in A, 0 only in B",)


def test_tasks_of_one_report_only_are_named() -> None:
    values = drawn(TASKS)
    found = compare(report({SEMANTIC: values}), report({SEMANTIC: {TASKS[0]: values[TASKS[0]]}}))
    assert found.left_out == tuple(TASKS[1:])
    assert found.warnings[0].startswith("not compared, for want of common queries: nanobeir-fiqa2018-en-en, ")


def test_changed_settings_and_data_are_told() -> None:
    values = {SEMANTIC: drawn(TASKS[:1])}
    a = report(values, config={"model": "nano", "k": 100, "built": {"pool": 1}})
    b = report(
        values, config={"model": "other", "k": 100, "built": {"pool": 2}, "limit": 10},
        revisions={"nanobeir": "2"}, cleaned={TASKS[0]: {"empty documents": 1}},
    )  # fmt: skip
    assert compare(a, b).warnings == (
        'model is "nano" in A and "other" in B',
        "built.pool is 1 in A and 2 in B",
        "limit is nothing in A and 10 in B",
        "the data nanobeir is 1 in A and 2 in B",
        "cleaned differently in A and B: nanobeir-arguana-en-en",
    )


def test_two_systems_of_one_report_are_compared_by_name() -> None:
    values = drawn(TASKS)
    whole = report({SEMANTIC: values, HYBRID: values, WORDS: noisy(values, dict.fromkeys(TASKS, -PLANTED))})
    found = compare(whole, whole, systems=("lfm2-colbert semantic balanced", "bm25"))
    assert (found.system_a, found.system_b) == (SEMANTIC, WORDS)
    assert set(verdicts(found)) == {Verdict.WORSE}


def test_without_names_the_first_setting_of_both_is_taken() -> None:
    values = drawn(TASKS)
    a, b = report({WORDS: values, HYBRID: values, SEMANTIC: values}), report({SEMANTIC: values, WORDS: values})
    found = compare(a, b)
    assert (found.system_a, found.system_b) == (SEMANTIC, SEMANTIC)
    apart = compare(report({WORDS: values, HYBRID: values}), b)
    assert (apart.system_a, apart.system_b) == (HYBRID, SEMANTIC)
    words = compare(report({WORDS: values}), report({WORDS: values}))
    assert (words.system_a, words.system_b) == (WORDS, WORDS)


def test_names_that_are_unknown_or_have_several_settings_say_what_there_is() -> None:
    whole = report({SEMANTIC: drawn(TASKS), HYBRID: drawn(TASKS)})
    with pytest.raises(InvalidArgumentError, match="'lfm2-colbert' has 2 settings") as several:
        compare(whole, whole, systems=("lfm2-colbert", "lfm2-colbert"))
    assert "'lfm2-colbert hybrid balanced'" in several.value.help
    with pytest.raises(UnknownNameError) as unknown:
        compare(whole, whole, systems=("lfm2-colbert semantc balanced", "bm25"))
    assert "did you mean 'lfm2-colbert semantic balanced'" in unknown.value.help
    with pytest.raises(UnknownNameError) as measure:
        compare(whole, whole, measure="ndcg_at_1")
    assert "did you mean 'ndcg_at_10'" in measure.value.help


def test_reports_of_other_tasks_or_without_rows_are_refused() -> None:
    a, b = report({SEMANTIC: drawn(TASKS[:1])}), report({SEMANTIC: drawn(TASKS[1:2])})
    with pytest.raises(InvalidArgumentError, match="no task with a common query: nanobeir-arguana-en-en, "):
        compare(a, b)
    with pytest.raises(InvalidArgumentError, match="no rows"):
        compare(a, report({}))


def test_the_sentence_sums_up() -> None:
    values = drawn(TASKS)
    a, b = report({SEMANTIC: values}), report({SEMANTIC: noisy(values, {TASKS[2]: -PLANTED})})
    found = compare(a, b)
    assert found.sentence.startswith("B is worse on 1 task, not distinguishable on 4 tasks. On the mean B - A = -0.0")
    one = compare(report({SEMANTIC: {TASKS[0]: [0.5, 1.0]}}), report({SEMANTIC: {TASKS[0]: [0.5, 1.0]}}))
    assert one.sentence == "B is not distinguishable on 1 task."
