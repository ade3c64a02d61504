"""The JSON shapes that every surface shares: command line, HTTP, MCP."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index import Hit, SearchResult
    from index.catalog import Summary

MAX_SCALARS, MAX_NAME_CHARACTERS, MAX_VALUE_CHARACTERS = 16, 64, 512
WEB_ADDRESS = re.compile(r"https?://[^\s/?#\x00-\x20][^\s\x00-\x20]*")


def result_as_json(result: "SearchResult", collection_name: str, *, explain: bool) -> dict[str, Any]:
    """Give the answer to a query; `explain` adds where each token of the query was found."""
    return {
        "query": result.query,
        "collection": collection_name,
        "mode": str(result.mode),
        "hits": [hit_as_json(hit, explain=explain) for hit in result.hits],
        "warnings": [asdict(notice) for notice in result.warnings],
        "timings_ms": {name: round(value, 3) for name, value in result.timings_ms.items()},
        "counts": dict(result.counts),
        "cursor": result.cursor,
    }


def hit_as_json(hit: "Hit", *, explain: bool) -> dict[str, Any]:
    """Give a hit. It is written out by hand: `asdict` copies all metadata, and a server pays for that."""
    shown = {
        "rank": hit.rank,
        "document_id": hit.document_id,
        "passage": hit.passage,
        "score": hit.score,
        "raw_score": hit.raw_score,
        "text": hit.text,
        "span": {"start": hit.span.start, "end": hit.span.end},
        "anchor": dict(hit.anchor),
        "language": hit.language,
        "metadata": hit.metadata,
        "highlights": [{"start": each.start, "end": each.end, "score": each.score} for each in hit.highlights],
    }
    if hit.around is not None:
        shown["around"] = asdict(hit.around)
    return shown | {"matches": [asdict(match) for match in hit.matches]} if explain else shown


def summary_as_json(summary: "Summary") -> dict[str, Any]:
    """Give a collection in a list."""
    return {
        "collection": summary.name,
        "documents": summary.documents,
        "bytes": summary.bytes,
        "encoder": summary.encoder,
    }


def scalars_of(metadata: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Give what foreign dialects show of metadata: the first 16 scalars, names and texts within OpenAI's bounds."""
    scalars = ((name, value) for name, value in metadata.items() if isinstance(value, bool | int | float | str))
    shown = islice(scalars, MAX_SCALARS)
    return {
        name[:MAX_NAME_CHARACTERS]: value[:MAX_VALUE_CHARACTERS] if isinstance(value, str) else value
        for name, value in shown
    }


def title_of(document_id: str, metadata: Mapping[str, Any]) -> str:
    """Give what a document is called: its title, if it has one, or its id."""
    title = metadata.get("title")
    return title if isinstance(title, str) and title.strip() else document_id


def source_of(metadata: Mapping[str, Any]) -> str | None:
    """Give the web page that a document says it is from; nothing else is passed on as a link."""
    for name in ("url", "source"):
        value = metadata.get(name)
        if isinstance(value, str) and WEB_ADDRESS.fullmatch(value):
            return value
    return None
