"""What a person reads of a page: its blocks in order, with the levels of headings, tables as rows, code in fences."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import regex

from index.reading.composing import BETWEEN_PIECES, Composition, Headings, table_row

INVISIBLE = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "object", "select"})
AROUND = frozenset({"nav", "footer", "aside", "form", "button", "dialog"})
AROUND_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "search", "complementary", "dialog", "menu", "menubar"}
)
AROUND_CLASSES = regex.compile(
    r"(?:^|[\s_-])(?:nav\w*|menu|breadcrumbs?|sidebar|cookies?|share|social|footer|advert\w*|skip-?link)"
    r"(?:$|[\s_-])",
    regex.IGNORECASE,
)
"""What stands around the words of a page on every page of its site."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
ITEMS = frozenset({"li", "dt", "dd", "tr", "option"})
BLOCKS = frozenset(HEADINGS) | ITEMS | {
    *("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "div", "dl"),
    *("dt", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main", "nav", "ol", "p"),
    *("pre", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul"),
}  # fmt: skip
CELLS = frozenset({"td", "th"})
WITHIN_DATA = ("table", "ul", "ol", "dl", "div", "pre", "form", *HEADINGS)
"""A table that holds one of these arranges a page and is no table of data."""
FENCE = "```"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of text that stands by itself.

    Attributes:
        text: of the block; line feeds only in code and between rows.
        level: 1 to 6 for a heading, else 0.
        is_item: of a list: it stands close to the item before.
    """

    text: str
    level: int = 0
    is_item: bool = False


def compose(blocks: Iterator[Block], composition: Composition, place: dict[str, Any]) -> None:
    """Add blocks to a document, each under its headings.

    Args:
        blocks: in order.
        composition: of the document.
        place: what else is known of where they stand.
    """
    headings, after_item = Headings(), False
    for block in blocks:
        if block.level:
            headings.enter(block.level, block.text)
        close = block.is_item and after_item
        composition.add(block.text, headings.place() | place, "\n" if close else BETWEEN_PIECES)
        after_item = block.is_item


def visible_blocks(tree: Any, *, with_surroundings: bool = True) -> Iterator[Block]:
    """Give all visible text of a page, block by block.

    Args:
        tree: of lxml.
        with_surroundings: menus and the like, too.
    """
    walk = _Walk(tree, with_surroundings)
    for event, element in walk:
        if event == "start":
            if element.tag in BLOCKS:
                yield from walk.ended(element.tag)
            whole = _whole(element)
            if whole is not None:
                yield from whole
                walk.skip()
                continue
            walk.add(element.text)
        elif event == "end":
            if element.tag in BLOCKS:
                yield from walk.ended("")
            walk.add(element.tail)
    yield from walk.ended("")


class _Walk:
    """Goes through a tree and gathers the text of the block it is in."""

    def __init__(self, tree: Any, with_surroundings: bool) -> None:
        from lxml import etree

        self._walk = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
        self._with_surroundings = with_surroundings
        self._pieces: list[str] = []
        self._tag = ""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give elements as they begin and end; comments only end, and what is not shown has no beginning."""
        for event, element in self._walk:
            if event != "start":
                yield "end", element
            elif self._is_hidden(element):
                self._walk.skip_subtree()
            else:
                yield event, element

    def skip(self) -> None:
        """Pass over what lies below the element that has just begun."""
        self._walk.skip_subtree()

    def add(self, text: str | None) -> None:
        """Go on with a block."""
        self._pieces.append(text or "")

    def ended(self, next_tag: str) -> Iterator[Block]:
        """Give the block that ends where another begins."""
        text = " ".join("".join(self._pieces).split())
        self._pieces.clear()
        if text:
            yield Block(text, HEADINGS.get(self._tag, 0), self._tag in ITEMS)
        self._tag = next_tag

    def _is_hidden(self, element: Any) -> bool:
        if not isinstance(element.tag, str) or element.tag in INVISIBLE or element.get("hidden") is not None:
            return True
        return not self._with_surroundings and _is_around(element)


def _is_around(element: Any) -> bool:
    """Whether an element belongs to the site and not to the page."""
    if element.tag in AROUND or (element.get("role") or "") in AROUND_ROLES:
        return True
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    return element.tag not in ("html", "body", "main", "article") and bool(AROUND_CLASSES.search(named))


def _whole(element: Any) -> Iterator[Block] | None:
    """Give the blocks of an element that is read as a whole: code, a table of data; None for any other."""
    if element.tag == "pre":
        return _code(element)
    if element.tag == "table" and next(element.iterdescendants(*WITHIN_DATA), None) is None:
        return _rows(element)
    return None


def _code(element: Any) -> Iterator[Block]:
    text = "".join(element.itertext()).strip("\n")
    if text.strip():
        yield Block(f"{FENCE}\n{text}\n{FENCE}" if "\n" in text else text)


def _rows(table: Any) -> Iterator[Block]:
    for caption in table.iterchildren("caption"):
        yield Block(" ".join("".join(caption.itertext()).split()))
    rows = [["".join(cell.itertext()) for cell in row.iterchildren(*CELLS)] for row in table.iter("tr")]
    written = "\n".join(table_row(row) for row in rows if any(map(str.strip, row)))
    if written:
        yield Block(written)
