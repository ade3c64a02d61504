"""`lfm2-colbert rerank` as a person and a program meet it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ROWS = [
    {"id": "ko", "text": "서울은 대한민국의 수도이다."},
    {"text": "เมืองหลวงของไทยคือกรุงเทพ"},
    {"id": "empty", "text": ""},
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "de/hund.txt": "Vorher. " * 60 + "Der Hund schläft unter dem großen Baum.",
        "ja/tokyo.md": "# 東京\n\n日本の首都は東京です。",
        "en/cat.html": "<html><body><p>The cat drinks milk 🐈.</p></body></html>",
        "rows.jsonl": "\n".join(json.dumps(row) for row in ROWS),
        "photo.jpg": "",
        ".hidden/a.txt": "a",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_best_file_comes_first_with_its_matched_words(run: Run, files: Path) -> None:
    outcome = run("rerank", "großen Hund", "ja/tokyo.md", "de/hund.txt", "rows.jsonl", "--model", "hashing", "-k", 2)
    first, second = outcome.out.splitlines()
    assert first.split()[::2][:2] == ["1", "de/hund.txt"]
    assert "Der [Hund] schläft unter dem [großen] Baum." in first
    assert second.startswith(" 2  0.")
    assert outcome.err.splitlines() == [
        "failed  rows.jsonl:3: empty_document: rows.jsonl:3 holds no visible text; leave it out, or fill it",
        "2 of 4 documents",
    ]


def test_a_program_gets_whole_texts_and_code_points_into_them(run: Run, files: Path) -> None:
    result = run("rerank", "수도 首都 🐈", "rows.jsonl", "ja", "en/cat.html", "--model", "hashing", "--json").json
    assert set(result) == {"query", "results", "failed", "warnings"}
    found = {each["document_id"]: each for each in result["results"]}
    assert set(found) == {"ko", "rows.jsonl#2", "ja/tokyo.md", "en/cat.html"}
    assert set(found["ko"]) == {"rank", "document_id", "index", "score", "raw_score", "highlights", "text"}
    assert [each["rank"] for each in result["results"]] == [1, 2, 3, 4]
    shown = {name: [each["text"][h["start"] : h["end"]] for h in each["highlights"]] for name, each in found.items()}
    assert "首都" in shown["ja/tokyo.md"]
    assert "🐈" in shown["en/cat.html"]
    assert [(each["path"], each["code"]) for each in result["failed"]] == [("rows.jsonl:3", "empty_document")]
    assert [each["code"] for each in result["warnings"]] == ["score_uncalibrated"]


def test_of_a_folder_everything_is_read_and_what_is_left_out_is_told(run: Run, files: Path) -> None:
    asked = ("rerank", "Hund", ".", "--model", "hashing")
    outcome = run(*asked)
    assert outcome.status == 0
    assert "note    1 hidden files or folders were left out" in outcome.err
    assert "failed  photo.jpg: unsupported_file: photo.jpg has a format" in outcome.err
    assert "5 of 5 documents" in outcome.err
    assert "hidden_files" in {each["code"] for each in run(*asked, "--json").json["warnings"]}


def test_a_file_that_failed_is_named_as_it_was_typed(run: Run, files: Path) -> None:
    (files / "de" / "bad.txt").write_bytes(b"K\xf6ln")
    for asked in ("de/bad.txt", "de"):
        assert "failed  de/bad.txt: invalid_encoding:" in run("rerank", "a", asked, "--model", "hashing").err
    (files / "de" / "photo.jpg").touch()
    assert "failed  de/photo.jpg: unsupported_file:" in run("rerank", "a", "de/photo.jpg", "--model", "hashing").err


def test_strict_run_fails_when_a_file_failed(run: Run, files: Path) -> None:
    assert run("rerank", "Hund", "photo.jpg", "de", "--model", "hashing", "--strict").status == 3
    assert run("rerank", "Hund", "de", "--model", "hashing", "--strict").status == 0


def test_nothing_to_order_is_no_error(run: Run, files: Path) -> None:
    outcome = run("rerank", "Hund", "photo.jpg", "--model", "hashing")
    assert (outcome.status, outcome.out) == (0, "")
    assert "0 of 0 documents" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("Hund",), "usage"),
        (("Hund", "no/such.txt", "--model", "hashing"), "not_found"),
        ((" ", "de", "--model", "hashing"), "invalid_argument"),
        (("x" * 8193, "de", "--model", "hashing"), "query_too_long"),
        (("Hund", "de", "--model", "nanoo"), "unknown_encoder"),
    ],
    ids=["no file", "no such file", "empty", "too long", "unknown encoder"],
)
def test_a_wrong_call_has_a_way_out(run: Run, files: Path, arguments: tuple[str, ...], code: str) -> None:
    outcome = run("rerank", *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith(f"error[{code}] ")
    assert "\nhelp: " in outcome.err
