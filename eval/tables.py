"""Tables of the page of an evaluation: figures shown of 100 with one decimal, what was not measured as a dash."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from xml.etree.ElementTree import Element

from eval.charts import bar, mark
from eval.markup import Content, element
from eval.report import LanguageShare, Report, Row, SystemKey, TaskKey
from eval.significance import Interval
from eval.summary import KINDS, NDCG, Matrix, Mean, mean_of, measured, own_first, tasks_of

ABSENT = "–"
SHADES = 10
"""A heat map has so many colours."""
LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Rows shown together: a data set in a language, or a kind of a data set's tasks."""

    name: str
    rows: tuple[Row, ...]


def points(value: float | None) -> str:
    """Show a share of 1 as points of 100."""
    return number(None if value is None else 100 * value)


def signed(value: float | None) -> str:
    """Show a difference of shares as points, with its sign."""
    if value is None or not isfinite(value):
        return ABSENT
    shown = f"{100 * value:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "\N{MINUS SIGN}")


def number(value: float | None) -> str:
    """Show a number with one decimal."""
    return ABSENT if value is None or not isfinite(value) else f"{value:,.1f}".replace("-", "\N{MINUS SIGN}")


def count(value: float | None) -> str:
    """Show a number of things."""
    return ABSENT if value is None or not isfinite(value) else f"{value:,.0f}"


def between(interval: Interval | None, show: Callable[[float | None], str] = points) -> str:
    """Show an interval."""
    return ABSENT if interval is None else f"{show(interval.low)} to {show(interval.high)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure of a row is headed and shown."""

    heading: str
    show: Callable[[float | None], str]


FIGURES: Mapping[str, Figure] = {
    "ndcg_at_10": Figure("nDCG@10", points),
    "ndcg_low": Figure("95 % from", points),
    "ndcg_high": Figure("to", points),
    "exact_difference": Figure("served − exact", signed),
    "exact_low": Figure("95 % from", signed),
    "exact_high": Figure("to", signed),
    "recall_at_100": Figure("R@100", points),
    "mrr_at_10": Figure("MRR@10", points),
    "map_at_100": Figure("MAP@100", points),
    "success_at_1": Figure("Success@1", points),
    "success_at_5": Figure("Success@5", points),
    "truncated": Figure("passages cut", count),
    "encode_s": Figure("encoding, s", number),
    "encode_docs_per_s": Figure("documents/s", number),
    "encode_ms_p50": Figure("query encoding, ms p50", number),
    "encode_ms_p95": Figure("p95", number),
    "search_ms_p50": Figure("search, ms p50", number),
    "search_ms_p95": Figure("p95", number),
    "disk_bytes_per_token": Figure("bytes/token", number),
}
"""In the order of columns; a figure that is not here is shown under its own name."""


def groups(rows: Iterable[Row]) -> list[Group]:
    """Put rows together: tasks with a name by their languages, other data sets by kind."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        kind = row.task.task if row.task.task in KINDS else pair(row.task)
        found.setdefault(f"{row.task.dataset}, {kind}", []).append(row)
    return [Group(name, tuple(members)) for name, members in found.items()]


def pair(task: TaskKey) -> str:
    """Name the languages of a task."""
    asked, searched = task.query_language, task.document_language
    return searched if asked == searched else f"{asked} → {searched}"


def task_name(task: TaskKey) -> str:
    """Name a task inside its data set."""
    return pair(task) if task.task in KINDS else f"{task.task}, {pair(task)}"


def table(caption: Content, head: Sequence[Content], bodies: Iterable[Element], **attributes: str) -> Element:
    """Lay out a table that scrolls by itself where it is wider than the page."""
    headings = element("thead", element("tr", [element("th", each, scope="col") for each in head]))
    made = element("table", element("caption", element("span", caption)), headings, bodies, **attributes)
    label = "".join(made[0].itertext())
    return element("div", made, class_="scroll", role="region", tabindex=0, aria_label=label)


def line(heading: Content, cells: Iterable[Content]) -> Element:
    """Lay out a row: what it is of, and its figures."""
    return element("tr", element("th", heading, scope="row"), [element("td", each, class_="n") for each in cells])


def system_name(system: SystemKey, look: int) -> list[Content]:
    """Name a system beside its mark."""
    return [mark(look), " ", element("span", system.system), " ", element("span", system.setting, class_="setting")]


def bars(report: Report, group: Group, systems: Sequence[SystemKey]) -> Element:
    """Show nDCG@10 of a group's tasks as bars, first their mean, where there are several."""
    tasks = tasks_of(group.rows)
    means = [
        _bar_line(system, look, found.value, found.interval)
        for look, system in enumerate(systems)
        if len(tasks) > 1 and (found := mean_of(report, system, group.rows))
    ]
    bodies = [_bar_body(f"mean of {len(tasks)} tasks", means)] if means else []
    for task in tasks:
        own = [row for row in group.rows if row.task == task]
        lines = [
            _bar_line(system, look, row.figures[NDCG], ndcg_interval(row))
            for look, system in enumerate(systems)
            for row in measured(own, system)
        ]
        detail = f"{count(own[0].queries)} queries, {count(own[0].passages)} passages"
        bodies.append(_bar_body(task_name(task), lines, detail))
    caption = f"nDCG@10 of {group.name}"
    return table(caption, ["system", "of 100, with 95 % interval", "nDCG@10", "95 %"], bodies, class_="bars")


