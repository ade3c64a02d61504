"""A document, whole, with the passages that it was cut into as anchors; the one that was found is marked."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from eval.markup import direction, element
from index.records import StoredDocument
from index.types import Passage
from service.shapes import title_of
from service.ui.frame import address
from service.ui.words import Words


def document_part(
    stored: StoredDocument, pieces: Sequence[Element | str], collection: str, words: Words
) -> list[Element]:
    """Show a document, its text in pieces: `passage_pieces` or `cited_pieces`."""
    facts = (
        element("div", element("dt", name, dir="auto"), element("dd", str(value), dir="auto"))
        for name, value in stored.metadata.items()
    )
    return [
        element("p", element("a", words("back"), href=address("/", c=collection), class_="back")),
        element("h1", title_of(stored.id, stored.metadata), dir="auto"),
        element("p", stored.id, class_="id", dir="auto"),
        element("dl", *facts, class_="metadata"),
        element("div", *pieces, class_="document", dir=direction(stored.text)),
    ]


def cited_pieces(text: str, start: int, end: int) -> list[Element | str]:
    """Mark a stretch of the text, as far as there is one."""
    start, end = min(start, len(text)), min(max(end, start), len(text))
    return [text[:start], element("mark", text[start:end], id="cited"), text[end:]]


def passage_pieces(text: str, passages: Sequence[Passage], shown: int | None) -> list[Element | str]:
    """Cut the text where passages begin and mark one, by its ordinal; where two overlap, the earlier one ends."""
    starts = [passage.start for passage in passages] or [0]
    ends = [*starts[1:], len(text)]
    pieces: list[Element | str] = [text[: starts[0]]]
    for ordinal, (start, end) in enumerate(zip(starts, ends, strict=True)):
        name = "mark" if ordinal == shown else "span"
        pieces.append(element(name, text[start:end], id=f"p{ordinal}", class_="passage"))
    return pieces
