"""PDF through PDFium: text by pages, with a box around each block of lines."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from ctypes import byref, c_double
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
import regex

from index.reading.base import Read, ReadOptions, SourceFile
from index.reading.composing import Composition, Headings
from index.types import Notice
from lfm2_colbert.errors import EmptyDocumentError, EncryptedDocumentError, MalformedDocumentError

PAGES_WITHOUT_TEXT = "pages_without_text"
FIELDS = {"title": "Title", "author": "Author", "subject": "Subject"}
CREATED = regex.compile(r"D:(\d{4})(\d\d)?(\d\d)?")
PASSWORD = 4
"""FPDF_ERR_PASSWORD."""
MAX_PAGES = 20_000

HYPHEN = "\x02"
"""What PDFium writes where a word is divided at the end of a line."""
DIVIDED = regex.compile(rf"{HYPHEN}(?=\p{{Ll}})")
"""A hyphen that the line's end put there; before a capital, as in German compounds, it is the author's."""
RIGHT_TO_LEFT = regex.compile(r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}]{2,}")
CLUSTER = regex.compile(r"\X")
GAP = 0.6
"""Of a line's height: more space than that between two lines, and a block begins."""
FULL = 0.8
"""Of a block's width: a line that is shorter was ended by its author, not by the page."""
UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3000-\u303f\uff00-\uffef]"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; its box in points from the page's lower left corner."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def read(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Give the document, and a notice where pages hold pictures and no text.

    Raises:
        EncryptedDocumentError: it asks for a password.
        MalformedDocumentError: it cannot be opened, or has no pages.
        EmptyDocumentError: no page holds text, as in a scan.
    """
    with closing(_opened(source)) as document:
        composition, pictures = Composition(), []
        paths = _heading_paths(document)
        for number in range(len(document)):
            place = paths.get(number, {}) | {"page": number + 1}
            if not _add_page(document, number, composition, place):
                pictures.append(number + 1)
        metadata = _metadata(document)
        n_pages = len(document)
    try:
        yield composition.document(source.id, metadata | {"pages": n_pages})
    except EmptyDocumentError as error:
        raise EmptyDocumentError(
            f"{source.id}: {n_pages} pages, no text: probably a scan", help="recognise its text first, as ocrmypdf does"
        ) from error
    if pictures:
        shown = ", ".join(map(str, pictures[:10])) + (" …" if len(pictures) > 10 else "")
        yield Notice(PAGES_WITHOUT_TEXT, f"{source.id}: pictures and no text on {len(pictures)} pages: {shown}")


def _opened(source: SourceFile) -> Any:
    try:
        document = pypdfium2.PdfDocument(source.path if source.content is None else source.content)
        n_pages = len(document)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == PASSWORD:
            raise EncryptedDocumentError(
                f"{source.id} asks for a password", help="save it without one, as `qpdf --decrypt` does"
            ) from error
        raise MalformedDocumentError(f"{source.id} is no PDF that can be opened", help="save it again") from error
    if not 0 < n_pages <= MAX_PAGES:
        document.close()
        raise MalformedDocumentError(
            f"{source.id} has {n_pages} pages, not 1 to {MAX_PAGES:,}", help="split it into several files"
        )
    return document


def _metadata(document: Any) -> dict[str, Any]:
    stated = document.get_metadata_dict(skip_empty=True)
    fields = {name: " ".join(stated.get(key, "").split()) for name, key in FIELDS.items()}
    date = CREATED.match(stated.get("CreationDate", ""))
    return fields | {"created": "-".join((date[1], date[2] or "01", date[3] or "01")) if date else ""}


def _heading_paths(document: Any) -> dict[int, dict[str, Any]]:
    """Give the path of bookmarks that each page lies under."""
    path, at_page = Headings(), {}
    for bookmark in document.get_toc(max_depth=6):
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        path.enter(bookmark.level + 1, bookmark.get_title())
        if page is not None:
            at_page[page] = path.place()
    paths, current = {}, dict[str, Any]()
    for number in range(len(document)):
        current = at_page.get(number, current)
        paths[number] = current
    return paths


def _add_page(document: Any, number: int, composition: Composition, place: dict[str, Any]) -> bool:
    """Add a page's blocks; say whether it has text, or no picture either."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return False
    with closing(page), closing(page.get_textpage()) as text_page:
        lines = list(_lines(text_page.raw))
        for block in _blocks(lines):
            composition.add(_joined(block), place | {"box": _box(block)})
        return bool(lines) or not any(page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_IMAGE,), max_depth=2))


def _lines(page: Any) -> Iterator[Line]:
    characters = [pdfium.FPDFText_GetUnicode(page, n) for n in range(pdfium.FPDFText_CountChars(page))]
    start = 0
    for end in [n for n, code in enumerate(characters) if code in (10, 13)] + [len(characters)]:
        text = _righted(page, "".join(map(chr, characters[start:end])), start)
        if text.strip() and (line := _line(page, text, start, end - start)):
            yield line
        start = end + 1


def _righted(page: Any, text: str, start: int) -> str:
    """Give a line whose words in scripts from right to left stand as they are written.

    PDFium reverses those of them that it takes for printed from the left, which words of presentation forms are not.
    """

    def word(found: "regex.Match[str]") -> str:
        first, last = (_left_of(page, start + n) for n in (found.start(), found.end() - 1))
        return str(found[0]) if first >= last else "".join(reversed(CLUSTER.findall(found[0])))

    return str(RIGHT_TO_LEFT.sub(word, text))


def _left_of(page: Any, character: int) -> float:
    sides = [c_double() for _ in range(4)]
    pdfium.FPDFText_GetCharBox(page, character, *map(byref, sides))
    return sides[0].value


def _line(page: Any, text: str, start: int, count: int) -> Line | None:
    """Put a line together with the box around its words; None for one that stands nowhere."""
    sides = [c_double() for _ in range(4)]
    boxes = []
    for n in range(pdfium.FPDFText_CountRects(page, start, count)):
        if pdfium.FPDFText_GetRect(page, n, *map(byref, sides)):
            left, top, right, bottom = (side.value for side in sides)
            boxes.append((left, bottom, right, top))
    if not boxes:
        return None
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return Line(text, min(lefts), min(bottoms), max(rights), max(tops))


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Part lines where the space between two is wide, where the next stands elsewhere, or is of another size."""
    block: list[Line] = []
    for line in lines:
        if block and _begins_block(block[-1], line):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _begins_block(before: Line, line: Line) -> bool:
    height, own = before.top - before.bottom, line.top - line.bottom
    gap = before.bottom - line.top
    elsewhere = gap < -max(height, own) or line.left > before.right or line.right < before.left
    return gap > GAP * max(min(height, own), 1.0) or elsewhere or not 0.7 < (own + 1) / (height + 1) < 1.4


def _joined(block: Sequence[Line]) -> str:
    """Join lines that the page broke; those that end early stay lines."""
    left, right = min(line.left for line in block), max(line.right for line in block)
    text = block[0].text.strip()
    for before, line in pairwise(block):
        words = line.text.strip()
        if text.endswith(HYPHEN):
            text += words
        elif before.right - left < FULL * (right - left):
            text += "\n" + words
        else:
            text += ("" if UNSPACED.match(text[-1]) and UNSPACED.match(words) else " ") + words
    return str(DIVIDED.sub("", text)).replace(HYPHEN, "-")


def _box(block: Sequence[Line]) -> list[float]:
    left, bottom = min(line.left for line in block), min(line.bottom for line in block)
    right, top = max(line.right for line in block), max(line.top for line in block)
    return [round(side, 1) for side in (left, bottom, right, top)]
