"""The JSON shapes that every surface shares: command line, HTTP, MCP."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index import Hit, SearchResult
    from index.catalog import Summary


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
        "language": hit.language,
        "metadata": hit.metadata,
        "highlights": [{"start": each.start, "end": each.end, "score": each.score} for each in hit.highlights],
    }
    return shown | {"matches": [asdict(match) for match in hit.matches]} if explain else shown


def summary_as_json(summary: "Summary") -> dict[str, Any]:
    """Give a collection in a list."""
    return {
        "collection": summary.name,
        "documents": summary.documents,
        "bytes": summary.bytes,
        "encoder": summary.encoder,
    }
