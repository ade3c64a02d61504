"""What others have published, so that a report can be read beside it: tables of ``published.json``, by name.

A table says where its figures stand and under which settings they were measured; what its source does not tell is
``not stated``. Figures are as printed, of 1: what is printed of 100 is divided.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

from eval.report import Report, Row, SystemKey, systems_of

FILE = Path(__file__).with_name("published.json")
NANOBEIR = "nanobeir"
MEAN = "mean"
DIGITS = 6
OTHER_MODES = ("hybrid", "lexical")


@dataclass(frozen=True, slots=True)
class Figure:
    """A published value.

    Attributes:
        table: name of the table it stands in.
        model: whose it is, as the table calls it.
        dataset: ``nanobeir``, ``beir``, …
        task: by the short names of `eval`; ``mean`` of all.
        query_language: ISO 639-1, ``mean`` of the table's languages, or ``not stated``.
        document_language: the same of the documents; both ``mean``: of queries and documents in one language.
        measure: as it is called in rows of a report.
        value: of 1.
    """

    table: str
    model: str
    dataset: str
    task: str
    query_language: str
    document_language: str
    measure: str
    value: float


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of one source.

    Attributes:
        name: what figures call it.
        source: where it was published.
        date: when.
        revisions: of the models' weights, where known.
        data: name and revision of the data set.
        settings: how was measured.
        notes: what else has to be known, such as means that do not follow from their cells.
        figures: its values.
    """

    name: str
    source: str
    date: str
    revisions: Mapping[str, str]
    data: Mapping[str, str]
    settings: Mapping[str, str]
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of a report, and what is published of the same data set, task and languages.

    Attributes:
        system: who answered.
        task: short name; ``mean`` of those that were measured.
        query_language: ISO 639-1; ``mean``, as is the next: of all measured languages, each within itself.
        document_language: the same of the documents.
        value: of the report.
        figures: published ones, of several models.
        warnings: where the settings differ.
    """

    system: SystemKey
    task: str
    query_language: str
    document_language: str
    value: float
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]


@cache
def published() -> tuple[Table, ...]:
    """Read all tables."""
    return tuple(_table(table) for table in _file()["tables"])


def figures_of(**wanted: str) -> tuple[Figure, ...]:
    """Look figures up by their fields; there may be none.

    Example:
        >>> [figure.value for figure in figures_of(model="LFM2-ColBERT-350M", task="arguana", measure="ndcg_at_10")]
        [0.5507]
    """
    every = (figure for table in published() for figure in table.figures)
    return tuple(each for each in every if all(getattr(each, name) == value for name, value in wanted.items()))


def beside(report: Report, *, measure: str = "ndcg_at_10") -> tuple[Beside, ...]:
    """Put published figures beside a report's of NanoBEIR: each task, their mean, and the mean of the languages.

    A published mean stands beside what was measured even if that is over other tasks or languages: a warning says so.
    """
    rows = [row for row in report.rows if row.task.dataset == NANOBEIR and measure in row.figures]
    found = [
        entry
        for system in systems_of(rows)
        for entry in _of_system(report, system, [row for row in rows if row.system == system], measure)
    ]
    return tuple(entry for entry in found if entry.figures)


def _of_system(report: Report, system: SystemKey, rows: Sequence[Row], measure: str) -> Iterator[Beside]:
    by_languages: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_languages[row.task.query_language, row.task.document_language].append(row)

    def entry(task: str, languages: tuple[str, str], value: float, of: Sequence[Row], *more: str) -> Beside:
        figures = figures_of(
            dataset=NANOBEIR, task=task, query_language=languages[0], document_language=languages[1], measure=measure
        )
        return Beside(system, task, *languages, value, figures, (*_warnings(report, of), *more))

    means = {languages: fmean(row.figures[measure] for row in some) for languages, some in by_languages.items()}
    for languages, some in by_languages.items():
        yield from (entry(row.task.task, languages, row.figures[measure], [row]) for row in some)
        yield entry(MEAN, languages, means[languages], some, *_part("tasks", _known_tasks(), _tasks(some)))
    within = [languages for languages in means if languages[0] == languages[1]]
    if len(within) > 1:
        some = [row for languages in within for row in by_languages[languages]]
        in_all = set.intersection(*(_tasks(by_languages[languages]) for languages in within))
        parts = (
            *_part("tasks", _known_tasks(), in_all),
            *_part("languages", _known_languages(), {language for language, _ in within}),
        )
        yield entry(MEAN, (MEAN, MEAN), fmean(means[languages] for languages in within), some, *parts)


def _warnings(report: Report, rows: Iterable[Row]) -> Iterator[str]:
    """Say where a report's settings differ from those of published figures."""
    rows = list(rows)
    mode = rows[0].system.setting.partition(" ")[0]
    if mode in OTHER_MODES:
        yield f"the report's search is {mode}; published figures of models are of the encoder alone"
    if report.config.get("limit"):
        yield f"the report's limit is {report.config['limit']}; published figures are of whole data sets"
    data = _file()["data"]
    for name, revision in report.revisions.items():
        if NANOBEIR in name.lower() and revision.rpartition("@")[2] != data["revision"]:
            yield f"the report's data is {revision}, not {data['name']}@{data['revision']}"
    if any(count for row in rows for count in report.cleaned.get(row.task, {}).values()):
        yield "the report's data were cleaned; whether those of published figures were is not stated"


def _part(what: str, known: set[str], measured: set[str]) -> Iterator[str]:
    if known != measured:
        missing, added = sorted(known - measured), sorted(measured - known)
        parts = [f"without {', '.join(missing)}"] * bool(missing) + [f"with {', '.join(added)}"] * bool(added)
        yield f"the report's mean is over other {what}: {' and '.join(parts)}"


def _tasks(rows: Iterable[Row]) -> set[str]:
    return {row.task.task for row in rows}


def _known_tasks() -> set[str]:
    return {figure.task for figure in figures_of(dataset=NANOBEIR)} - {MEAN}


def _known_languages() -> set[str]:
    """Name the languages of the tables that give a mean of them."""
    return {figure.query_language for figure in figures_of(table="nanobeir-eleven-languages")} - {MEAN}


@cache
def _file() -> Any:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _table(table: Mapping[str, Any]) -> Table:
    return Table(
        name=table["name"],
        source=table["source"],
        date=table["date"],
        revisions=table["revisions"],
        data=table["data"],
        settings=table["settings"],
        notes=tuple(table["notes"]),
        figures=tuple(figure for grid in table["grids"] for figure in _figures(table, grid)),
    )


def _figures(table: Mapping[str, Any], grid: Mapping[str, Any]) -> Iterator[Figure]:
    """Name each cell by its row, its column and what holds for the whole grid."""
    axes = [
        [_named(axis, label) for axis, labels in grid[side].items() for label in labels] for side in ("rows", "columns")
    ]
    cells = [cell for row in grid["cells"] for cell in row]
    for (row, column), cell in zip(product(*axes), cells, strict=True):
        if cell is not None:
            names = {"measure": table["measure"]} | grid["fixed"] | row | column
            yield Figure(table=table["name"], value=round(cell / grid["scale"], DIGITS), **names)


def _named(axis: str, label: str) -> dict[str, str]:
    return {"query_language": label, "document_language": label} if axis == "language" else {axis: label}
