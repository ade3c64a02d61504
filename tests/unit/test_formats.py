"""What each format gives: text, fields, and where in the file it stands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents import making
from benchmarks.documents.gathering import SENTENCES, made
from index import Collection
from index.anchors import place_of
from index.reading.base import SourceFile
from index.reading.files import FileReader
from index.reading.formats import ARCHIVES, READERS, format_of
from index.types import Anchor, Document, Failure, Notice

GOLDEN = Path(__file__).parents[1] / "golden" / "documents"
JA, DE, AR, TH = (SENTENCES[language] for language in ("ja", "de", "ar", "th"))


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    with FileReader() as reader:
        yield reader


def given(reader: FileReader, name: str, content: bytes) -> list[Document | Failure | Notice]:
    return list(reader.read(SourceFile(Path(), name, content)))


def document(reader: FileReader, name: str, content: bytes) -> Document:
    (only,) = (item for item in given(reader, name, content) if isinstance(item, Document))
    return only


def place(document: Document, words: str) -> dict[str, Any]:
    """Give the place of the last occurrence of words, as a passage that begins there has it."""
    start = document.text.rindex(words)
    covered = [anchor for anchor in document.anchors if anchor.start <= start][-1:]
    return place_of(covered, document.text.count("\n", covered[0].start, start)) if covered else {}


def test_a_pdf_has_pages_boxes_and_bookmarks(reader: FileReader) -> None:
    content = making.pdf([[DE, JA], [TH]], "Bericht", outline=[("Eins", 0), ("Zwei", 1)])
    found = document(reader, "a.pdf", content)
    assert found.text == f"{DE}\n\n{JA}\n\n{TH}"
    assert found.metadata == {"title": "Bericht", "created": "2024-05-17", "pages": 2}
    box = place(found, JA).pop("box")
    assert place(found, JA) | {"box": None} == {"page": 1, "heading": ["Eins"], "box": None}
    assert 72 <= box[0] < box[2] <= 612
    assert 675 < box[1] <= box[3] < 695
    assert place(found, TH)["page"] == 2
    assert place(found, TH)["heading"] == ["Zwei"]


def test_words_divided_at_line_ends_of_a_pdf_are_one(reader: FileReader) -> None:
    lines = ["Der Urlaub der Mitarbei-", "terinnen betraegt im Jahr vier-", "undzwanzig Tage im Online-", "Handel."]
    shown = "".join(f"BT /F 12 Tf 72 {700 - 14 * n} Td ({line}) Tj ET\n" for n, line in enumerate(lines))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >> >>",
        f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    found = document(reader, "a.pdf", making.assembled(objects, "/Root 1 0 R"))
    words = "Der Urlaub der Mitarbeiterinnen betraegt im Jahr vierundzwanzig Tage im Online-Handel."
    assert " ".join(found.text.split()) == words


def test_a_word_document_has_headings_and_tables(reader: FileReader) -> None:
    blocks = [(1, "Urlaub"), (0, DE), (2, "日本"), (0, JA), [["a", AR], ["b", "24"]], (1, "Ende"), (0, TH)]
    found = document(reader, "a.docx", making.word(blocks, "Handbuch"))
    assert found.metadata["title"] == "Handbuch"
    assert found.text == f"Urlaub\n\n{DE}\n\n日本\n\n{JA}\n\n| a | {AR} |\n| b | 24 |\n\nEnde\n\n{TH}"
    assert [place(found, words)["heading"] for words in (DE, JA, AR, TH)] == [
        ["Urlaub"], ["Urlaub", "日本"], ["Urlaub", "日本"], ["Ende"],
    ]  # fmt: skip


def test_slides_have_numbers_titles_and_notes(reader: FileReader) -> None:
    found = document(reader, "a.pptx", making.slides([("Eins", DE), ("二", JA)], notes=TH))
    assert found.text == f"Eins\n\n{DE}\n\n二\n\n{JA}\n\n{TH}"
    assert place(found, DE) == {"slide": 1, "heading": ["Eins"]}
    assert place(found, JA) == {"slide": 2, "heading": ["二"]}
    assert place(found, TH) == {"slide": 2, "heading": ["二"], "part": "notes"}


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods"])
def test_sheets_have_cells(reader: FileReader, name: str) -> None:
    rows = [["Name", "Text"], ["x", JA], ["", ""], ["y", AR]]
    make = making.sheets if name == "a.xlsx" else making.open_sheets
    found = document(reader, name, make({"Q1": rows, "Leer": [], "四半期": [["z", TH]]}))
    assert found.text == f"Q1\n\n| Name | Text |\n| x | {JA} |\n\n| y | {AR} |\n\n四半期\n\n| z | {TH} |"
    assert place(found, AR) == {"cell": "Q1!A4:B4", "heading": ["Q1"]}
    assert place(found, TH) == {"cell": "四半期!A1:B1", "heading": ["四半期"]}


def test_numbers_and_dates_of_sheets_are_written_as_people_read_them(reader: FileReader) -> None:
    found = document(reader, "a.xlsx", making.sheets({"A": [[24, 2.5, True, "x"]]}))
    assert found.text.endswith("| 24 | 2.5 | True | x |")


def test_a_book_has_parts_and_headings(reader: FileReader) -> None:
    found = document(
        reader, "a.epub", making.book([f"<h1>A</h1><p>{DE}</p>", f"<h2>B</h2><p>{JA}<br/>{TH}</p>"], "Buch")
    )
    assert found.metadata == {"title": "Buch"}
    assert found.text == f"A\n\n{DE}\n\nB\n\n{JA}\n\n{TH}"
    assert place(found, TH) == {"part": "book/chapter2.xhtml", "heading": ["B"]}


def test_a_message_says_who_and_when_and_what_is_attached(reader: FileReader) -> None:
    attached = {"plan.docx": making.word([(0, JA)]), "photo.jpg": b"\xff\xd8", "a/b.txt": TH.encode()}
    message, plan, photo, text = given(reader, "a.eml", making.message("Urlaub", DE, attached))
    assert isinstance(message, Document)
    assert message.text == f"Urlaub\n\n{DE}"
    assert message.metadata["created"] == "2024-05-17T12:00:00+02:00"
    assert message.metadata["author"] == "Ada <ada@example.org>"
    assert isinstance(plan, Document)
    assert (plan.id, plan.text) == ("a.eml/plan.docx", JA)
    assert isinstance(photo, Failure)
    assert (photo.path, photo.code) == ("a.eml/photo.jpg", "unsupported_file")
    assert isinstance(text, Document)
    assert (text.id, text.text) == ("a.eml/a_b.txt", TH)


def test_rows_of_a_table_are_documents_with_typed_fields(reader: FileReader) -> None:
    table = f'id;text;year;zip;score\na;"{DE}";2024;01234;0.5\nb;{JA};2025;99999;1\n;{TH};;;\n'
    rows = [item for item in given(reader, "t.csv", table.encode()) if isinstance(item, Document)]
    assert [(row.id, row.text, row.metadata) for row in rows] == [
        ("a", DE, {"year": 2024, "zip": "01234", "score": 0.5}),
        ("b", JA, {"year": 2025, "zip": "99999", "score": 1.0}),
        ("t.csv#4", TH, {}),
    ]
    assert rows[1].anchors == (Anchor(0, {"line": 3}),)


def test_a_table_without_a_text_column_is_one_document_and_says_so(reader: FileReader) -> None:
    notice, table = given(reader, "t.tsv", f"Name\tAntwort\nx\t{AR}\n".encode())
    assert isinstance(notice, Notice)
    assert "--text-field" in notice.message
    assert isinstance(table, Document)
    assert table.text == f"| Name | Antwort |\n| x | {AR} |"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Größe, Übermaß und Fußgängerübergänge gehören zu den häufigsten Wörtern in diesem Absatz. " * 3),
        ("shift_jis", "有給休暇は入社した年から取ることができます。申請は上司に行います。" * 5),
        ("gb18030", "员工从入职当年起可以享受带薪年假，请向上级提出申请。" * 5),
        ("euc_kr", "직원은 입사한 해부터 유급 휴가를 사용할 수 있습니다. 상사에게 신청하십시오. " * 5),
        ("koi8_r", "Отпуск в первый год составляет двадцать четыре рабочих дня, заявление подают начальнику. " * 5),
    ],
)
def test_old_encodings_are_recognised_and_said(reader: FileReader, encoding: str, text: str) -> None:
    found, notice = given(reader, "a.txt", text.encode(encoding))
    assert isinstance(found, Document)
    assert found.text == text
    assert isinstance(notice, Notice)
    assert notice.code == "encoding_guessed"


def test_code_is_read_as_it_stands_and_counts_lines(reader: FileReader) -> None:
    text = "\n".join(f"x{n} = {n}  # 変数" for n in range(1000))
    found = document(reader, "src/a.py", text.encode())
    assert found.text == text
    assert place(found, "x777 =") == {"line": 778}


def test_archives_are_folders(reader: FileReader, tmp_path: Path) -> None:
    packed = making.zipped({"de/a.md": f"# A\n\n{DE}", "b.pdf": making.pdf([[JA]]), "c.xyz": "?", ".hidden.txt": "no"})
    (tmp_path / "docs.zip").write_bytes(packed)
    found = list(reader.read(SourceFile(tmp_path / "docs.zip", "docs.zip")))
    assert {item.id: item.text for item in found if isinstance(item, Document)} == {
        "docs.zip/de/a.md": f"# A\n\n{DE}", "docs.zip/b.pdf": JA,
    }  # fmt: skip
    assert {item.path for item in found if isinstance(item, Failure)} == {"docs.zip/c.xyz", "docs.zip/.hidden.txt"}


def test_a_sidecar_adds_fields(reader: FileReader, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(making.pdf([[DE]], "Titel"))
    (tmp_path / "a.pdf.meta.json").write_text('{"year": 2024, "title": "別の題"}', encoding="utf-8")
    (found,) = reader.read(SourceFile(tmp_path / "a.pdf", "a.pdf"))
    assert isinstance(found, Document)
    assert (found.metadata["year"], found.metadata["title"]) == (2024, "別の題")


@pytest.mark.parametrize("head", ["a: &x [1]\nb: *x", "- 1", "a: {", "a: " + "[" * 2000])
def test_front_matter_that_cannot_be_read_is_said(reader: FileReader, head: str) -> None:
    notice, found = given(reader, "a.md", f"---\n{head}\n---\n# T\n".encode())
    assert isinstance(notice, Notice)
    assert notice.code == "front_matter_unread"
    assert isinstance(found, Document)
    assert found.metadata == {"title": "T"}


def test_front_matter_is_typed(reader: FileReader) -> None:
    head = "title: 年休\nyear: 2024\ndate: 2024-05-17\ntags: [a, b]\ndraft: false\nempty:"
    found = document(reader, "a.md", f"---\n{head}\n---\n# T\n".encode())
    expected = {"title": "年休", "year": 2024, "date": "2024-05-17", "tags": ["a", "b"], "draft": False}
    assert found.metadata == expected


def test_headings_of_a_page_are_kept_and_its_menu_is_not(reader: FileReader) -> None:
    page = (
        "<title>T</title><nav><a href=x>Menü</a></nav><div class='titlepage'><h1>Urlaub</h1></div>"
        f"<p>{DE}</p><h2>日本</h2><ul><li>{JA}</li><li>zwei</li></ul><pre>a = 1\n  b</pre>"
        "<table><tr><th>x</th><td>1</td></tr></table><div id=sidebar>Werbung</div><footer>© 2024</footer>"
    )
    found = document(reader, "a.html", page.encode())
    assert found.text == f"Urlaub\n\n{DE}\n\n日本\n\n{JA}\nzwei\n\n```\na = 1\n  b\n```\n\n| x | 1 |"
    assert place(found, JA) == {"heading": ["Urlaub", "日本"]}


def test_every_format_says_where_a_hit_stands(tmp_path: Path) -> None:
    for name, content in made().items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with Collection.open("made", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        report = collection.add_files(tmp_path / "files")
        assert report.failed == ()
        shown = {}
        for document_id in collection.ids():
            stored = collection.get(document_id)
            assert stored is not None
            for passage in collection.passages(document_id):
                text = stored.text[passage.start : passage.end]
                found = collection.search(text[:200], k=200, mode="lexical", highlight=False)
                hit = next(each for each in found if each.document_id == document_id)
                assert hit.text == stored.text[hit.span.start : hit.span.end]
                shown[format_of(document_id) or document_id.partition("#")[0][-5:]] = set(hit.anchor)
    assert shown[".pdf"] >= {"page", "box"}
    assert shown[".docx"] == shown[".html"] == {"heading"}
    assert shown[".md"] >= {"line"}
    assert shown[".pptx"] >= {"slide"}
    assert shown[".xlsx"] >= {"cell"}
    assert shown[".epub"] >= {"part"}


def test_the_table_of_formats_is_whole() -> None:
    assert not READERS.keys() & ARCHIVES.keys()
    assert [format_of(f"x{suffix}") for suffix in READERS if suffix != "code"] == [s for s in READERS if s != "code"]


def test_words_from_right_to_left_are_read_as_they_are_written(reader: FileReader) -> None:
    found = document(reader, "a.pdf", (GOLDEN / "printed-by-chromium.pdf").read_bytes())
    heading = "سياسة الإجازات"
    words = "الإجازة السنوية أربعة وعشرون يوما في السنة الأولى، وتزداد بعد خمس سنوات إلى ثلاثين يوما."
    assert found.text.startswith(f"{heading}\n\n{words}\n\n日本の首都は東京です")
    assert "วันลาพักร้อนในปีแรกคือยี่สิบสี่วัน" in found.text
