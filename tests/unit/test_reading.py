"""What each reader makes of good and of broken files, by hand-written truth."""

import codecs
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from index.reading import base, read
from index.reading.base import ReadOptions, SourceFile
from index.reading.decoding import decode
from index.reading.markdown import headings
from index.reading.scan import scan
from index.types import Anchor, Document, Failure, Notice
from lfm2_colbert.errors import InvalidEncodingError, NotFoundError, PermissionDeniedError

NOBODY = 65534


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Path]:
    """A folder of a user who may not read everything, even where the tests run as root."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


def outcome(folder: Path, name: str, data: bytes, **options: str) -> list[Document | Failure]:
    path = folder / name
    path.write_bytes(data)
    return list(read(SourceFile(path, name), ReadOptions(**options)))


def document(folder: Path, name: str, data: bytes) -> Document:
    (only,) = outcome(folder, name, data)
    assert isinstance(only, Document), only
    return only


def failure(folder: Path, name: str, data: bytes) -> Failure:
    (only,) = outcome(folder, name, data)
    assert isinstance(only, Failure), only
    return only


# --- bytes to text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        "مرحبا 日本語 한국어 Grüße\n".encode(),
        codecs.BOM_UTF8 + "مرحبا 日本語 한국어 Grüße\n".encode(),
        codecs.BOM_UTF16_LE + "مرحبا 日本語 한국어 Grüße\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "مرحبا 日本語 한국어 Grüße\n".encode("utf-16-be"),
    ],
)
def test_every_unicode_encoding_gives_the_same_text(data: bytes) -> None:
    assert decode(data, "a.txt") == "مرحبا 日本語 한국어 Grüße\n"


def test_windows_newlines_become_one_character() -> None:
    assert decode(b"one\r\ntwo\rthree\n", "a.txt") == "one\ntwo\rthree\n"


@given(st.text().filter(lambda text: "\r" not in text))
def test_decoding_inverts_encoding_for_visible_text(text: str) -> None:
    words = "visible " + "".join(c for c in text if c >= " " and c not in "\x7f\ufeff")
    assert decode(words.encode(), "a.txt") == words


def test_invalid_utf_8_is_named_by_its_byte_offset() -> None:
    with pytest.raises(InvalidEncodingError, match=r"byte 2 is 0xf6") as caught:
        decode("Größe".encode("cp1252"), "a.txt")
    assert "iconv" in caught.value.help


def test_truncated_utf_16_is_an_encoding_error() -> None:
    with pytest.raises(InvalidEncodingError, match="UTF-16"):
        decode(codecs.BOM_UTF16_LE + b"a\0b", "a.txt")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"text\0text", b"\x01\x02\x03abc", "a\0b".encode("utf-16")])
def test_binary_data_is_not_text(tmp_path: Path, data: bytes) -> None:
    assert failure(tmp_path, "a.txt", data).code == "not_text"


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u2060\ufeff", "\u3164\u00a0\u3000", "\u2800\ufe0f"])
def test_invisible_text_is_empty(tmp_path: Path, text: str) -> None:
    assert failure(tmp_path, "a.txt", text.encode()).code == "empty_document"


@pytest.mark.parametrize("text", ["۱", "।", "🙂", "あ", "\u0301"])
def test_one_visible_character_is_a_document(tmp_path: Path, text: str) -> None:
    assert document(tmp_path, "a.txt", text.encode()).text == text


def test_a_file_over_the_limit_is_refused_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_DOCUMENT_BYTES", 10)
    assert document(tmp_path, "a.txt", b"0123456789").text == "0123456789"
    assert failure(tmp_path, "a.txt", b"0123456789a").code == "document_too_large"


def test_a_file_without_permission_is_a_failure(unprivileged: Path) -> None:
    (unprivileged / "a.txt").write_text("words")
    (unprivileged / "a.txt").chmod(0)
    (only,) = read(SourceFile(unprivileged / "a.txt", "a.txt"), ReadOptions())
    assert isinstance(only, Failure)
    assert only.code == "permission_denied"


def test_a_file_that_vanished_is_a_failure(tmp_path: Path) -> None:
    (only,) = read(SourceFile(tmp_path / "a.txt", "a.txt"), ReadOptions())
    assert isinstance(only, Failure)
    assert only.code == "not_found"


def test_the_content_hash_is_xxh3_of_the_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "a.txt").write_bytes(data)
    assert SourceFile(tmp_path / "a.txt", "a.txt").content_hash() == xxhash.xxh3_128_hexdigest(data)


# --- markdown --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# Urlaub\n\nText", "Urlaub"),
        ("Text\n\n## 有給休暇 ##\n# Later", "有給休暇"),
        ("العطلة\n======\n", "العطلة"),
        ("Zwei\n---\nText", "Zwei"),
        ("---\ntitle: not this\n---\n# This", "This"),
        ("```\n# code\n```\n# Real", "Real"),
        ("~~~~\n# code\n~~~\n# code\n~~~~\n# Real", "Real"),
        ("#hashtag\n\n####### seven\n", ""),
        ("\n---\n\nText", ""),
        ("# C#", "C#"),
        ("no heading", ""),
    ],
)
def test_the_title_is_the_first_heading(text: str, title: str) -> None:
    assert next((each.title for each in headings(text)), "") == title


def test_markdown_text_stays_as_written(tmp_path: Path) -> None:
    text = "---\na: b\n---\n# Titel\n\n*fett* `code`\n"
    anchors = (Anchor(0, {"line": 1}), Anchor(13, {"heading": ["Titel"], "line": 4}))
    assert document(tmp_path, "a.md", text.encode()) == Document("a.md", text, {"title": "Titel", "a": "b"}, anchors)


# --- html ------------------------------------------------------------------------------------------------------------

MENU = "<nav><ul><li><a href='/'>Startseite</a></li><li><a href='/x'>Impressum</a></li></ul></nav>"
ARTICLE = "<p>" + "Wer krank ist, meldet sich am ersten Tag bei seiner Abteilung. " * 8 + "</p>"


def test_html_gives_the_main_text_without_menu_or_script(tmp_path: Path) -> None:
    page = f"<html><head><title> Krank\n heit </title></head><body>{MENU}<main><article>{ARTICLE}</article></main>"
    found = document(tmp_path, "a.html", f"{page}<script>var x = 'geheim'</script></body></html>".encode())
    assert found.metadata == {"title": "Krank heit"}
    assert found.text.startswith("Wer krank ist")
    assert "Impressum" not in found.text
    assert "geheim" not in found.text


def test_html_without_main_text_gives_all_visible_text(tmp_path: Path) -> None:
    page = "<footer>Eins<b>zwei</b><div>drei</div><!-- no --><p hidden>no</p><style>no</style>vier</footer>"
    assert document(tmp_path, "a.html", page.encode()).text == "Einszwei\n\ndrei\n\nvier"


def test_html_uses_its_declared_encoding(tmp_path: Path) -> None:
    japanese = "<meta charset='shift_jis'><title>休暇</title><p>有給休暇は二十日です。</p>".encode("shift_jis")
    assert document(tmp_path, "a.html", japanese).text == "有給休暇は二十日です。"
    german = "<?xml version='1.0' encoding='ISO-8859-1'?><html><body><p>Größe „M“</p></body></html>".encode("cp1252")
    assert document(tmp_path, "b.html", german).text == "Größe „M“"


def test_html_with_a_wrong_or_unknown_declaration_falls_back_to_utf_8(tmp_path: Path) -> None:
    for charset in ("utf-16", "x-unknown", "rot13"):
        page = f"<html><head><meta charset={charset}></head><body><p>Grüße aus Köln</p></body></html>"
        assert document(tmp_path, "a.html", page.encode()).text == "Grüße aus Köln"


def test_html_without_any_text_is_empty(tmp_path: Path) -> None:
    assert failure(tmp_path, "a.html", b"<html><body><img src='x.png'></body></html>").code == "empty_document"
    assert failure(tmp_path, "a.html", b"<!-- only a comment -->").code == "malformed_document"


@pytest.mark.parametrize("depth", [300, 2000])
def test_deeply_nested_html_keeps_all_its_text(tmp_path: Path, depth: int) -> None:
    page = "<p>vorher</p>" + "<div>" * depth + "tief" + "</div>" * depth + "<p>nachher</p>"
    assert document(tmp_path, "a.html", page.encode()).text.split() == ["vorher", "tief", "nachher"]


def test_html_that_the_parser_gives_up_is_refused_instead_of_cut(tmp_path: Path) -> None:
    page = "<p>vorher</p>" + "<div>" * 20_000 + "tief" + "</div>" * 20_000 + "<p>nachher</p>"
    assert failure(tmp_path, "a.html", page.encode()).code == "malformed_document"


def test_a_paragraph_of_many_megabytes_is_kept_whole(tmp_path: Path) -> None:
    text = "Grüße aus Köln. " * 700_000
    assert document(tmp_path, "a.html", f"<html><body><p>{text}</p></body></html>".encode()).text == text.strip()


# --- jsonl -----------------------------------------------------------------------------------------------------------


def test_jsonl_rows_become_documents_with_their_other_fields_as_metadata(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 7, "text": "eins", "title": "Titel", "year": 2024},
        {"_id": "b", "text": "zwei", "title": "", "tags": ["x"]},
        {"text": "drei", "id": None},
    ]
    data = "\n\n".join(json.dumps(row) for row in rows).encode()
    assert outcome(tmp_path, "a.jsonl", codecs.BOM_UTF8 + data) == [
        Document("7", "eins", {"title": "Titel", "year": 2024}),
        Document("b", "zwei", {"tags": ["x"]}),
        Document("a.jsonl#5", "drei", {"id": None}),
    ]


def test_the_text_field_can_be_named(tmp_path: Path) -> None:
    found = outcome(tmp_path, "a.jsonl", b'{"id": "a", "body": "words", "text": 3}', text_field="body")
    assert found == [Document("a", "words", {"text": 3})]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"{", "malformed_document"),
        (b"[1]", "malformed_document"),
        (b'{"id": "a"}', "malformed_document"),
        (b'{"text": 5}', "malformed_document"),
        (b'{"text": "a", "id": true}', "malformed_document"),
        (b'{"text": "a", "id": ""}', "malformed_document"),
        (b'{"text": "a", "x": NaN}', "malformed_document"),
        (b'{"text": "a", "x": 1e999}', "malformed_document"),
        (b"[" * 100_000, "malformed_document"),
        (b'{"text": "a", "x": ' + b"9" * 5000 + b"}", "malformed_document"),
        (b'{"text": "\xff"}', "invalid_encoding"),
        (b'{"text": "\\ud83d"}', "invalid_encoding"),
        (b'{"text": "a", "x": {"y": "\\ude00"}}', "invalid_encoding"),
        (b'{"text": "a\\u0000"}', "not_text"),
        (b'{"text": " \\u200b"}', "empty_document"),
    ],
)
def test_a_bad_row_costs_only_itself_and_names_its_line(tmp_path: Path, row: bytes, code: str) -> None:
    good = b'{"id": "%d", "text": "good \\ud83d\\ude00"}\n'
    first, bad, last = outcome(tmp_path, "a.jsonl", good % 1 + row + b"\n" + good % 2)
    assert isinstance(bad, Failure)
    assert (bad.path, bad.code) == ("a.jsonl:2", code)
    assert [first, last] == [Document("1", "good 😀"), Document("2", "good 😀")]


def test_a_row_over_the_limit_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.reading.jsonl.MAX_DOCUMENT_BYTES", 100)
    rows = [json.dumps({"id": str(n), "text": "x" * size}) for n, size in enumerate((5, 1000, 100 - 23, 5))]
    assert [len(row) for row in rows] == [28, 1023, 100, 28]
    found = outcome(tmp_path, "a.jsonl", "\r\n".join(rows).encode())
    assert [item.id if isinstance(item, Document) else (item.path, item.code) for item in found] == [
        "0",
        ("a.jsonl:2", "document_too_large"),
        "2",
        "3",
    ]


def test_a_jsonl_file_without_rows_or_in_utf_16_fails_as_a_whole(tmp_path: Path) -> None:
    assert failure(tmp_path, "a.jsonl", b"\n \n").code == "empty_document"
    assert failure(tmp_path, "a.jsonl", '{"text": "a"}'.encode("utf-16")).code == "invalid_encoding"


# --- scanning --------------------------------------------------------------------------------------------------------


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("words")


def test_ids_are_relative_paths_in_code_point_order(tmp_path: Path) -> None:
    names = ["a.txt", "a/z.md", "a/ä.TXT", "b.html", "b/c/d.jsonl", "日本/有給.txt"]
    write(tmp_path, *reversed(names))
    found = list(scan(tmp_path))
    assert found == [SourceFile(tmp_path / name, name) for name in sorted(names)]


def test_a_single_file_is_known_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, "sub/a.txt")
    assert list(scan(tmp_path / "sub" / "a.txt")) == [SourceFile(tmp_path / "sub" / "a.txt", "a.txt")]


def test_hidden_files_and_folders_are_left_out_and_counted(tmp_path: Path) -> None:
    write(tmp_path, ".git/config.txt", "sub/.secret.txt", "a.txt", ".b.txt")
    *files, notice = scan(tmp_path)
    assert files == [SourceFile(tmp_path / "a.txt", "a.txt")]
    assert notice == Notice("hidden_files", "3 hidden files or folders were left out")


def test_what_no_reader_knows_is_a_failure(tmp_path: Path) -> None:
    write(tmp_path, "a.xyz", "unknown")
    assert [(f.path, f.code) for f in scan(tmp_path) if isinstance(f, Failure)] == [
        ("a.xyz", "unsupported_file"),
        ("unknown", "unsupported_file"),
    ]


def test_links_to_files_are_followed_and_links_to_folders_are_not(tmp_path: Path) -> None:
    write(tmp_path, "root/real/a.txt")
    (tmp_path / "root" / "b.txt").symlink_to(tmp_path / "root" / "real" / "a.txt")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "nothing.txt").symlink_to(tmp_path / "gone")
    found = {
        f.path if isinstance(f, Failure) else f.id: f for f in scan(tmp_path / "root") if not isinstance(f, Notice)
    }
    assert list(found) == ["b.txt", "loop", "nothing.txt", "real/a.txt"]
    assert isinstance(found["b.txt"], SourceFile)
    assert "links to folders are not followed" in getattr(found["loop"], "message", "")
    assert "broken link" in getattr(found["nothing.txt"], "message", "")


def test_pipes_and_sockets_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.txt"))
        assert [f.code for f in scan(tmp_path) if isinstance(f, Failure)] == ["unsupported_file"] * 2


def test_names_that_are_not_unicode_fail_without_touching_others(tmp_path: Path) -> None:
    write(tmp_path, "good.txt")
    for name in (b"bad\xff.txt", b"folder\xfe"):
        os.mkdir(os.fsencode(tmp_path) + b"/" + name)  # noqa: PTH102 - pathlib takes no bytes
    (tmp_path / os.fsdecode(b"bad\xff.txt") / "inside.txt").write_text("words")
    found = [(f.path, f.code) if isinstance(f, Failure) else f for f in scan(tmp_path)]
    assert found == [
        ("bad\\xff.txt/", "invalid_encoding"),
        ("folder\\xfe/", "invalid_encoding"),
        SourceFile(tmp_path / "good.txt", "good.txt"),
    ]


def test_a_folder_without_permission_is_a_failure(unprivileged: Path) -> None:
    write(unprivileged, "closed/a.txt", "open/b.txt")
    (unprivileged / "closed").chmod(0)
    found = list(scan(unprivileged))
    (unprivileged / "closed").chmod(0o700)
    assert isinstance(found[0], Failure)
    assert (found[0].path, found[0].code) == ("closed/", "permission_denied")
    assert found[1] == SourceFile(unprivileged / "open" / "b.txt", "open/b.txt")


def test_a_folder_that_may_be_listed_but_not_entered_fails_file_by_file(unprivileged: Path) -> None:
    write(unprivileged, "half/a.txt", "half/b.txt")
    (unprivileged / "half").chmod(0o400)
    found = [(f.path, f.code) if isinstance(f, Failure) else f for f in scan(unprivileged)]
    (unprivileged / "half").chmod(0o700)
    assert found == [("half/a.txt", "permission_denied"), ("half/b.txt", "permission_denied")]


def test_a_root_below_a_closed_folder_is_a_permission_error(unprivileged: Path) -> None:
    (unprivileged / "closed").mkdir(mode=0)
    with pytest.raises(PermissionDeniedError):
        list(scan(unprivileged / "closed" / "root"))


def test_a_missing_root_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        list(scan(tmp_path / "gone"))
