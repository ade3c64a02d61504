"""Small sound files of every format, in any script, made without the readers that are tested with them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from xml.sax.saxutils import escape

import docx
import pptx
import xlsxwriter

CREATED = (2024, 5, 17)


def pdf(pages: Sequence[Sequence[str]], title: str = "", outline: Sequence[tuple[str, int]] = ()) -> bytes:
    """Write a PDF; each page a sequence of lines, 40 points apart.

    Glyphs stand in the order of the text, in a font that is not embedded; its characters are what `ToUnicode` says.

    Args:
        pages: lines of each page.
        title: of the document.
        outline: bookmarks, each a title and the page from 0.
    """
    characters = sorted(set("".join(line for page in pages for line in page)))
    codes = {character: n for n, character in enumerate(characters, start=1)}
    objects = ["", "", _font(), _stream(_to_unicode(codes))]  # 1: catalog, 2: pages
    kids = []
    for lines in pages:
        shown = "".join(
            f"BT /F 12 Tf 72 {720 - 40 * n} Td <{''.join(f'{codes[c]:04x}' for c in line)}> Tj ET\n"
            for n, line in enumerate(lines)
        )
        objects.append(_stream(shown))
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F 3 0 R >> >> "
            f"/Contents {len(objects)} 0 R >>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    outlines = _outline(objects, outline, kids)
    objects[0] = f"<< /Type /Catalog /Pages 2 0 R {outlines} >>"
    objects.append(f"<< /Title <{title.encode('utf-16').hex()}> /CreationDate (D:20240517120000Z) >>")
    return assembled(objects, f"/Root 1 0 R /Info {len(objects)} 0 R")


def assembled(objects: Sequence[str], trailer: str) -> bytes:
    """Put a PDF together from its objects, numbered from 1."""
    body, offsets = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{each}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    end = f"trailer << /Size {size} {trailer} >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {size}\n0000000000 65535 f \n{table}{end}".encode("latin-1")


def _font() -> str:
    descriptor = (
        "<< /Type /FontDescriptor /FontName /Sample /Flags 4 /FontBBox [0 -200 1000 800] /ItalicAngle 0 /Ascent 800 "
        "/Descent -200 /CapHeight 700 /StemV 80 >>"
    )
    system = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    return (
        "<< /Type /Font /Subtype /Type0 /BaseFont /Sample /Encoding /Identity-H /ToUnicode 4 0 R /DescendantFonts [<< "
        f"/Type /Font /Subtype /CIDFontType2 /BaseFont /Sample /CIDSystemInfo {system} /DW 600 "
        f"/FontDescriptor {descriptor} >>] >>"
    )


def _to_unicode(codes: Mapping[str, int]) -> str:
    pairs = [f"<{code:04x}> <{character.encode('utf-16-be').hex()}>" for character, code in codes.items()]
    blocks = [pairs[n : n + 100] for n in range(0, len(pairs), 100)]
    mapped = "".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar\n" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Sample def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{mapped}endcmap end end"
    )


def _stream(content: str) -> str:
    return f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"


def _outline(objects: list[str], outline: Sequence[tuple[str, int]], kids: Sequence[str]) -> str:
    if not outline:
        return ""
    first, parent = len(objects) + 2, len(objects) + 1
    last = first + len(outline) - 1
    objects.append(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(outline)} >>")
    for n, (title, page) in enumerate(outline):
        neighbours = (f"/Prev {first + n - 1} 0 R " if n else "") + (
            f"/Next {first + n + 1} 0 R " if first + n < last else ""
        )
        objects.append(
            f"<< /Title <{title.encode('utf-16').hex()}> /Parent {parent} 0 R {neighbours}/Dest [{kids[page]} /Fit] >>"
        )
    return f"/Outlines {parent} 0 R"


def word(blocks: Sequence[tuple[int, str] | Sequence[Sequence[str]]], title: str = "") -> bytes:
    """Write a Word document: pairs of a heading's level, 0 for a paragraph, and words; or tables, rows of cells."""
    document = docx.Document()
    document.core_properties.title = title
    for block in blocks:
        if isinstance(block, tuple) and isinstance(block[0], int):
            level, text = block
            document.add_heading(str(text), level) if level else document.add_paragraph(str(text))
            continue
        rows = [list(row) for row in block if not isinstance(row, int)]
        table = document.add_table(len(rows), len(rows[0]))
        for n, row in enumerate(rows):
            for cell, text in zip(table.rows[n].cells, row, strict=True):
                cell.text = text
    return _saved(document)


def slides(pages: Sequence[tuple[str, str]], title: str = "", notes: str = "") -> bytes:
    """Write a presentation; each slide has a title and words, the last one notes."""
    presentation = pptx.Presentation()
    presentation.core_properties.title = title
    for heading, words in pages:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text = words
    if notes:
        slide.notes_slide.notes_text_frame.text = notes
    return _saved(presentation)


def _saved(document: object) -> bytes:
    stream = io.BytesIO()
    document.save(stream)  # type: ignore[attr-defined]
    return stream.getvalue()


def sheets(tables: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """Write an Excel workbook from the rows of each sheet."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as workbook:
        for name, rows in tables.items():
            sheet = workbook.add_worksheet(name)
            for n, row in enumerate(rows):
                sheet.write_row(n, 0, row)
    return stream.getvalue()


def open_sheets(tables: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """Write an OpenDocument spreadsheet from the rows of each sheet."""

    def row(cells: Sequence[str]) -> str:
        cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
        return "<table:table-row>" + "".join(cell.format(escape(each)) for each in cells) + "</table:table-row>"

    body = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(row, rows))}</table:table>'
        for name, rows in tables.items()
    )
    names = " ".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "table", "text")
    )
    content = (
        f"<office:document-content {names}><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": _manifest(kind)})


def _manifest(kind: str) -> str:
    return (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )


def book(chapters: Sequence[str], title: str = "") -> bytes:
    """Write an EPUB from the bodies of its chapters, in HTML."""
    names = [f"chapter{n}.xhtml" for n in range(1, len(chapters) + 1)]
    items = "".join(
        f'<item id="c{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(names)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>{escape(title)}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book/content.opf"/></rootfiles></container>'
    )
    pages = {
        f"book/{name}": f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{body}</body></html>'
        for name, body in zip(names, chapters, strict=True)
    }
    mimetype = {"mimetype": "application/epub+zip"}
    return zipped(mimetype | {"META-INF/container.xml": container, "book/content.opf": package} | pages)


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Write a ZIP archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def message(subject: str, text: str, attached: Mapping[str, bytes] | None = None) -> bytes:
    """Write an e-mail, with files attached."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ada <ada@example.org>", "Bob <bob@example.org>", subject
    made["Date"] = "Fri, 17 May 2024 12:00:00 +0200"
    made.set_content(text)
    for name, content in (attached or {}).items():
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes()


def mailbox(messages: Sequence[bytes]) -> bytes:
    """Write a mailbox."""
    return b"".join(b"From ada@example.org Fri May 17 12:00:00 2024\n" + each + b"\n" for each in messages)
