"""Collections: what there is, a new one, and files dropped into one."""

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element

from eval.markup import element
from index.catalog import Summary
from index.reading.formats import ARCHIVES, CODE_SUFFIXES, READERS, TAR_SUFFIXES
from service.engine.jobs import Job, JobState
from service.ui.frame import address
from service.ui.words import Words

ACCEPTED = ",".join(sorted({*READERS, *ARCHIVES, *TAR_SUFFIXES, *CODE_SUFFIXES} - {"code"}))
"""Suffixes that a browser offers."""


def collections_part(found: Sequence[Summary], words: Words, *, may_write: bool, may_create: bool) -> list[Element]:
    """List collections, with what the caller may do."""
    rows = [_row(each, words, may_write=may_write) for each in found]
    return [
        element("h1", words("collections")),
        element("div", *rows, class_="cards") if rows else element("p", words("none_yet"), class_="summary"),
        *([_new(words)] if may_create else []),
    ]


def job_part(job: Job, words: Words) -> Element:
    """Show how far a job has come, and ask again until it has ended."""
    if job.state is JobState.DONE:
        return element("p", words("searchable"), class_="done", role="status")
    if job.state is JobState.FAILED:
        return element(
            "p", f"{words('failed')}: {(job.error or {}).get('message', '')}", class_="failed", role="status"
        )
    again: dict[str, Any] = {
        "hx_get": f"/ui/parts/jobs/{job.id}", "hx_trigger": "load delay:500ms", "hx_swap": "outerHTML",
    }  # fmt: skip
    total = job.progress.get("total") or 1
    bar = element("progress", max=1, value=round(job.progress.get("done", 0) / total, 3), aria_label=words("encoding"))
    return element("p", words("encoding"), bar, role="status", **again)


def _row(summary: Summary, words: Words, *, may_write: bool) -> Element:
    facts = (
        (words("documents"), f"{summary.documents:,}"),
        (words("size"), f"{summary.bytes / 1e6:,.1f} MB"),
        (words("encoder"), summary.encoder),
    )
    listed = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    heading = element("h2", element("a", summary.name, href=address("/", c=summary.name)))
    return element("section", heading, element("dl", *listed), _drop(summary.name, words) if may_write else None)


def _drop(collection: str, words: Words) -> Element:
    """Make a place for files; the script sends each and puts what became of it into the list."""
    chooser = element("input", type="file", multiple="multiple", accept=ACCEPTED)
    return element(
        "div",
        element("label", element("span", words("drop")), chooser),
        element("ul", class_="sent", aria_live="polite"),
        element("div", class_="job"),
        class_="drop", data_collection=collection, data_stored=words("stored"), data_failed=words("failed"),
    )  # fmt: skip


def _new(words: Words) -> Element:
    field = {"id": "new-name", "name": "name", "pattern": "[a-z0-9][a-z0-9_\\-]{0,62}", "autocomplete": "off"}
    name = element("input", required="required", **field)
    return element(
        "form",
        element("h2", words("new")),
        element("label", words("name_of_new"), for_="new-name"),
        name,
        element("button", words("create"), type="submit"),
        id="new",
    )
