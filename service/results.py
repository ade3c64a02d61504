"""From JSON to the results that a local collection gives; `service.shapes` is the way there."""

from typing import Any

from index.types import Around, Highlight, Hit, Match, Notice, SearchResult, Span


def result_of(value: Any) -> SearchResult:
    """Read the answer to a query."""
    return SearchResult(
        query=value["query"],
        hits=tuple(map(hit_of, value["hits"])),
        warnings=tuple(Notice(each["code"], each["message"]) for each in value["warnings"]),
        timings_ms=dict(value["timings_ms"]),
        counts=dict(value["counts"]),
        mode=value["mode"],
        cursor=value["cursor"],
    )


def hit_of(value: Any) -> Hit:
    """Read a hit."""
    return Hit(
        rank=value["rank"],
        document_id=value["document_id"],
        passage=value["passage"],
        score=value["score"],
        raw_score=value["raw_score"],
        text=value["text"],
        span=span_of(value["span"]),
        language=value["language"],
        metadata=value["metadata"],
        highlights=highlights_of(value["highlights"]),
        matches=tuple(map(_match, value.get("matches") or ())),
        anchor=value["anchor"],
        around=Around(**value["around"]) if value.get("around") else None,
    )


def span_of(value: Any) -> Span:
    """Read a stretch of text."""
    return Span(value["start"], value["end"])


def highlights_of(values: Any) -> tuple[Highlight, ...]:
    """Read the words that matched."""
    return tuple(Highlight(each["start"], each["end"], each["score"]) for each in values)


def _match(value: Any) -> Match:
    return Match(span_of(value["query"]), span_of(value["passage"]), value["score"])
