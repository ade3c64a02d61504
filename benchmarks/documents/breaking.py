"""Files that are broken, or mean harm: none may stop a run, take a minute, or reach beyond the folder of its own."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping

from benchmarks.documents import making

WORDS = "Wer krank ist, meldet sich am ersten Tag. 有給休暇は二十日です。"
ZEROS = b"\0" * (300 << 20)
BILLION_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)


def bomb() -> bytes:
    """A ZIP archive that unpacks to three hundred megabytes of nothing."""
    return making.zipped({"zeros.txt": ZEROS})


def repacked(package: bytes, changed: Mapping[str, str | bytes]) -> bytes:
    """Put other contents into some files of a ZIP package."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        files: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    return making.zipped({**files, **changed})


def leading_out() -> bytes:
    """A TAR archive whose names and links lead out of it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name in ("../escaped.txt", "/tmp/escaped.txt", "sound.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = len(WORDS.encode())
            archive.addfile(entry, io.BytesIO(WORDS.encode()))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            entry = tarfile.TarInfo(f"link{kind.decode()}.txt")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    return stream.getvalue()


def entity_bomb() -> bytes:
    """A Word document whose XML multiplies itself."""
    body = f'{BILLION_LAUGHS}<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p>'
    return repacked(
        making.word([(0, WORDS)]),
        {"word/document.xml": f"{body}<w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"},
    )


def fetching_entity() -> bytes:
    """A Word document whose XML asks for a file of this machine."""
    doctype = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'
    body = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
    ending = "&secret;</w:t></w:r></w:p></w:body></w:document>"
    return repacked(making.word([(0, WORDS)]), {"word/document.xml": f"{doctype}{body}{WORDS}{ending}"})


def circular_pdf() -> bytes:
    """A PDF whose tree of pages, and whose bookmarks, lead back to themselves."""
    return making.assembled(
        [
            "<< /Type /Catalog /Pages 2 0 R /Outlines 3 0 R >>",
            "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>",
            "<< /Type /Outlines /First 4 0 R /Last 4 0 R /Count 1 >>",
            "<< /Title (round) /Parent 3 0 R /Next 4 0 R /First 4 0 R >>",
        ],
        "/Root 1 0 R",
    )


def self_drawing_pdf() -> bytes:
    """A PDF whose page draws a form that draws itself."""
    form = "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 4 0 R >> >> /Length 5 >>"
    return making.assembled(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 5 0 R "
            "/Resources << /XObject << /X 4 0 R >> >> >>",
            f"{form}\nstream\n/X Do\nendstream",
            "<< /Length 5 >>\nstream\n/X Do\nendstream",
        ],
        "/Root 1 0 R",
    )


def many_entries() -> bytes:
    """A ZIP archive of more files than anybody packs."""
    return making.zipped({f"{n}.txt": "" for n in range(12_000)})


def huge_directory() -> bytes:
    """A ZIP archive whose end says that its directory takes gigabytes."""
    sound = making.zipped({"a.txt": WORDS})
    end = sound.rfind(b"PK\x05\x06")
    return sound[: end + 12] + struct.pack("<L", 0xF0000000) + sound[end + 16 :]


def lying_size() -> bytes:
    """A ZIP archive that says of a file that it is small, and it is not."""
    packed = bytearray(making.zipped({"a.txt": b"x" * 5_000_000}))
    size = struct.pack("<L", 5_000_000)
    return bytes(packed.replace(size, struct.pack("<L", 100)))


def encrypted_zip() -> bytes:
    """A ZIP archive with a file under a password."""
    packed = bytearray(making.zipped({"a.txt": WORDS}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.find(mark) + offset] |= 1
    return bytes(packed)


def deep_mail() -> bytes:
    """A message within a message, a thousand times."""
    inner = b"Subject: innermost\n\n" + WORDS.encode()
    for _ in range(1_000):
        inner = b"Content-Type: message/rfc822\n\n" + inner
    return inner


def cut(content: bytes) -> bytes:
    """The first two thirds of a file."""
    return content[: len(content) * 2 // 3]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "bomb.zip": bomb,
    "many.zip": many_entries,
    "directory.zip": huge_directory,
    "lying.zip": lying_size,
    "encrypted.zip": encrypted_zip,
    "nested.zip": lambda: making.zipped({"inner.zip": making.zipped({"a.txt": WORDS})}),
    "traversal.zip": lambda: making.zipped(
        {"../escaped.txt": WORDS, "a/../../escaped.txt": WORDS, "C:\\escaped.txt": WORDS}
    ),
    "bidi.zip": lambda: making.zipped({"invoice\u202efdp.txt": WORDS}),
    "links.tar.gz": leading_out,
    "bomb.docx": lambda: repacked(making.word([(0, WORDS)]), {"word/document.xml": b" " * (600 << 20)}),
    "entities.docx": entity_bomb,
    "fetching.docx": fetching_entity,
    "bomb.xlsx": lambda: repacked(making.sheets({"A": [["x"]]}), {"xl/worksheets/sheet1.xml": b" " * (900 << 20)}),
    "bomb.epub": lambda: repacked(making.book([WORDS]), {"book/chapter1.xhtml": b" " * (600 << 20)}),
    "circle.pdf": circular_pdf,
    "drawing.pdf": self_drawing_pdf,
    "deep.html": lambda: b"<div>" * 10_000 + WORDS.encode() + b"</div>" * 10_000,
    "deep.xhtml": lambda: b"<b>" * 100_000,
    "wide.csv": lambda: ",".join(f"c{n}" for n in range(1_000_000)).encode() + b"\n1\n",
    "quotes.csv": lambda: b'"' + b"x" * 10_000_000,
    "deep.jsonl": lambda: b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
    "deep.eml": deep_mail,
    "headers.eml": lambda: b"".join(b"X-%d: y\n" % n for n in range(200_000)) + b"\n" + WORDS.encode(),
    "aliases.md": lambda: b"---\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n---\n" + WORDS.encode(),
    "brackets.md": lambda: b"---\na: " + b"[" * 60_000 + b"\n---\n" + WORDS.encode(),
    "binary.txt": lambda: bytes(range(256)) * 50,
    "picture.pdf": lambda: b"\x89PNG\r\n\x1a\n" + bytes(5_000),
    "under-a-password.docx": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5_000),
}
"""By name: what makes it."""

DAMAGED: dict[str, Callable[[], bytes]] = {
    "cut.pdf": lambda: cut(making.pdf([[WORDS]])),
    "cut.docx": lambda: cut(making.word([(0, WORDS)])),
    "cut.pptx": lambda: cut(making.slides([("A", WORDS)])),
    "cut.xlsx": lambda: cut(making.sheets({"A": [[WORDS]]})),
    "cut.ods": lambda: cut(making.open_sheets({"A": [[WORDS]]})),
    "cut.epub": lambda: cut(making.book([WORDS])),
    "cut.zip": lambda: cut(making.zipped({"a.txt": WORDS})),
    "cut.tar.gz": lambda: cut(leading_out()),
    "empty.pdf": bytes,
    "empty.docx": bytes,
    "empty.xlsx": bytes,
    "empty.eml": bytes,
    "scan.pdf": lambda: making.pdf([[], []]),
    "not-a.docx": lambda: making.zipped({"a.txt": WORDS}),
    "not-a.pptx": lambda: making.word([(0, WORDS)]),
    "not-a.epub": lambda: making.zipped({"META-INF/container.xml": "<container/>"}),
    "half-character.txt": lambda: "Größe".encode()[:-2],
    "half-row.jsonl": lambda: b'{"text": "a',
    "columns.csv": lambda: b"text\n" + b'"half',
    "nothing.html": lambda: b"<!-- -->",
}