def figures(rows: Sequence[Row], shown: Sequence[str], caption: str) -> Element:
    """Show everything that was measured of some rows, task by task."""
    tasks, systems = tasks_of(rows), own_first(rows)
    ordered = sorted(rows, key=lambda row: (tasks.index(row.task), systems.index(row.system)))
    head = ["task", "system", "queries", "passages", *(_figure(name).heading for name in shown)]
    lines = [
        line(
            task_name(row.task),
            [
                str(row.system),
                count(row.queries),
                count(row.passages),
                *(_figure(name).show(row.figures.get(name)) for name in shown),
            ],
        )
        for row in ordered
    ]
    return table(caption, head, [element("tbody", lines)], class_="figures named")


def measured_figures(rows: Iterable[Row]) -> list[str]:
    """List the figures that any row has, known ones first."""
    found = {name for row in rows for name in row.figures}
    return [name for name in FIGURES if name in found] + sorted(found - FIGURES.keys())


def heat_map(matrix: Matrix, caption: Content, scale: Interval) -> Element:
    """Show languages of queries (rows) over those of documents (columns), darker where more is found."""
    head: list[Content] = [
        element("span", "query ↓ document →", class_="corner"),
        *map(language, matrix.document_languages),
        "mean",
    ]
    lines = [
        element(
            "tr",
            element("th", language(asked), scope="row"),
            [_heat(matrix.cells.get((asked, searched)), scale) for searched in matrix.document_languages],
            element("td", points(matrix.of_queries(asked)), class_="n mean"),
        )
        for asked in matrix.query_languages
    ]
    means = [
        element("td", points(matrix.of_documents(searched)), class_="n mean") for searched in matrix.document_languages
    ]
    foot = element("tr", element("th", "mean", scope="row"), means, element("td", class_="n mean"))
    return table(caption, head, [element("tbody", lines), element("tfoot", foot)], class_="heat")


def language_shares(shares: Sequence[LanguageShare], caption: str) -> Element:
    """Show which languages are found where all documents are there in each: a row for each language of queries."""
    searched = sorted({share.document_language for share in shares})
    found = {(share.query_language, share.document_language): share for share in shares}
    lines = [
        line(language(asked), [_share(found.get((asked, each))) for each in searched])
        for asked in sorted({share.query_language for share in shares})
    ]
    head: list[Content] = [element("span", "query ↓ document →", class_="corner"), *map(language, searched)]
    return table(caption, head, [element("tbody", lines)], class_="figures")


def language(code: str) -> Element:
    """Write a language's code, its name where one points at it."""
    return element("abbr", code, title=LANGUAGES[code]) if code in LANGUAGES else element("span", code)


def ndcg_interval(row: Row) -> Interval | None:
    """Give the interval of a row, where it was measured."""
    if not {"ndcg_low", "ndcg_high"} <= row.figures.keys():
        return None
    return Interval(row.figures["ndcg_low"], row.figures["ndcg_high"])


def mean_cells(found: Mean | None, show: Callable[[float | None], str] = points) -> list[Content]:
    """Show a mean and its interval in two cells."""
    return [show(found.value), between(found.interval, show)] if found else [ABSENT, ABSENT]


def _figure(name: str) -> Figure:
    return FIGURES.get(name, Figure(name, lambda value: ABSENT if value is None else f"{value:,g}"))


def _bar_body(name: str, lines: Sequence[Element], detail: str = "") -> Element:
    heading = element("th", name, element("span", f" {detail}", class_="detail"), colspan=4, scope="rowgroup")
    return element("tbody", element("tr", heading, class_="task"), lines)


def _bar_line(system: SystemKey, look: int, value: float, interval: Interval | None) -> Element:
    drawn = element("td", bar(value, interval, look), class_="drawn")
    figures = [element("td", points(value), class_="n"), element("td", between(interval), class_="n interval")]
    return element("tr", element("th", system_name(system, look), scope="row"), drawn, figures)


def _share(share: LanguageShare | None) -> list[Content]:
    if share is None:
        return [ABSENT]
    interval = between(Interval(share.low, share.high))
    return [points(share.share), " ", element("span", f"({interval})", class_="interval")]


def _heat(value: float | None, scale: Interval) -> Element:
    if value is None:
        return element("td", ABSENT, class_="n")
    share = (value - scale.low) / (scale.high - scale.low) if scale.high > scale.low else 1.0
    return element("td", points(value), class_=f"n q{min(SHADES - 1, int(share * SHADES))}")
