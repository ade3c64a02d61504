"""Is it good? What the server knows of each collection: recall of real queries, sizes, and the time its stages take."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from eval.markup import element
from service.ui.words import Words

MEGABYTE = 1e6


def quality_part(
    statuses: Sequence[Mapping[str, Any]], stages: Mapping[str, Mapping[str, float]], words: Words
) -> list[Element]:
    """Show figures of collections; `stages` holds mean milliseconds of each stage by collection."""
    return [
        element("h1", words("quality")),
        element("div", *(_card(each, stages.get(each["collection"], {}), words) for each in statuses), class_="cards"),
    ]


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
