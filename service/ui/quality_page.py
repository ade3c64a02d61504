"""Is it good? What the server knows of each collection, and the report of the evaluation that its operator names.

Of a collection that is the recall of real queries, its sizes, and the time its stages take.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from eval.markup import element
from eval.report import Report, load
from eval.summary import NDCG, mean, measured, own_first, tasks_of
from lfm2_colbert.errors import DataError, NotFoundError
from service.ui.words import Words

LOG = logging.getLogger("lfm2_colbert.http")
MEGABYTE = 1e6


def quality_part(
    statuses: Sequence[Mapping[str, Any]],
    stages: Mapping[str, Mapping[str, float]],
    report: Report | None,
    words: Words,
) -> list[Element]:
    """Show figures of collections, and an evaluation; `stages` holds mean milliseconds of each stage by collection."""
    return [
        element("h1", words("quality")),
        element("div", *(_card(each, stages.get(each["collection"], {}), words) for each in statuses), class_="cards"),
        *([_evaluation(report, words)] if report else []),
    ]


def last_evaluation(folder: Path | None) -> Report | None:
    """Read the report that the operator names; a newer one may have taken its place since the server began.

    Returns:
        None where none is named, or what is there now is none: the log says so.
    """
    if folder is None:
        return None
    try:
        return load(folder)
    except (DataError, NotFoundError) as error:
        LOG.warning("the evaluation cannot be shown: %s", error.message)
        return None


def _evaluation(report: Report, words: Words) -> Element:
    """Show what each system got in each task, our own first, and the means."""
    systems, tasks = own_first(report.rows), tasks_of(report.rows)
    found = {(row.task, row.system): row.figures.get(NDCG) for row in report.rows}
    lines = [(str(task), [found.get((task, system)) for system in systems]) for task in tasks]
    means = [mean(row.figures[NDCG] for row in measured(report.rows, system)) for system in systems]
    lines.append((words("mean"), means))
    head = element("tr", element("th", "nDCG@10"), *(element("th", str(system), scope="col") for system in systems))
    body = (element("tr", element("th", name, scope="row"), *map(_points, values)) for name, values in lines)
    table = element("table", element("thead", head), element("tbody", *body))
    title = element("h2", f"{words('evaluation')} · ", element("span", report.created[:10], dir="ltr"))
    return element("section", title, element("div", table, class_="wide", tabindex="0", role="group"), class_="report")


def _points(value: float | None) -> Element:
    return element("td", "" if value is None else f"{100 * value:.1f}")


def _card(status: Mapping[str, Any], stages: Mapping[str, float], words: Words) -> Element:
    facts = [
        (words("documents"), f"{status['documents']:,}"),
        (words("passages"), f"{status['passages']:,}"),
        (words("size"), f"{status['bytes'] / MEGABYTE:,.1f} MB"),
        (words("encoder"), f"{status['encoder']['name']} · {status['encoder']['codec']}"),
        (words("languages"), " · ".join(f"{code} {n:,}" for code, n in sorted(status["languages"].items()))),
        (words("recall"), _recall(status["recall"], words)),
        (words("stages"), " · ".join(f"{name} {ms:.1f} ms" for name, ms in stages.items()) or words("unknown")),
    ]
    listed = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    note = element("p", words("recall_means"), class_="hint")
    return element("section", element("h2", status["collection"]), element("dl", *listed), note)


def _recall(recall: Mapping[str, Any], words: Words) -> str:
    live = recall.get("live")
    if live:
        return f"{live['recall_at_10']:.3f} [{live['low']:.3f}, {live['high']:.3f}], n = {live['queries']}"
    if "recall_at_10" in recall:
        return f"{recall['recall_at_10']:.3f} ({recall['effort']})"
    return words("unknown")
