"""Published figures beside those of a report, as a part of its page."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from eval.markup import Content, element
from eval.published import MEAN, Beside, beside
from eval.report import Report
from eval.tables import line, points, table


def published_section(report: Report) -> list[Content]:
    """Show what is published of the same tasks and languages; nothing where nothing is."""
    found = beside(report)
    if not found:
        return []
    warnings = dict.fromkeys(warning for entry in found for warning in entry.warnings)
    return [
        element(
            "p", "Figures that others have published of the same data. Read the differences below before comparing."
        ),
        _table([entry for entry in found if entry.task == MEAN], "Means: nDCG@10"),
        element("ul", [element("li", warning) for warning in warnings]),
        element(
            "details",
            element("summary", "Task by task"),
            _table([entry for entry in found if entry.task != MEAN], "Tasks: nDCG@10"),
        ),
    ]


def _table(entries: Sequence[Beside], caption: str) -> Element:
    models = list(dict.fromkeys(figure.model for entry in entries for figure in entry.figures))
    lines = [
        line(
            f"{entry.task}, {entry.query_language} → {entry.document_language}",
            [str(entry.system), points(entry.value), *(_cell(entry, model) for model in models)],
        )
        for entry in entries
    ]
    head = ["task, query → document", "system here", "here", *models]
    return table(caption, head, [element("tbody", lines)], class_="figures")


def _cell(entry: Beside, model: str) -> str:
    values = [figure.value for figure in entry.figures if figure.model == model]
    return points(values[0]) if values else "–"
