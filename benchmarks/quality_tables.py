"""Tables of quality: languages, sets, and the matrices of queries in one language over documents in another.

nDCG@10 of 100. A row of results is a task by a system; of ours there are two settings, `semantic` and `hybrid`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results_file import Results
from eval.systems import OURS

Row = Mapping[str, Any]
Table = Callable[[Results], str]
Asked = tuple[str, str, str]
"""A task: set, language of the queries, language of the documents."""

FAR = "flores-continuation"
SYSTEMS = {
    "hybrid": ("lfm2-colbert", "hybrid"),
    "semantic": ("lfm2-colbert", "semantic"),
    "exact MaxSim": ("oracle", ""),
    "bm25": ("bm25", ""),
    "nano-0": ("nano-0", "semantic"),
}
"""Column → system, and how its setting begins."""
WAYS_OF_TEACHER = ("one vector", "MaxSim")
TEACHER = [f"teacher, {way}" for way in WAYS_OF_TEACHER]
BESIDE_TEACHER = ("semantic", "nano-0", "bm25")


def languages(results: Results) -> str:
    """One line a language: means over the sets that are asked in their own language."""
    own = [row for row in results.rows if row["query_language"] == row["document_language"]]
    lines = []
    for language in sorted({row["document_language"] for row in own}):
        found = [row for row in own if row["document_language"] == language]
        sets = sorted({row["dataset"] for row in _of(found, "semantic")})  # of all systems, or means are of other sets
        rows = [row for row in found if row["dataset"] in sets]
        if not sets:
            continue
        values = [*(_mean(_of(rows, column)) for column in SYSTEMS), _mean(_of(rows, "semantic"), "recall_at_100")]
        lines.append([language, ", ".join(sets), *map(_points, values)])
    return markdown(["language", "sets", *SYSTEMS, "semantic, R@100"], lines)


def sets(results: Results) -> str:
    """One line a set and language that is asked in itself, with the interval of our semantic search."""
    own = [row for row in results.rows if row["query_language"] == row["document_language"]]
    lines = []
    for dataset, language in sorted({(row["dataset"], row["document_language"]) for row in own}):
        rows = [row for row in own if (row["dataset"], row["document_language"]) == (dataset, language)]
        found = {column: next(iter(_of(rows, column)), None) for column in SYSTEMS}
        semantic = found["semantic"]
        if semantic is None:
            continue
        lines.append(
            [
                dataset,
                language,
                *(_points(row["ndcg_at_10"] if row else None) for row in found.values()),
                f"{_points(semantic['ndcg_low'])} to {_points(semantic['ndcg_high'])}",
                f"{100 * semantic['exact_difference']:+.2f}",
                f"{semantic['queries']:,}",
                f"{semantic['passages']:,}",
                f"{semantic['disk_bytes_per_token']:.0f}",
            ]
        )
    head = ["set", "language", *SYSTEMS, "semantic, 95 %", "to exact", "queries", "passages", "bytes a token"]
    return markdown(head, lines)


def far(results: Results, of_teacher: Results) -> str:
    """One line a pair of languages that are far apart, of FLORES-continuation."""
    pairs = sorted(task for task in _tasks(results.rows) if task[0] == FAR and not _asked_in_itself(task))
    lines = []
    for _, asked, searched in pairs:
        own, teachers = (_of_tasks(each.rows, {(FAR, asked, searched)}) for each in (results, of_teacher))
        figures = [*(_mean(_of(own, column)) for column in SYSTEMS), *_of_ways(teachers)]
        lines.append([f"{asked} → {searched}", *map(_points, figures)])
    return markdown(["query → documents", *SYSTEMS, *TEACHER], lines) if lines else "Not measured."


def teacher(results: Results, of_teacher: Results) -> str:
    """One line a set and language that is asked in itself, and one for all pairs of languages of a set."""
    measured = _tasks(of_teacher.rows)
    lines = []
    for dataset, language in sorted({(task[0], _asked_in_itself(task)) for task in measured}):
        tasks = {task for task in measured if (task[0], _asked_in_itself(task)) == (dataset, language)}
        own, teachers = (_of_tasks(each.rows, tasks) for each in (results, of_teacher))
        figures = [*(_mean_of_all(_of(own, column), tasks) for column in BESIDE_TEACHER), *_of_ways(teachers)]
        lines.append([dataset, language or f"{len(tasks)} pairs", *map(_points, figures)])
    return markdown(["set", "language", *BESIDE_TEACHER, *TEACHER], lines)


def matrix(dataset: str, system: str = "semantic") -> Table:
    """Make the table of a set's matrix: a line a language of the queries, or of the documents if these are more."""

    def table(results: Results) -> str:
        cells = {
            (row["query_language"], row["document_language"]): row["ndcg_at_10"]
            for row in _of([row for row in results.rows if row["dataset"] == dataset], system)
        }
        if not cells:
            return f"{dataset} was not measured."
        asked, searched = (sorted({pair[side] for pair in cells}) for side in (0, 1))
        if len(searched) > len(asked):
            lines = [_line(of, [cells.get((q, of)) for q in asked]) for of in searched]
            return markdown(["documents", *(f"asked in {q}" for q in asked), "mean"], lines)
        lines = [_line(q, [cells.get((q, of)) for of in searched]) for q in asked]
        columns = [mean(value for (_, of), value in cells.items() if of == language) for language in searched]
        lines.append(["mean", *map(_points, columns), _points(mean(cells.values()))])
        return markdown(["query \\ documents", *searched, "mean"], lines)

    return table


