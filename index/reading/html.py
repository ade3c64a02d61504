"""HTML: the main text of a page without its menus, through trafilatura; the stored text is the extracted one."""

import codecs
from collections.abc import Iterator
from typing import Any, NamedTuple

import regex

from index.reading.base import ReadOptions, SourceFile
from index.reading.composing import Headings
from index.reading.decoding import decode, decode_as, require_text
from index.types import Anchor, Document
from lfm2_colbert.errors import MalformedDocumentError

# A page may declare its encoding within its first kilobyte (HTML standard, "prescan a byte stream").
DECLARED = regex.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w:.-]+)""", regex.IGNORECASE)
PRESCAN_BYTES = 1024
# The HTML standard reads these names as Windows-1252, which has printable characters where Latin-1 has controls.
LATIN_1_NAMES = {"iso8859-1", "ascii"}
INVISIBLE = ("script", "style", "template", "noscript", "head", "svg", "iframe", "object", "select")
HEADINGS = {f"h{level}": level for level in range(1, 7)}
STATED = {
    **{name: "author" for name in ("author", "dc.creator", "article:author")},
    **{name: "created" for name in ("date", "dc.date", "article:published_time", "dcterms.created")},
}
"""From the names of meta elements to fields."""
BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "figcaption"),
    *("figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p"),
    *("pre", "section", "table", "td", "th", "tr", "ul"),
}


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the page's main text, or all its visible text where no main text is found.

    Raises:
        MalformedDocumentError: there is no element in the file, or the parser gave up.
    """
    import trafilatura  # a fifth of a second: only when a page is read

    tree = parsed(decoded(source.data(), source.id), source.id)
    metadata = {name: value for name, value in _stated(tree).items() if value}
    main = trafilatura.bare_extraction(tree, include_comments=False)
    text = (main.text if main else "").strip()
    anchors = _anchors(text, main.body) if text else ()
    text = text or "\n".join(block.text for block in visible_blocks(tree))
    require_text(text, source.id)
    yield Document(source.id, text, metadata, anchors)


def _stated(tree: Any) -> dict[str, str]:
    """Give what a page says of itself."""
    stated = {"title": _title(tree), "author": "", "created": ""}
    for meta in tree.iter("meta"):
        field = STATED.get((meta.get("name") or meta.get("property") or "").lower())
        if field and not stated[field]:
            stated[field] = " ".join((meta.get("content") or "").split())
    return stated


def _anchors(text: str, body: Any) -> tuple[Anchor, ...]:
    """Find the headings of the main text: lines of it, in the order in which they stand."""
    anchors, path, position = [], Headings(), 0
    for heading in body.iter("head"):
        title = "".join(heading.itertext()).strip()
        start = f"\n{text}\n".find(f"\n{title}\n", position)
        if title and start >= 0:
            path.enter(HEADINGS.get(heading.get("rend"), 6), title)
            anchors.append(Anchor(start, path.place()))
            position = start + 1
    return tuple(anchors)


def decoded(data: bytes, name: str) -> str:
    """Decode a page as it declares.

    Raises:
        InvalidEncodingError: a byte does not belong there.
        NotTextError: the bytes are not text at all.
        EmptyDocumentError: nothing in it is visible.
    """
    marked = data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    declared = None if marked else DECLARED.search(data[:PRESCAN_BYTES])
    if not declared:
        return decode(data, name)
    try:
        encoding = codecs.lookup(declared[1].decode("ascii", "replace")).name
    except LookupError:
        return decode(data, name)
    if encoding.startswith(("utf", "rot", "hex", "base64")):  # a declaration in readable bytes cannot mean UTF-16
        return decode(data, name)
    return decode_as(data, "cp1252" if encoding in LATIN_1_NAMES else encoding, name).replace("\r\n", "\n")


def parsed(page: str, name: str) -> Any:
    """Give the tree of a page.

    Raises:
        MalformedDocumentError: there is no element in it, or it cannot be parsed to its end.
    """
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        # From bytes, because lxml refuses text that declares an encoding.
        tree = html.document_fromstring(page.encode(), parser=parser)
    except etree.ParserError as error:
        raise MalformedDocumentError(f"{name} holds no HTML", help="give plain text the suffix .txt") from error
    # The parser mends errors, but at a fatal one (elements 2048 deep) it drops the rest of the page without a word.
    if fatal := parser.error_log.filter_from_fatals():
        raise MalformedDocumentError(
            f"{name} cannot be parsed to its end: {fatal[0].message}", help="save the page's text as .txt"
        )
    return tree


def _title(tree: Any) -> str:
    titles = (" ".join(element.text_content().split()) for element in [*tree.iter("title"), *tree.iter("h1")])
    return next((title for title in titles if title), "")


class Block(NamedTuple):
    """A stretch of text that stands by itself; `level` is 1 to 6 for a heading, else 0."""

    level: int
    text: str


def visible_blocks(tree: Any) -> Iterator[Block]:
    """Give all visible text of a page, block by block."""
    pieces: list[str] = []
    level = 0
    for event, element in _walk(tree):
        if event == "start" and isinstance(element.tag, str):
            if element.tag in BLOCKS:
                yield from _block(level, pieces)
                level = HEADINGS.get(element.tag, 0)
            pieces.append(element.text or "")
        elif event == "end":
            if element.tag in BLOCKS:
                yield from _block(level, pieces)
                level = 0
            pieces.append(element.tail or "")
    yield from _block(level, pieces)


def _block(level: int, pieces: list[str]) -> Iterator[Block]:
    text = " ".join("".join(pieces).split())
    pieces.clear()
    if text:
        yield Block(level, text)


def _walk(tree: Any) -> Iterator[tuple[str, Any]]:
    from lxml import etree

    walk = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        hidden = element.tag in INVISIBLE or element.get("hidden") is not None
        if event == "start" and hidden:
            walk.skip_subtree()
            continue
        yield ("end" if event in ("comment", "pi") else event), element
