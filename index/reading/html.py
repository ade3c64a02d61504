"""HTML: what a page says, without its menus; the stored text is the extracted one."""

import codecs
from collections.abc import Iterator
from typing import Any

import regex

from index.reading.base import ReadOptions, SourceFile
from index.reading.composing import Composition
from index.reading.decoding import decode, decode_as
from index.reading.markup import compose, visible_blocks
from index.types import Document
from lfm2_colbert.errors import MalformedDocumentError

# A page may declare its encoding within its first kilobyte (HTML standard, "prescan a byte stream").
DECLARED = regex.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w:.-]+)""", regex.IGNORECASE)
PRESCAN_BYTES = 1024
# The HTML standard reads these names as Windows-1252, which has printable characters where Latin-1 has controls.
LATIN_1_NAMES = {"iso8859-1", "ascii", "cp1252"}
STATED = {
    **{name: "author" for name in ("author", "dc.creator", "article:author")},
    **{name: "created" for name in ("date", "dc.date", "article:published_time", "dcterms.created")},
}
"""From the names of meta elements to fields."""
MAIN_SHARE = 0.5
"""Of a page's text: where the main text is less, the rest is what its site puts on every page."""


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the page's text under its headings, without menus; where menus are most of it, its main text alone.

    The main text is what trafilatura finds. It loses headings and small parts, so it decides only where a page holds
    more than twice as much.

    Raises:
        MalformedDocumentError: there is no element in the file, or the parser gave up.
    """
    import trafilatura  # a fifth of a second: only when a page is read

    page = decoded(source.data(), source.id)
    tree = parsed(page, source.id)
    metadata = _stated(tree)
    blocks = list(visible_blocks(tree, with_surroundings=False)) or list(visible_blocks(tree))
    main = trafilatura.bare_extraction(tree, include_comments=False)
    composition = Composition()
    if main and 0 < len(main.text) < MAIN_SHARE * sum(len(block.text) for block in blocks):
        composition.add(main.text, {})
    else:
        compose(iter(blocks), composition, {})
    yield composition.document(source.id, metadata)


def _stated(tree: Any) -> dict[str, str]:
    """Give what a page says of itself."""
    stated = {"title": _title(tree), "author": "", "created": ""}
    for meta in tree.iter("meta"):
        field = STATED.get((meta.get("name") or meta.get("property") or "").lower())
        if field and not stated[field]:
            stated[field] = " ".join((meta.get("content") or "").split())
    return stated


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
    if encoding in LATIN_1_NAMES:
        return data.decode("cp1252", "replace").replace("\r\n", "\n")
    return decode_as(data, encoding, name).replace("\r\n", "\n")


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
