"""EPUB: the chapters of a book in their order, under their headings."""

import posixpath
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import regex

from index.reading.base import ReadOptions, SourceFile
from index.reading.composing import Composition
from index.reading.html import decoded, parsed
from index.reading.markup import compose, visible_blocks
from index.reading.packages import checked, malformed, parsed_xml
from index.types import Document
from lfm2_colbert.errors import EncryptedDocumentError

KIND = "EPUB book"
CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
DC = "{http://purl.org/dc/elements/1.1/}"
EMPTY_ELEMENT = regex.compile(r"<(title|script|style|a|p|div|span|i|b|em|td|li)(\s[^<>]*)?/>", regex.IGNORECASE)
"""What XHTML closes at once, HTML leaves open."""
FONTS_ONLY = (b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC")
"""Ways to disguise fonts, which nobody reads."""


def read(source: SourceFile, options: ReadOptions) -> Iterator[Document]:
    """Give the book as one document.

    Raises:
        EncryptedDocumentError: its chapters are encrypted.
        MalformedDocumentError: it cannot be opened.
        EmptyDocumentError: it holds no text.
    """
    composition = Composition()
    with malformed(source, KIND), zipfile.ZipFile(checked(source, KIND)) as package:
        _require_open(package, source.id)
        place = parsed_xml(package.read(CONTAINER)).find(".//{*}rootfile").get("full-path")
        book = parsed_xml(package.read(place))
        for name in _chapters(book, posixpath.dirname(place)):
            _add_chapter(package.read(name), name, source.id, composition)
        metadata = _metadata(book)
    yield composition.document(source.id, metadata)


def _require_open(package: zipfile.ZipFile, name: str) -> None:
    if ENCRYPTION in package.namelist():
        methods = package.read(ENCRYPTION)
        if methods.count(b"<EncryptionMethod") + methods.count(b":EncryptionMethod") > sum(
            map(methods.count, FONTS_ONLY)
        ):
            raise EncryptedDocumentError(f"{name} is encrypted", help="ask for a copy without protection")


def _chapters(book: Any, folder: str) -> Iterator[str]:
    """Give the files of the chapters, in reading order."""
    items = {item.get("id"): item.get("href") for item in book.iterfind(".//{*}manifest/{*}item")}
    for reference in book.iterfind(".//{*}spine/{*}itemref"):
        if href := items.get(reference.get("idref")):
            yield posixpath.normpath(posixpath.join(folder, unquote(href)))


def _add_chapter(content: bytes, name: str, book: str, composition: Composition) -> None:
    page = parsed(EMPTY_ELEMENT.sub(r"<\1\2></\1>", decoded(content, book)), book)
    compose(visible_blocks(page), composition, {"part": name})


def _metadata(book: Any) -> dict[str, Any]:
    found = {name: book.findtext(f".//{DC}{name}", "").strip() for name in ("title", "creator", "date")}
    return {"title": found["title"], "author": found["creator"], "created": found["date"]}
