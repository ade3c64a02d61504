"""A report on the terminal: a block for each task and each mean, then matrix, language bias and published figures.

All is laid out for 80 columns; figures are of 100, as in papers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from service.cli.output import print_line, print_table

if TYPE_CHECKING:
    from eval.published import Beside
    from eval.report import Report, Row, SystemKey, TaskKey
    from eval.significance import Interval
    from eval.tables import Group

HEAD = ("nDCG@10 [95 %]", "R@100", "to exact", "ms", "B/token")
UNTOLD = "und"
MOST_WARNINGS = 10
MOST_PAIRS = 24
PAIRS_ACROSS = 8
"""Columns of published figures that stand beside each other."""

Line = tuple[str, ...]


def show(report: "Report") -> None:
    """Print what was found."""
    print_table(_blocks(report), right=range(2, len(HEAD) + 1))
    _show_matrix(report)
    _show_language_bias(report)
    _show_published(report)


def show_warnings(warnings: Sequence[str], rest: str) -> None:
    """Print warnings, the first of many, and where the rest is."""
    for warning in warnings[:MOST_WARNINGS]:
        print_line(f"warning: {warning}", err=True)
    if len(warnings) > MOST_WARNINGS:
        print_line(f"warning: … and {len(warnings) - MOST_WARNINGS} more: {rest}", err=True)


def short_names(systems: "Iterable[SystemKey]") -> "dict[SystemKey, str]":
    """Name systems by no more than tells them apart: a setting only where a name has several, and then its beginning.

    Example:
        >>> from eval.report import SystemKey
        >>> list(short_names([SystemKey("ours", "hybrid fast"), SystemKey("bm25", "k1=0.9 b=0.4")]).values())
        ['ours', 'bm25']
    """
    known = list(dict.fromkeys(systems))
    names = {}
    for key in known:
        settings = [each.setting.split() for each in known if each.system == key.system and each != key]
        words = key.setting.split()
        needed = next((n for n in range(len(words)) if words[:n] not in [each[:n] for each in settings]), len(words))
        names[key] = " ".join([key.system, *words[:needed]])
    return names


def titles(tasks: "Sequence[TaskKey]") -> "dict[TaskKey, str]":
    """Name tasks inside their data set, where there is one only."""
    from eval.tables import task_name

    one_set = len({task.dataset for task in tasks}) == 1
    return {task: task_name(task) if one_set else f"{task.dataset} {task_name(task)}" for task in tasks}


def _blocks(report: "Report") -> Iterator[Line]:
    from eval.summary import n_queries, own_first, tasks_of
    from eval.tables import groups

    systems = own_first(report.rows)
    names = short_names(systems)
    datasets = dict.fromkeys(row.task.dataset for row in report.rows)
    yield (next(iter(datasets)) if len(datasets) == 1 else "task", *HEAD)
    for task, title in titles(tasks_of(report.rows)).items():
        rows = {row.system: row for row in report.rows if row.task == task}
        yield (_title(title, next(iter(rows.values())).queries),)
        yield from (_line(names[system], rows[system]) for system in systems if system in rows)
    found = groups(report.rows)
    for group in found:
        n_tasks = len(tasks_of(group.rows))
        if n_tasks > 1:
            yield (_title(f"mean of {n_tasks} tasks, {_kind(group, whole=len(datasets) > 1)}", n_queries(group.rows)),)
            yield from _means(report, names, group.rows)
    if len(found) > 1:
        yield (_title(f"mean of all {len(tasks_of(report.rows))} tasks", n_queries(report.rows)),)
        yield from _means(report, names, report.rows)


def _kind(group: "Group", *, whole: bool) -> str:
    return group.name if whole else group.name.removeprefix(f"{group.rows[0].task.dataset}, ")


def _title(what: str, n_queries: int) -> str:
    queries = f"{n_queries:,} {'query' if n_queries == 1 else 'queries'}"
    return queries if what == UNTOLD else f"{what}, {queries}"


def _line(name: str, row: "Row") -> Line:
    from eval.tables import ndcg_interval

    figures = row.figures
    return (
        f"  {name}",
        _value(figures["ndcg_at_10"], ndcg_interval(row)),
        f"{100 * figures['recall_at_100']:.1f}",
        f"{100 * figures['exact_difference']:+.1f}" if "exact_difference" in figures else "",
        f"{figures['search_ms_p50']:.1f}" if "search_ms_p50" in figures else "",
        f"{figures['disk_bytes_per_token']:.0f}" if "disk_bytes_per_token" in figures else "",
    )


def _means(report: "Report", names: "dict[SystemKey, str]", rows: "Sequence[Row]") -> Iterator[Line]:
    from eval.summary import mean, mean_of, measured

    for system, name in names.items():
        found = mean_of(report, system, rows)
        if found is None:
            continue
        of = {
            figure: mean(row.figures[figure] for row in measured(rows, system, figure))
            for figure in ("recall_at_100", "exact_difference")
        }
        recall, lost = of["recall_at_100"], of["exact_difference"]
        yield (
            f"  {name}",
            _value(found.value, found.interval),
            "" if recall is None else f"{100 * recall:.1f}",
            "" if lost is None else f"{100 * lost:+.1f}",
            "",
            "",
        )


def _value(value: float, interval: "Interval | None") -> str:
    shown = f"{100 * value:5.1f}"
    return f"{shown} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]" if interval else shown


def _show_matrix(report: "Report") -> None:
    """Print nDCG@10 of the first system in all pairs of languages, where some were asked across."""
    from eval.summary import matrix, own_first

    if all(row.task.query_language == row.task.document_language for row in report.rows):
        return
    systems = own_first(report.rows)
    found = matrix(report.rows, systems[0])
    print_line()
    print_line(f"nDCG@10 of {short_names(systems)[systems[0]]}: queries down, documents across")
    lines = [
        (asked, *(_points(found.cells.get((asked, each))) for each in found.document_languages),
         _points(found.of_queries(asked)))
        for asked in found.query_languages
    ]  # fmt: skip
    means = ("mean", *(_points(found.of_documents(each)) for each in found.document_languages), "")
    print_table([("", *found.document_languages, "mean"), *lines, means], right=range(1, len(means)))


def _show_language_bias(report: "Report") -> None:
    """Print which languages are found for questions of each, means over the pools."""
    from eval.summary import mean

    shares = report.language_bias
    if not shares:
        return
    pools = len({share.dataset for share in shares})
    asked, searched = (
        sorted({getattr(share, f"{side}_language") for share in shares}) for side in ("query", "document")
    )
    print_line()
    print_line(
        f"of the ten best in a pool of all languages, % in each{f'; mean of {pools} pools' if pools > 1 else ''}"
    )
    print_line(
        f"{shares[0].setting}; without preference {100 * shares[0].expected:.1f}; queries down, documents across"
    )
    lines = [
        (language, *(
            _points(mean(each.share for each in shares if (each.query_language, each.document_language) == pair))
            for pair in ((language, found) for found in searched)
        ))
        for language in asked
    ]  # fmt: skip
    print_table([("", *searched), *lines], right=range(1, len(searched) + 1))


def _show_published(report: "Report") -> None:
    """Print what others have published of the same means, and how their settings differ."""
    from eval.published import MEAN, beside
    from eval.summary import own_first

    systems = own_first(report.rows)
    found = [entry for entry in beside(report) if entry.task == MEAN and entry.system == systems[0]]
    here = f"here: {short_names(systems)[systems[0]]}"
    for start in range(0, min(len(found), MOST_PAIRS), PAIRS_ACROSS):
        print_line()
        print_table(
            _published(found[start : min(start + PAIRS_ACROSS, MOST_PAIRS)], here), right=range(1, PAIRS_ACROSS + 1)
        )
    if len(found) > MOST_PAIRS:
        print_line(f"… {len(found) - MOST_PAIRS} more pairs of languages stand in the report")
    show_warnings(list(dict.fromkeys(warning for entry in found for warning in entry.warnings)), "in the report")


def _published(entries: "Sequence[Beside]", here: str) -> Iterator[Line]:
    values = [{figure.model: figure.value for figure in entry.figures} for entry in entries]
    yield ("published means of nDCG@10", *map(_pair, entries))
    for model in dict.fromkeys(model for each in values for model in each):
        yield (model, *(_points(each.get(model)) for each in values))
    yield (here, *(_points(entry.value) for entry in entries))


def _pair(entry: "Beside") -> str:
    asked, searched = entry.query_language, entry.document_language
    return searched if asked == searched else f"{asked}→{searched}"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
