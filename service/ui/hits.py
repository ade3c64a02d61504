"""What a search found, as a person looks at it: matched stretches, and which word of the question found them."""

from collections.abc import Sequence
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from eval.markup import direction, element
from index.types import Hit, SearchResult
from service.places import place_shown
from service.shapes import source_of, title_of
from service.ui.frame import address
from service.ui.segments import Segment, Word, level_of, segments_of, text_of, words_of
from service.ui.words import Words

UNCALIBRATED = "score_uncalibrated"


def results(result: SearchResult, collection: str, n_passages: int, words: Words) -> list[Element]:
    """Show an answer."""
    asked = words_of(result.query, result.hits)
    ms = round(sum(result.timings_ms.get(stage, 0.0) for stage in ("encode", "search", "explain")))
    calibrated = not any(notice.code == UNCALIBRATED for notice in result.warnings)
    summary = words("found", n=len(result.hits), all=f"{n_passages:,}", ms=ms) if result.hits else words("nothing")
    notices = [
        element("p", notice.message, class_="notice", lang="en", dir="ltr")
        for notice in result.warnings
        if notice.code != UNCALIBRATED
    ]
    hits = [_hit(hit, result.query, asked, collection, words, calibrated=calibrated) for hit in result.hits]
    return [
        element("p", summary, class_="summary", role="status"),
        *notices,
        *([_asked(asked, words)] if asked else []),
        element("ol", *hits, class_="hits"),
    ]


def _asked(asked: Sequence[Word], words: Words) -> Element:
    """Show the words of the question; whichever is pointed at or focused lights up wherever it was found."""
    buttons = (element("button", each.text, type="button", data_word=each.number, dir="auto") for each in asked)
    return element("div", *buttons, class_="asked", role="group", aria_label=words("query_words"))


def _hit(hit: Hit, query: str, asked: Sequence[Word], collection: str, words: Words, *, calibrated: bool) -> Element:
    link = address("/ui/document", c=collection, id=hit.document_id, p=hit.passage) + f"#p{hit.passage}"
    meaning = words("score_means" if calibrated else "score_orders")
    score = element("span", f"{hit.score:.2f}", class_=f"score level{level_of(hit.score)}", title=meaning)
    title = title_of(hit.document_id, hit.metadata)
    identity = element("span", hit.document_id, class_="id", dir="auto") if title != hit.document_id else None
    place = place_shown(hit.anchor, lambda kind, number: words(kind, number=number))
    anchor = element("span", place, class_="place", dir="auto") if place else None
    facts = element("p", identity, anchor, element("span", hit.language, class_="lang"), score, class_="facts")
    heading = element("h2", element("a", title, href=link, dir="auto"))
    shown = {"class_": "text", "dir": direction(hit.text), "lang": _lang(hit.language)}
    text = element("p", *marked(segments_of(hit, asked)), **shown)
    return element("li", element("article", heading, facts, text, _source(hit), _map(hit, query, words)))


def marked(segments: Sequence[Segment]) -> list[Element | str]:
    """Give segments as text, evidence and marks."""
    return [_marked(segment) for segment in segments]


def _marked(segment: Segment) -> Element | str:
    if not segment.words and not segment.strong:
        return segment.text
    numbers = " ".join(map(str, segment.words)) or None
    name = "mark" if segment.strong else "span"
    return element(name, segment.text, class_=f"level{segment.level}", data_words=numbers)


def _source(hit: Hit) -> Element | None:
    """Link to where a document came from, if its metadata names a page; the host is shown, so nobody is misled."""
    place = source_of(hit.metadata)
    if place is None or urlsplit(place).scheme != "https":
        return None
    return element(
        "a", urlsplit(place).hostname or "", class_="source", href=place, rel="noopener noreferrer", dir="ltr"
    )


def _map(hit: Hit, query: str, words: Words) -> Element | None:
    """Show for the curious which token of the passage each token of the question found."""
    if not hit.matches:
        return None
    rows = (
        element(
            "tr",
            element("th", query[match.query.start : match.query.end], scope="row", dir="auto"),
            element("td", text_of(match, hit), dir="auto"),
            element("td", f"{match.score:.2f}", class_=f"level{level_of(match.score)}"),
        )
        for match in hit.matches
    )
    return element("details", element("summary", words("map")), element("table", element("tbody", *rows)))


def _lang(code: str) -> str | None:
    return None if code == "und" else code