def prices(results: Results) -> str:
    """One line an index: what a passage and a query cost, and what is found; where effort differs, a line each."""
    keys = ("codec", "pool", "effort")
    own = [row for row in results.rows if row["system"] == OURS]
    lines = []
    for setting in dict.fromkeys(tuple(row[key] for key in keys) for row in own):
        modes = {row["mode"]: row for row in own if tuple(row[key] for key in keys) == setting}
        semantic, hybrid = modes["semantic"], modes["hybrid"]
        figures = [f"{semantic['bytes_per_passage']:,.0f}", f"{hybrid['cpu_ms_per_query']:.1f}"]
        found = [_points(each["ndcg_at_10"]) for each in (semantic, hybrid)]
        lines.append([*map(str, setting), *figures, *found])
    for row in results.rows:
        if row["system"] != OURS:
            cost = [f"{row['bytes_per_passage']:,.0f}", f"{row['cpu_ms_per_query']:.1f}"]
            lines.append([f"{row['system']}, one vector", "", "", *cost, _points(row["ndcg_at_10"]), ""])
    head = ["codec", "vectors that became one", "effort", "bytes per passage", "CPU ms per query", "semantic", "hybrid"]
    return markdown(head, lines)


def _tasks(rows: Iterable[Row]) -> set[Asked]:
    return {(row["dataset"], row["query_language"], row["document_language"]) for row in rows}


def _of_tasks(rows: Iterable[Row], tasks: set[Asked]) -> list[Row]:
    return [row for row in rows if _tasks([row]) <= tasks]


def _of_ways(rows: Sequence[Row]) -> list[float | None]:
    return [_mean([row for row in rows if row["way"] == way]) for way in WAYS_OF_TEACHER]


def _mean_of_all(rows: Sequence[Row], tasks: set[Asked]) -> float | None:
    """Give no mean of some of the tasks beside others' of all."""
    return _mean(rows) if _tasks(rows) == tasks else None


def _asked_in_itself(task: Asked) -> str:
    """Give the language of documents that are asked in it, and nothing where they are asked in another."""
    _, asked, searched = task
    return searched if asked == searched else ""


def _line(name: str, values: Sequence[float | None]) -> list[str]:
    return [name, *map(_points, values), _points(mean(value for value in values if value is not None))]


def _of(rows: Iterable[Row], column: str) -> list[Row]:
    system, setting = SYSTEMS[column]
    return [row for row in rows if row["system"] == system and row["setting"].startswith(setting)]


def _mean(rows: Sequence[Row], figure: str = "ndcg_at_10") -> float | None:
    return mean(row[figure] for row in rows) if rows else None


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
