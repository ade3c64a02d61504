"""One suite for every reader in the table: a new format adds a sample here and passes the rest as it stands."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import regex

from benchmarks.documents import making
from index.reading import READERS, read
from index.reading.base import ReadOptions, SourceFile
from index.types import Document, Failure

ARABIC = regex.compile(r"\p{Arabic}+")
SHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
TEXT = "Wer krank ist, meldet sich am ersten Tag. 有給休暇は二十日です。 الإجازة السنوية عشرون يوما."


def sample(suffix: str, text: str) -> bytes:
    """Write `text` under the title "Titel" in the format of the suffix."""
    page = f"<html><head><title>Titel</title></head><body><p>{text}</p></body></html>".encode()
    workbook = partial(making.sheets, {"Blatt": [[text]]})
    makers: dict[str, Callable[[], bytes]] = {
        **dict.fromkeys((".txt", ".md", ".markdown", "code"), text.encode),
        **dict.fromkeys((".html", ".htm", ".xhtml"), lambda: page),
        ".jsonl": json.dumps({"title": "Titel", "text": text}).encode,
        ".csv": f'title,text\nTitel,"{text}"\n'.encode,
        ".tsv": f"title\ttext\nTitel\t{text}\n".encode,
        ".pdf": partial(making.pdf, [[as_printed(text)]], "Titel"),
        ".docx": partial(making.word, [(0, text)], "Titel"),
        ".pptx": partial(making.slides, [("", text)], "Titel"),
        **dict.fromkeys((".xlsx", ".xlsm", ".xls"), workbook),
        ".ods": partial(making.open_sheets, {"Blatt": [[text]]}),
        ".epub": partial(making.book, [f"<p>{text}</p>"], "Titel"),
        ".eml": partial(making.message, "", text),
        ".mbox": lambda: making.mailbox([making.message("", text)]),
    }
    return makers[suffix]()


def as_printed(text: str) -> str:
    """Give the order in which PDFium takes characters to be printed: Arabic words from their end to their beginning."""
    return ARABIC.sub(lambda found: found[0][::-1], text)


@pytest.fixture(params=sorted(READERS))
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def outcome(folder: Path, suffix: str, data: bytes) -> list[Document | Failure]:
    path = folder / f"sub{_ending(suffix)}"
    path.write_bytes(data)
    return list(read(SourceFile(path, f"folder/{path.name}"), ReadOptions()))


def _ending(format: str) -> str:
    return ".py" if format.lower() == "code" else format


def test_the_text_arrives_under_the_files_id(tmp_path: Path, suffix: str) -> None:
    (found,) = outcome(tmp_path, suffix, sample(suffix, TEXT))
    assert isinstance(found, Document)
    assert found.text == (f"Blatt\n\n| {TEXT} |" if suffix in SHEETS else TEXT)
    assert found.id.partition("#")[0] == f"folder/sub{_ending(suffix)}"


def test_metadata_is_json(tmp_path: Path, suffix: str) -> None:
    (found,) = outcome(tmp_path, suffix, sample(suffix, TEXT))
    assert isinstance(found, Document)
    assert json.loads(json.dumps(found.metadata)) == found.metadata


def test_suffixes_are_read_in_either_case(tmp_path: Path, suffix: str) -> None:
    (found,) = outcome(tmp_path, suffix.upper(), sample(suffix, TEXT))
    assert isinstance(found, Document)
    assert found.text == (f"Blatt\n\n| {TEXT} |" if suffix in SHEETS else TEXT)


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (b"", {"empty_document", "malformed_document"}),
        (b"\x89PNG\r\n\x1a\n\0\0\0", {"not_text", "invalid_encoding", "malformed_document"}),
        (b"\xc3\x28 broken", {"invalid_encoding", "malformed_document"}),
        (b"PK\x03\x04\x14\0\x06\0", {"not_text", "malformed_document"}),
    ],
)
def test_a_broken_file_names_itself(tmp_path: Path, suffix: str, data: bytes, codes: set[str]) -> None:
    found = outcome(tmp_path, suffix, data)
    assert found
    for failure in found:
        assert isinstance(failure, Failure)
        assert failure.code in codes
        assert failure.path.startswith(f"folder/sub{_ending(suffix)}")
        assert f"folder/sub{_ending(suffix)}" in failure.message
        assert str(tmp_path) not in failure.message


def test_empty_text_in_a_sound_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (found,) = outcome(tmp_path, suffix, sample(suffix, "\u200b \u3000"))
    assert isinstance(found, Failure)
    assert found.code == "empty_document"


def test_reading_opens_no_connection(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError(f"connection to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    linked = TEXT + '<img src="http://192.0.2.1/x.png"><link rel="canonical" href="http://192.0.2.1/">'
    assert outcome(tmp_path, suffix, sample(suffix, linked))


def test_the_table_loads_no_reader_before_it_is_needed() -> None:
    program = "import sys, index.reading.scan; print([m for m in ('trafilatura', 'lxml', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
