"""An evaluation as one page: what was found by whom, where it fails, and how to make it again.

The page needs nothing but itself: no network, no script. Texts of documents are shown and never run.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from eval.charts import Point, bar, bubbles, scatter
from eval.markup import Content, digest, direction, document, element
from eval.published_table import published_section
from eval.report import Document, Example, Report, Row, SystemKey, TaskKey
from eval.significance import Interval
from eval.summary import (
    NDCG,
    OWN,
    matrix,
    mean,
    mean_difference,
    mean_of,
    measured,
    n_queries,
    own_first,
    paired,
    tasks_of,
)
from eval.tables import (
    ABSENT,
    bars,
    count,
    figures,
    groups,
    heat_map,
    language_shares,
    line,
    mean_cells,
    measured_figures,
    number,
    points,
    signed,
    system_name,
    table,
    task_name,
)
from eval.writing import replace_file

PAGE = "index.html"
SHOWN_WARNINGS = 4
SHOWN_EXAMPLES = 60
OPEN_EXAMPLES = 3
OPEN_GROUPS, OPEN_TASKS = 2, 15
NAMED_DATASETS = 3
"""So many are named in the heading."""
COSTS = {
    "search_ms_p50": ("Search latency", "search, ms at the median"),
    "disk_bytes_per_token": ("Size on disk", "bytes on disk per token"),
}
"""Figure → heading and axis of its chart."""
ORACLE = "oracle"
"""Compared with in figures of its own: it is no other system."""


def write_page(report: Report, folder: Path) -> Path:
    """Write ``index.html`` into a folder, which is made; an older one is replaced as a whole."""
    replace_file(folder / PAGE, page(report))
    return folder / PAGE


def page(report: Report) -> str:
    """Give the text of the page; equal reports have equal pages."""
    style = files("eval").joinpath("page.css").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src '{digest(style)}'; img-src data:; base-uri 'none'; form-action 'none'"
    title = f"{OWN}: evaluation of {_date(report)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="color-scheme", content="light dark"),
        element("meta", name_="referrer", content="no-referrer"),
        element("title", title),
        element("link", rel="icon", href="data:,"),
        element("style", style),
    )
    skip = element("a", "Skip to the results", href="#results", class_="skip")
    made = [(name, heading, content) for name, heading, content in _sections(report) if content]
    body = element(
        "body",
        skip,
        _top(report, [(name, heading) for name, heading, _ in made]),
        element("main", [_section(*each) for each in made], id="results"),
        element("footer", _provenance(report), id="provenance"),
    )
    return document(element("html", head, body, lang="en"))


def _sections(report: Report) -> list[tuple[str, str, list[Content]]]:
    """List id, heading and content of the sections; one without content is left out."""
    return [
        ("systems", "Systems", _systems(report)),
        ("notes", "Warnings and cleaning", _notes(report)),
        ("languages", "Across languages", [*_heat_maps(report), *_language_bias(report)]),
        ("published", "Beside published figures", published_section(report)),
        ("costs", "Quality against cost", _costs(report)),
        ("queries", "Query by query", _queries(report)),
        ("tasks", "Task by task", _tasks(report)),
        ("worst", "Worst queries", _examples(report)),
    ]


def _section(name: str, heading: str, content: Iterable[Content]) -> Element:
    return element("section", element("h2", heading, id=name), content, aria_labelledby=name)


def _top(report: Report, sections: Sequence[tuple[str, str]]) -> Element:
    tasks = tasks_of(report.rows)
    datasets = list(dict.fromkeys(task.dataset for task in tasks))
    spoken = {each for task in tasks for each in (task.query_language, task.document_language)} - {"und"}
    facts = {
        "Data": ", ".join(datasets) or ABSENT,
        "Tasks": count(len(tasks)),
        "Languages": count(len(spoken)),
        "Queries": count(n_queries(report.rows)),
        "Systems": count(len(own_first(report.rows))),
        "Measured": _date(report),
    }
    links = [element("li", element("a", heading, href=f"#{name}")) for name, heading in sections]
    links.append(element("li", element("a", "Provenance", href="#provenance")))
    return element(
        "header",
        element("p", f"{OWN} evaluation", class_="eyebrow"),
        element("h1", _text(_model(report)), " on ", _text(_enumerated(datasets))),
        element("div", _headline(report), _facts(facts, "facts"), class_="lead"),
        element("nav", element("ul", links), aria_label="Sections"),
    )


def _headline(report: Report) -> Element | None:
    systems = own_first(report.rows)
    found = mean_of(report, systems[0], report.rows) if systems else None
    if not found:
        return None
    within = f"95 % interval {points(found.interval.low)} to {points(found.interval.high)}" if found.interval else ""
    return element(
        "div",
        element("p", points(found.value), class_="big"),
        element("p", f"nDCG@10 of {systems[0]}, of 100, mean of {_tasks_told(found.tasks)}"),
        element("p", within, class_="detail"),
        class_="headline",
    )


def _systems(report: Report) -> list[Content]:
    systems = own_first(report.rows)
    if not systems:
        return []
    lines = [_system_line(report, system, look, systems[0]) for look, system in enumerate(systems)]
    head = ["system", "of 100, with 95 % interval", "nDCG@10", "95 %", "tasks", "lead", "95 %"]
    caption = f"Mean nDCG@10 by system. Lead: how far {systems[0]} lies above, on the tasks that both did"
    shown = table(caption, head, [element("tbody", lines)], class_="bars systems")
    return [shown, _by_dataset(report, systems), _how_to_read()]


def _system_line(report: Report, system: SystemKey, look: int, first: SystemKey) -> Element | None:
    found = mean_of(report, system, report.rows)
    if not found:
        return None
    gap = None if system == first else mean_difference(report, system, first)
    cells = [*mean_cells(found), count(found.tasks), *mean_cells(gap, signed)]
    drawn = element("td", bar(found.value, found.interval, look), class_="drawn")
    return element(
        "tr",
        element("th", system_name(system, look), scope="row"),
        drawn,
        [element("td", cell, class_="n") for cell in cells],
    )


def _by_dataset(report: Report, systems: Sequence[SystemKey]) -> Element:
    lines = [
        line(group.name, [points(mean(row.figures[NDCG] for row in measured(group.rows, each))) for each in systems])
        for group in groups(report.rows)
    ]
    head: list[Content] = ["data", *map(str, systems)]
    return table("Mean nDCG@10 by data set", head, [element("tbody", lines)], class_="figures")


def _how_to_read() -> Element:
    return element(
        "p",
        "nDCG@10 is shown of 100. Every task has the same weight in a mean. Intervals are of 95 %, by resampling "
        "queries; a query and its translations are drawn together. A dash is what was not measured.",
        class_="detail",
    )


def _notes(report: Report) -> list[Content]:
    told = _warnings(report.warnings)
    cleaned = [(task, rule, n) for task, rules in sorted(report.cleaned.items()) for rule, n in rules.items() if n]
    if not cleaned:
        return [*told, element("p", "No document, query or judgement was touched by cleaning.")]
    totals: dict[str, int] = {}
    for _, rule, touched in cleaned:
        totals[rule] = totals.get(rule, 0) + touched
    lines = [line(_full_name(task), [rule, count(n)]) for task, rule, n in cleaned]
    listed = table("Cleaning by task", ["task", "rule", "touched"], [element("tbody", lines)], class_="figures named")
    summary = "Cleaning: " + ", ".join(f"{rule} {count(touched)}" for rule, touched in totals.items())
    return [*told, _folded(summary, [listed], opened=len(lines) <= 6)]


def _warnings(warnings: Sequence[str]) -> list[Content]:
    told = [element("li", element("strong", "Warning: "), _text(each)) for each in warnings]
    if not told:
        return [element("p", "There are no warnings.")]
    first = element("ul", told[:SHOWN_WARNINGS], class_="warnings")
    rest = element("ul", told[SHOWN_WARNINGS:], class_="warnings")
    return [first, _folded(f"{count(len(rest))} more warnings", [rest], opened=False) if len(rest) else None]


def _heat_maps(report: Report) -> list[Content]:
    shown: list[Content] = []
    for name in dict.fromkeys(row.task.dataset for row in report.rows):
        rows = _crossing([row for row in report.rows if row.task.dataset == name and NDCG in row.figures])
        if rows:
            shown += [element("h3", name), *_heat_maps_of(rows, own_first(report.rows))]
    return shown


def _crossing(rows: Sequence[Row]) -> list[Row]:
    """Choose rows of languages that are asked across; a language by itself would be a row of dashes."""
    pairs = {(row.task.query_language, row.task.document_language) for row in rows}
    crossed = {language for asked, searched in pairs if asked != searched for language in (asked, searched)}
    return [row for row in rows if {row.task.query_language, row.task.document_language} <= crossed]


def _heat_maps_of(rows: Sequence[Row], systems: Sequence[SystemKey]) -> list[Content]:
    found = [(look, system, matrix(rows, system)) for look, system in enumerate(systems) if measured(rows, system)]
    values = [value for _, _, each in found for value in each.cells.values()]
    scale = Interval(min(values), max(values))
    maps = [heat_map(each, ["nDCG@10 of ", *system_name(system, look)], scale) for look, system, each in found]
    told = f"Rows: language of the query. Columns: language of the documents. Shades from {points(scale.low)} to"
    legend = element("p", f"{told} {points(scale.high)}, the same for every system.", class_="detail")
    return [legend, element("div", maps, class_="maps")]


def _language_bias(report: Report) -> list[Content]:
    shown: list[Content] = []
    for name, setting in dict.fromkeys((share.dataset, share.setting) for share in report.language_bias):
        shares = [share for share in report.language_bias if (share.dataset, share.setting) == (name, setting)]
        told = (
            f"The documents of {name} were searched in all languages together ({setting}). Shown is the share of each "
            f"language among the ten best, of 100, with its 95 % interval; without any preference it would be "
            f"{points(shares[0].expected)}."
        )
        shown += [element("h3", f"Which language is preferred: {name}"), element("p", told, class_="detail")]
        shown.append(language_shares(shares, f"Share of the documents' languages among what {name} queries find"))
    return shown


def _costs(report: Report) -> list[Content]:
    charts = [_cost(report, figure) for figure in COSTS]
    return [element("div", charts, class_="side-by-side")] if any(charts) else []


def _cost(report: Report, figure: str) -> Element | None:
    heading, axis = COSTS[figure]
    marks: list[Point] = []
    lines: list[Element] = []
    for look, system in enumerate(own_first(report.rows)):
        rows = [row for row in measured(report.rows, system, figure) if NDCG in row.figures and row.figures[figure] > 0]
        cost, quality = mean(row.figures[figure] for row in rows), mean(row.figures[NDCG] for row in rows)
        if cost is None or quality is None:
            continue
        marks += [
            Point(row.figures[figure], 100 * row.figures[NDCG], look, f"{system}, {_full_name(row.task)}")
            for row in rows
        ]
        marks.append(Point(cost, 100 * quality, look, f"{system}, mean", strong=True))
        lines.append(line(system_name(system, look), [number(cost), points(quality), count(len(rows))]))
    if not marks:
        return None
    says = f"Scatter of nDCG@10 against {axis}; the table below holds the means"
    chart = scatter(marks, x_label=axis, y_label="nDCG@10", says=says)
    head = ["system", axis, "nDCG@10", "tasks"]
    means = table(f"{heading}: means of the tasks", head, [element("tbody", lines)], class_="figures")
    note = element("p", "Large marks are means, small ones single tasks.", class_="detail")
    return element("figure", element("h3", heading), chart, note, means)


def _queries(report: Report) -> list[Content]:
    systems = own_first(report.rows)
    baselines = [system for system in systems if system.system not in (OWN, ORACLE)]
    compared = [_against(report, systems[0], baseline) for baseline in baselines]
    if not any(compared):
        return []
    told = (
        "Each circle stands for queries with these values; its area is their number. Above the line our own is better."
    )
    return [element("p", told, class_="detail"), element("div", compared, class_="side-by-side")]


def _against(report: Report, ours: SystemKey, baseline: SystemKey) -> Element | None:
    pairs = paired(report, baseline, ours)
    if not pairs:
        return None
    better, worse = sum(mine > theirs for theirs, mine in pairs), sum(mine < theirs for theirs, mine in pairs)
    told = (
        f"Of {count(len(pairs))} queries, {ours} is better on {count(better)}, equal on "
        f"{count(len(pairs) - better - worse)} and worse on {count(worse)}."
    )
    axes = {"x_label": f"nDCG@10 of {baseline}", "y_label": f"nDCG@10 of {ours}"}
    chart = bubbles(pairs, **axes, says=f"{told} {axes['y_label']} against {axes['x_label']}.")
    return element("figure", element("h3", f"Against {baseline}"), chart, element("figcaption", told))


def _tasks(report: Report) -> list[Content]:
    systems, shown = own_first(report.rows), measured_figures(report.rows)
    return [
        _folded(
            group.name,
            [bars(report, group, systems), figures(group.rows, shown, f"All figures of {group.name}")],
            opened=place < OPEN_GROUPS and len(tasks_of(group.rows)) <= OPEN_TASKS,
            detail=_group_detail(group.rows, systems[0]),
        )
        for place, group in enumerate(groups(report.rows))
    ]


def _group_detail(rows: Sequence[Row], system: SystemKey) -> str:
    own = measured(rows, system)
    return f"{_tasks_told(len(tasks_of(rows)))}, {points(mean(row.figures[NDCG] for row in own))}"


def _examples(report: Report) -> list[Content]:
    ordered = sorted(report.examples, key=_loss, reverse=True)
    if not ordered:
        return []
    told = f"{count(min(len(ordered), SHOWN_EXAMPLES))} of {count(len(ordered))} queries, those that lose most first."
    shown = [_example(each, opened=place < OPEN_EXAMPLES) for place, each in enumerate(ordered[:SHOWN_EXAMPLES])]
    return [element("p", f"{told} Texts are cut.", class_="detail"), *shown]


def _loss(example: Example) -> tuple[float, float]:
    return (example.baseline_ndcg_at_10 or 0.0) - example.ndcg_at_10, -example.ndcg_at_10


def _example(example: Example, *, opened: bool) -> Element:
    values = f"{example.system} {points(example.ndcg_at_10)}"
    if example.baseline:
        values += f", {example.baseline} {points(example.baseline_ndcg_at_10)}"
    asked, searched = example.task.query_language, example.task.document_language
    query = element("p", example.query, class_="query", dir=direction(example.query), lang=asked)
    found = element("ol", [_document(each, searched) for each in example.hits]) if example.hits else _nothing()
    missed = element("ul", [_document(each, searched) for each in example.missed]) if example.missed else _nothing()
    lists = element(
        "div",
        element("div", element("h3", "Found"), found),
        element("div", element("h3", "Missed"), missed),
        class_="found-and-missed",
    )
    place: list[Content] = [
        _full_name(example.task),
        ", query ",
        element("bdi", element("code", example.query_id)),
        ": ",
        values,
    ]
    return element(
        "details",
        element("summary", query, element("span", place, class_="detail")),
        lists,
        class_="example",
        open="" if opened else None,
    )


def _nothing() -> Element:
    return element("p", "None.", class_="detail")


def _document(found: Document, language: str) -> Element:
    verdict, look = _verdict(found.grade)
    name = element("p", element("span", verdict, class_=look), " ", element("bdi", element("code", found.document_id)))
    return element("li", name, element("p", found.text, class_="passage", dir=direction(found.text), lang=language))


def _verdict(grade: int | None) -> tuple[str, str]:
    if grade is None:
        return "○ not judged", "unjudged"
    return (f"✓ relevant, grade {grade}", "relevant") if grade > 0 else ("✗ not relevant", "irrelevant")


def _provenance(report: Report) -> list[Content]:
    machine = report.machine
    where = {
        "Command": element("code", report.command),
        "Commit": element("code", report.commit) if report.commit else "none: it did not run from a clean clone",
        "Created": report.created,
        "Seed": str(report.seed),
        "Processor": f"{machine.cpu}, {count(machine.cores)} cores, {count(machine.memory_gb)} GB",
        "Instruction sets": ", ".join(machine.flags) or ABSENT,
    }
    return [
        element("h2", "Provenance"),
        _facts(where, "provenance"),
        element("h3", "Data"),
        _facts(report.revisions, "provenance"),
        element("h3", "Options"),
        _facts({name: _shown(value) for name, value in report.config.items()}, "provenance"),
        element("h3", "Versions"),
        _facts(report.versions, "provenance"),
    ]


def _facts(facts: Mapping[str, Content], look: str) -> Element:
    named = [element("div", element("dt", name), element("dd", value)) for name, value in facts.items()]
    return element("dl", named, class_=look) if named else _nothing()


def _folded(summary: str, content: Sequence[Content], *, opened: bool, detail: str = "") -> Element:
    told = element("span", f" {detail}", class_="detail") if detail else None
    return element("details", element("summary", summary, told), content, open="" if opened else None)


def _text(text: str) -> Element:
    return element("bdi", text)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _model(report: Report) -> str:
    return _shown(report.config["model"]) if "model" in report.config else OWN


def _enumerated(datasets: Sequence[str]) -> str:
    if len(datasets) > NAMED_DATASETS:
        return f"{len(datasets)} data sets"
    return " and ".join(filter(None, [", ".join(datasets[:-1]), *datasets[-1:]])) or "no data"


def _full_name(task: TaskKey) -> str:
    return f"{task.dataset} {task_name(task)}"


def _tasks_told(n_tasks: int) -> str:
    return "1 task" if n_tasks == 1 else f"{count(n_tasks)} tasks"


def _date(report: Report) -> str:
    return report.created[:10]
