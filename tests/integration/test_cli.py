"""The command line as a person meets it: results on stdout, the rest on stderr, every error with a way out."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index import Collection, Document
from index.codecs import CODECS
from index.lock import WriterLock
from index.store import Store
from service.cli import COMMANDS
from service.cli.evaluation import COMMANDS as EVALUATING

TEXTS = {
    "de/hund.txt": "Der Hund schläft unter dem großen Baum.",
    "ja/tokyo.md": "# 東京\n\n日本の首都は東京です。",
    "ar/paris.txt": "عاصمة فرنسا هي باريس.",
    "en/cat.html": "<html><body><p>The cat drinks milk in the kitchen.</p></body></html>",
}


Run = Callable[..., Any]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "docs"


@pytest.fixture
def indexed(run: Run, docs: Path) -> Path:
    assert run("index", str(docs), "-c", "pets", "--model", "hashing").status == 0
    return docs


def test_index_report_has_the_agreed_shape(run: Run, docs: Path) -> None:
    (docs / "photo.jpg").write_bytes(b"\xff\xd8")
    report = run("index", str(docs), "-c", "pets", "--model", "hashing", "--json").json
    counted = ("documents", "passages", "added", "changed", "unchanged", "removed", "truncated")
    assert {key: report[key] for key in counted} == {
        "documents": 4, "passages": 4, "added": 4, "changed": 0, "unchanged": 0, "removed": 0, "truncated": 0,
    }  # fmt: skip
    (failure,) = report["failed"]  # type: ignore[misc]
    assert (failure["path"], failure["code"]) == ("photo.jpg", "unsupported_file")


def test_index_says_what_to_do_next(run: Run, docs: Path) -> None:
    outcome = run("index", str(docs), "-c", "pets", "--model", "hashing")
    assert "4 documents" in outcome.out
    assert 'lfm2-colbert search -c pets "your question"' in outcome.out


def test_strict_run_fails_when_a_file_failed(run: Run, docs: Path) -> None:
    (docs / "empty.txt").write_text("", encoding="utf-8")
    assert run("index", str(docs), "-c", "pets", "--model", "hashing").status == 0
    outcome = run("index", str(docs), "-c", "pets", "--strict")
    assert outcome.status == 3
    assert "empty_document" in outcome.out


def test_search_result_has_the_agreed_shape(run: Run, indexed: Path) -> None:
    result = run("search", "großen Hund", "-c", "pets", "-k", "2", "--json").json
    assert set(result) == {"query", "collection", "hits", "warnings", "timings_ms", "counts", "cursor", "mode"}
    assert result["mode"] == "hybrid"
    hit = result["hits"][0]  # type: ignore[index]
    assert set(hit) == {
        "rank", "document_id", "passage", "score", "raw_score", "text", "span", "anchor", "language", "metadata",
        "highlights",
    }  # fmt: skip
    assert hit["document_id"] == "de/hund.txt"
    shown = [
        hit["text"][h["start"] - hit["span"]["start"] : h["end"] - hit["span"]["start"]] for h in hit["highlights"]
    ]
    assert shown == ["Hund", "großen"]
    assert "score_uncalibrated" in [w["code"] for w in result["warnings"]]  # type: ignore[index,attr-defined]


def test_search_takes_a_filter_and_counts_by_fields(run: Run, indexed: Path) -> None:
    asked = ("search", "首都", "-c", "pets", "--where", 'lang = "ja" or path prefix "de/"', "--facet", "lang")
    result = run(*asked, "--facet", "path", "--json").json
    assert {hit["document_id"] for hit in result["hits"]} == {"ja/tokyo.md", "de/hund.txt"}  # type: ignore[attr-defined]
    assert result["facets"] == {
        "lang": [{"value": "de", "documents": 1}, {"value": "ja", "documents": 1}],
        "path": [{"value": "de/hund.txt", "documents": 1}, {"value": "ja/tokyo.md", "documents": 1}],
    }
    assert "lang: de 1 · ja 1" in run(*asked).out
    as_json = run("search", "首都", "-c", "pets", "--where", '{"type": "eq", "key": "lang", "value": "ja"}')
    assert "ja/tokyo.md" in as_json.out


@pytest.mark.parametrize("where", ["langg = 'ja'", "lang = 3", "lang = ja", "{"])
def test_a_wrong_filter_is_a_usage_error_with_a_way_out(run: Run, indexed: Path, where: str) -> None:
    outcome = run("search", "首都", "-c", "pets", "--where", where)
    assert outcome.status == 2
    assert outcome.err.startswith("error[invalid_filter] the filter")
    assert "help: " in outcome.err


def test_status_lists_the_fields(run: Run, docs: Path) -> None:
    (docs / "rows.jsonl").write_text('{"id": "1", "text": "東京", "jahr": 2024, "tags": ["a"]}', encoding="utf-8")
    run("index", str(docs), "-c", "pets", "--model", "hashing")
    fields = run("status", "-c", "pets", "--json").json["fields"]
    assert {"name": "jahr", "types": {"integer": 1}, "documents": 1} in fields  # type: ignore[operator]
    shown = run("status", "-c", "pets").out
    assert "id (keyword) · jahr (integer) · lang (keyword) · path (keyword) · tags (keywords)" in shown


def test_search_marks_the_words_that_matched(run: Run, indexed: Path) -> None:
    outcome = run("search", "首都", "-c", "pets", "-k", "1")
    assert "ja/tokyo.md" in outcome.out
    assert "[首都]" in outcome.out
    assert "of 4 passages" in outcome.err


def test_explanation_names_each_query_word_and_where_it_was_found(run: Run, indexed: Path) -> None:
    assert "Hund → Hund 1.00" in run("search", "Hund", "-c", "pets", "-k", "1", "--explain").out


def test_document_cannot_steer_the_terminal(run: Run, docs: Path) -> None:
    (docs / "evil.txt").write_text("evil words \x1b[2J\x1b]0;x\x07 \u202egnp.exe" + " more" * 50, encoding="utf-8")
    run("index", str(docs), "-c", "pets", "--model", "hashing")
    for arguments in (("search", "evil words", "-c", "pets"), ("get", "evil.txt", "-c", "pets")):
        shown = run(*arguments).out
        assert "evil" in shown
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_get_prints_the_text_and_json_the_metadata(run: Run, indexed: Path) -> None:
    assert run("get", "de/hund.txt", "-c", "pets").out == TEXTS["de/hund.txt"] + "\n"
    documents = run("get", "ja/tokyo.md", "-c", "pets", "--json").json["documents"]
    assert documents == [{"document_id": "ja/tokyo.md", "metadata": {"title": "東京"}, "text": TEXTS["ja/tokyo.md"]}]


def test_delete_says_what_was_not_there(run: Run, indexed: Path) -> None:
    outcome = run("delete", "de/hund.txt", "no/such.txt", "-c", "pets", "--json")
    assert outcome.status == 1
    assert (outcome.json["deleted"], outcome.json["missing"]) == (["de/hund.txt"], ["no/such.txt"])
    assert "de/hund.txt" not in run("search", "Hund", "-c", "pets").out


def test_status_counts_and_lists_failures(run: Run, docs: Path) -> None:
    (docs / "latin.txt").write_bytes("Köln".encode("latin-1"))
    run("index", str(docs), "-c", "pets", "--model", "hashing")
    status = run("status", "-c", "pets", "--json").json
    assert (status["documents"], status["pending"], status["failed"]) == (4, 0, 1)
    assert status["encoder"]["name"] == "hashing"  # type: ignore[index]
    assert (status["encoder"]["codec"], status["encoder"]["pool"]) == ("scalar4", 1)  # type: ignore[index]
    assert "latin.txt" in run("status", "-c", "pets", "--failed").out


def test_pooled_collection_says_so(run: Run, docs: Path) -> None:
    assert run("index", str(docs), "-c", "pets", "--model", "hashing", "--pool", "2").status == 0
    assert "hashing · 32 dimensions · scalar4 · pool 2" in run("status", "-c", "pets").out
    status = run("status", "-c", "pets", "--json").json
    assert status["encoder"]["pool"] == 2  # type: ignore[index]
    assert run("index", str(docs), "-c", "pets", "--pool", "2", "--codec", "scalar4").status == 0
    assert run("search", "首都", "-c", "pets", "-k", "1", "--json").json["hits"][0]["document_id"] == "ja/tokyo.md"  # type: ignore[index]


def test_status_tells_people_what_is_there_and_what_is_next(run: Run, indexed: Path, tmp_path: Path) -> None:
    shown = run("status", "-c", "pets").out
    assert "4 (0 pending, 0 files failed)" in shown
    assert "hashing · 32 dimensions · scalar4" in shown
    with Store.open(tmp_path / "home" / "pets", writable=True) as store, store.transaction():
        store.put(Document("late", "not encoded yet"), None)
    assert "1 pending" in run("status", "-c", "pets").out
    assert "warning[pending_documents]" in run("search", "Hund", "-c", "pets").err
    assert run("index", str(indexed), "-c", "pets").status == 0
    assert "late" in run("search", "encoded", "-c", "pets").out


def test_every_effort_finds_the_document(run: Run, indexed: Path) -> None:
    for effort in ("fast", "balanced", "exact"):
        result = run("search", "großen Hund", "-c", "pets", "-k", "1", "--effort", effort, "--json").json
        assert result["hits"][0]["document_id"] == "de/hund.txt"  # type: ignore[index]
        assert result["counts"]["fine"] >= 1  # type: ignore[index]


def test_small_collection_needs_no_centroids(run: Run, indexed: Path) -> None:
    assert "no centroids needed" in run("optimize", "-c", "pets").out
    assert run("optimize", "-c", "pets", "--json").json["centroids"] == 0


def test_several_documents_are_told_apart(run: Run, indexed: Path) -> None:
    outcome = run("get", "de/hund.txt", "ar/paris.txt", "-c", "pets")
    assert outcome.out == f"{TEXTS['de/hund.txt']}\n{TEXTS['ar/paris.txt']}\n"
    assert outcome.err.splitlines() == ["# de/hund.txt", "# ar/paris.txt"]


def test_folder_without_documents_says_what_is_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    outcome = run("index", str(tmp_path / "nothing"), "-c", "none", "--model", "hashing")
    assert "what is read: lfm2-colbert index --help" in outcome.out


def test_long_list_of_failures_is_cut_and_says_where_the_rest_is(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    for i in range(25):
        (tmp_path / "bad" / f"{i:02}.txt").write_text("", encoding="utf-8")
    outcome = run("index", str(tmp_path / "bad"), "-c", "bad", "--model", "hashing")
    assert "… and 5 more: lfm2-colbert status --failed -c bad" in outcome.out


def test_interrupted_run_says_that_nothing_is_lost(run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "add_files", interrupt)
    outcome = run("index", str(indexed), "-c", "pets")
    assert outcome.status == 130
    assert "what was stored is safe" in outcome.err


def test_deletion_asks_first(run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run("collections", "delete", "pets").status == 130
    assert run("status", "-c", "pets").status == 0


def test_delete_tells_people_how_many(run: Run, indexed: Path) -> None:
    outcome = run("delete", "de/hund.txt", "nope", "-c", "pets")
    assert outcome.out.splitlines() == ["deleted 1 of 2", "not there: nope"]


def test_collections_are_listed_renamed_and_deleted(run: Run, indexed: Path) -> None:
    assert "pets" in run("collections").out
    assert run("collections", "rename", "pets", "animals").status == 0
    assert run("search", "Hund", "-c", "animals").status == 0
    assert run("collections", "delete", "animals", "--yes").status == 0
    assert run("collections", "--json").json == {"collections": []}


@pytest.mark.parametrize(
    ("arguments", "status", "code", "help"),
    [
        (("search", "x", "-c", "pest"), 2, "not_found", "did you mean 'pets'?"),
        (("get", "nope", "-c", "pets"), 2, "not_found", "ids are paths"),
        (("index", "nowhere", "-c", "pets"), 2, "not_found", "check the path"),
        (("index", ".", "-c", "pets", "--model", "nano"), 2, "model_mismatch", "rebuild -c pets --model nano"),
        (("index", ".", "-c", "new", "--model", "nanoo"), 2, "unknown_encoder", "did you mean 'nano'?"),
        (("index", ".", "-c", "new", "--codec", "float61"), 2, "unknown_name", "did you mean 'float16'?"),
        (("index", ".", "-c", "pets", "--codec", "float16"), 2, "invalid_argument", "it has codec scalar4 and pool 1"),
        (("index", ".", "-c", "pets", "--pool", "2"), 2, "invalid_argument", "it has codec scalar4 and pool 1"),
        (("index", ".", "-c", "new", "--pool", "5"), 2, "invalid_argument", "1 keeps every vector"),
        (("index", ".", "-c", "new", "--pool", "x"), 2, "usage", "--help"),
        (("index", ".", "-c", "a/b"), 2, "invalid_argument", "letters, digits"),
        (("search", "  ", "-c", "pets"), 2, "invalid_argument", "ask a question"),
        (("serach", "x"), 2, "usage", "did you mean 'search'?"),
        (("search",), 2, "usage", "--help"),
        (("search", "x", "-k", "0"), 2, "usage", "--help"),
        (("collections", "rename", "pets", "pets"), 2, "already_exists", "another name"),
    ],
)
def test_mistakes_get_a_code_and_a_way_out(
    run: Run, indexed: Path, arguments: tuple[str, ...], status: int, code: str, help: str
) -> None:
    outcome = run(*arguments)
    assert (outcome.status, outcome.out) == (status, "")
    assert f"error[{code}]" in outcome.err
    assert help in outcome.err
    assert "Traceback" not in outcome.err


def test_locked_collection_names_its_holder(run: Run, indexed: Path, tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "home" / "pets")
    try:
        outcome = run("index", str(indexed), "-c", "pets")
        assert outcome.status == 5
        assert "error[index_locked]" in outcome.err
        assert run("search", "Hund", "-c", "pets").status == 0
    finally:
        lock.release()


def test_debug_shows_where_an_error_came_from(run: Run) -> None:
    outcome = run("search", "x", "-c", "nope", "--debug")
    assert "Traceback" in outcome.err
    assert outcome.status == 2


@pytest.mark.parametrize("variable", ["DEVICE", "THREADS"])
def test_senseless_environment_is_named(
    run: Run, indexed: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(f"LFM2_COLBERT_{variable}", "many")
    outcome = run("search", "x", "-c", "pets")
    assert outcome.status == 2
    assert f"LFM2_COLBERT_{variable}" in outcome.err


def test_help_shows_the_first_commands_each_on_a_line_of_its_own(run: Run) -> None:
    shown = run("--help").out
    assert "\n  lfm2-colbert index FOLDER" in shown
    assert '\n  lfm2-colbert search "your question"' in shown


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(run: Run, command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.status == 0
    assert "Usage:" in outcome.out


LIGHT = [
    ["--help"],
    ["index", "--help"],
    ["import", "--help"],
    ["export", "collection", "--help"],
    ["eval", "--help"],
    *(["eval", name, "--help"] for name in EVALUATING),
    ["collections"],
    ["status", "-c", "pets"],
    ["get", "de/hund.txt", "-c", "pets"],
    ["rerank", "--help"],
    ["keys", "list"],
    ["keys", "create", "reader"],
]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_light_commands_load_no_heavy_library(indexed: Path, tmp_path: Path, arguments: list[str]) -> None:
    program = (
        "import sys\nfrom service.cli.main import main\n"
        "try: main()\nexcept SystemExit as stop: assert not stop.code, stop.code\n"
        "print(sorted({'numpy', 'faiss', 'onnxruntime', 'torch', 'trafilatura'} & set(sys.modules)), file=sys.stderr)"
    )
    environment = {"LFM2_COLBERT_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_output_that_nobody_reads_is_no_error(indexed: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m service get de/hund.txt -c pets --home {tmp_path / 'home'} | true"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_help_names_every_codec(run: Run) -> None:
    shown = " ".join(run("index", "--help").out.split())
    assert all(name in shown for name in CODECS)


def test_questions_in_a_file_become_a_trec_run(run: Run, indexed: Path, tmp_path: Path) -> None:
    questions, trec = tmp_path / "questions.tsv", tmp_path / "run.trec"
    questions.write_text("q1\tgroßen Hund\nq2\t首都\n", encoding="utf-8")
    assert run("search", "--queries", str(questions), "-c", "pets", "--trec", str(trec)).status == 0
    lines = [line.split(" ") for line in trec.read_text(encoding="utf-8").splitlines()]
    assert [line[2] for line in lines if line[3] == "1"] == ["de/hund.txt", "ja/tokyo.md"]
    assert {line[0] for line in lines} == {"q1", "q2"}
    shown = run("search", "--queries", str(questions), "-c", "pets", "-k", "1", "--json").out
    assert [json.loads(line)["_id"] for line in shown.splitlines()] == ["q1", "q2"]


@pytest.mark.parametrize("arguments", [(), ("Hund", "--queries", "FILE"), ("Hund", "--trec", "run")])
def test_a_search_asks_either_one_question_or_a_file(run: Run, indexed: Path, arguments: tuple[str, ...]) -> None:
    file = str(indexed / "questions") if indexed.is_dir() else str(indexed)
    given = [file if argument == "FILE" else argument for argument in arguments]
    assert run("search", *given, "-c", "pets").status == 2


def test_the_next_page_goes_on_where_the_first_ended(run: Run, indexed: Path) -> None:
    both = run("search", "Hund", "-c", "pets", "-k", "2", "--json").json
    first = run("search", "Hund", "-c", "pets", "-k", "1", "--json").json
    second = run("search", "Hund", "-c", "pets", "-k", "1", "--cursor", str(first["cursor"]), "--json").json
    assert [*first["hits"], *second["hits"]] == both["hits"]  # type: ignore[misc]
    assert run("search", "Katze", "-c", "pets", "-k", "1", "--cursor", str(first["cursor"])).status == 2
