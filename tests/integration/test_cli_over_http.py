"""Commands with --url print what they print without it: the server's home is asked both ways, or one home each."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents import making
from benchmarks.serving.server import serving_process
from service.cli import COMMANDS
from service.keys import Keyring, Role

FILES = {
    "de/hund 100 %.txt": "Der Hund schläft unter dem großen Baum.",
    "ja/東京.md": "# 東京\n\n日本の首都は東京です。",
    "ar/باريس.txt": "عاصمة فرنسا هي باريس.",
    "th/กรุงเทพ.txt": "เมืองหลวงของไทยคือกรุงเทพ",
    "zh/北京.html": "<html><body><p>中国的首都是北京。</p></body></html>",
    "🐈‍⬛.txt": "Die Katze 🐈‍⬛ schläft im Café.",
    "rows.jsonl": "\n".join(
        json.dumps(row)
        for row in (
            {"id": "ko/a?b#c", "text": "서울은 대한민국의 수도이다.", "year": 2024},
            {"id": "ko/a?b#c", "text": "doppelt"},
            {"text": "제주도", "year": 2021},
            {"id": "empty", "text": ""},
        )
    ),
    "twice.jsonl": json.dumps({"id": "ko/a?b#c", "text": "noch einmal"}),
    "photo.jpg": "",
    ".hidden/a.txt": "a",
}
Run = Callable[..., Any]
MOST_MODULES = 450
"""They take 0.3 s of a processor that has nothing else to do; time itself says nothing on a busy one."""


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "docs"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server and its home."""
    home = tmp_path_factory.mktemp("served")
    with serving_process(home, "--quiet") as (_, ask):
        yield ask.url, home


@pytest.fixture
def url(shared: tuple[str, Path]) -> str:
    return shared[0]


@pytest.fixture
def served(run: Run, docs: Path, shared: tuple[str, Path]) -> Path:
    """The home of the server, in which `pets` holds the files."""
    assert run("index", "docs", "-c", "pets", "--url", shared[0]).status == 0
    return shared[1]


def lasting(value: Any) -> Any:
    """Leave out what differs from one time to the next."""
    if isinstance(value, dict):
        return {key: lasting(each) for key, each in value.items() if key not in ("timings_ms", "seconds", "cursor")}
    return [lasting(each) for each in value] if isinstance(value, list) else value


def shown(text: str) -> str:
    """Do the same with what people read."""
    return re.sub(r"encode \d+ · search \d+ · explain \d+|\d+\.\d s( \([\d,]+ passages/s\))?", "…", text)


READING = [
    ["search", "großer Hund", "-c", "pets"],
    ["search", "日本の首都", "-c", "pets", "-k", "2", "--explain", "--effort", "exact", "--mode", "semantic"],
    ["search", "수도", "-c", "pets", "--where", "year >= 2021", "--facet", "year", "--facet", "lang"],
    ["search", "เมืองหลวง", "-c", "pets", "--mode", "lexical", "--group-by", "lang", "--lang-balance"],
    ["search", "🐈‍⬛ Café", "-c", "pets", "--group-by", "passage", "--per-group", "2", "--collapse", "0.9"],
    ["search", "Hund", "-c", "pets", "--where", "nofield = 1"],
    ["search", "Hund", "-c", "pets", "--where", "year >"],
    ["search", " ", "-c", "pets"],
    ["search", "--queries", "questions.tsv", "-c", "pets", "-k", "2"],
    ["get", "ko/a?b#c", "de/hund 100 %.txt", "🐈‍⬛.txt", "rows.jsonl#3", "-c", "pets"],
    ["get", "nothing", "-c", "pets"],
    ["status", "-c", "pets"],
    ["collections"],
]


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_a_server_is_read_as_its_home_is(
    run: Run, served: Path, url: str, tmp_path: Path, arguments: list[str], as_json: bool
) -> None:
    (tmp_path / "questions.tsv").write_text("q1\tgroßer Hund\nq2\t首都\nq3\tعاصمة\n", encoding="utf-8")
    there, here = (run(*arguments, *where, *["--json"] * as_json) for where in (["--url", url], ["--home", served]))
    assert there.status == here.status
    if here.status:
        assert there.err.partition("]")[0] == here.err.partition("]")[0]  # the code; a server quotes nothing
        assert "help: " in there.err
        return
    if as_json:
        assert [lasting(json.loads(line)) for line in there.out.splitlines()] == [
            lasting(json.loads(line)) for line in here.out.splitlines()
        ]
    else:
        assert shown(there.out) == shown(here.out)
        assert shown(there.err) == shown(here.err)


def test_pages_go_on_over_a_cursor(run: Run, served: Path, url: str) -> None:
    both = run("search", "首都 Hund", "-c", "pets", "-k", 4, "--json", "--url", url).json
    first = run("search", "首都 Hund", "-c", "pets", "-k", 2, "--json", "--url", url).json
    second = run("search", "首都 Hund", "-c", "pets", "-k", 2, "--cursor", first["cursor"], "--json", "--url", url).json
    assert [*first["hits"], *second["hits"]] == both["hits"]


def test_a_run_of_questions_is_the_same_file(run: Run, served: Path, url: str, tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("".join(f"q{n}\tHund {n} 首都\n" for n in range(70)), encoding="utf-8")
    for name, where in (("there", ["--url", url]), ("here", ["--home", served])):
        assert run("search", "--queries", "q.tsv", "--trec", f"{name}.trec", "-c", "pets", *where).status == 0
    assert (tmp_path / "there.trec").read_text() == (tmp_path / "here.trec").read_text()
    assert len((tmp_path / "there.trec").read_text().splitlines()) > 70


def test_indexing_reports_what_it_reports_here(run: Run, docs: Path, url: str) -> None:
    arguments = ("index", "docs", "docs/rows.jsonl", "-c", "new", "--prefix", "表/a b", "--json")
    here = run(*arguments, "--model", "hashing").json
    there = run(*arguments, "--url", url).json
    notes = [each["code"] for each in there.pop("warnings")]
    assert notes == [each["code"] for each in here.pop("warnings")] + ["removals_not_sent"]
    # Here the rows of one file belong to two roots; a server takes them from whoever sends them.
    assert lasting(there)["failed"][:4] == lasting(here)["failed"][:4]
    assert there["documents"] == here["documents"]


def test_one_folder_is_indexed_as_here(run: Run, docs: Path, url: str) -> None:
    for change in ("", "x"):
        (docs / "de/hund 100 %.txt").write_text(f"Der Hund schläft.{change}", encoding="utf-8")
        there, here = (
            lasting(run("index", "docs", "-c", "folder", "--json", *where).json)
            for where in (["--url", url], ["--model", "hashing"])
        )
        (note,) = [each for each in there["warnings"] if each not in here["warnings"]]
        assert note["code"] == "removals_not_sent"
        assert there | {"warnings": []} == here | {"warnings": []}
    assert (here["changed"], here["unchanged"], len(here["failed"])) == (1, 7, 4)
    (docs / "th/กรุงเทพ.txt").unlink()
    assert run("index", "docs", "-c", "folder", "--json", "--url", url).json["documents"] == here["documents"]


def test_what_failed_is_listed_and_strict_tells(run: Run, docs: Path, url: str) -> None:
    outcome = run("index", "docs", "-c", "strict", "--strict", "--url", url)
    assert outcome.status == 3
    assert "skipped photo.jpg: unsupported_file" in outcome.out
    assert "failed  ko/a?b#c: duplicate_id: the id 'ko/a?b#c' occurs twice in one file" in outcome.out
    assert "belongs to the file rows.jsonl" in outcome.out
    assert "stay on the server" in outcome.out
    assert f'lfm2-colbert search -c strict --url {url} "your question"' in outcome.out


def test_a_new_collection_is_built_as_asked(run: Run, docs: Path, url: str) -> None:
    built = ("index", "docs/ja", "-c", "built", "--codec", "float16", "--pool", 2, "--url", url)
    assert run(*built).status == 0
    assert run(*built).status == 0
    encoder = run("status", "-c", "built", "--json", "--url", url).json["encoder"]
    assert (encoder["codec"], encoder["pool"], encoder["name"]) == ("float16", 2, "hashing")
    assert "error[invalid_argument]" in run("index", "docs/ja", "-c", "built", "--codec", "scalar4", "--url", url).err
    assert "error[local_only]" in run("index", "docs/ja", "-c", "built", "--model", "nano", "--url", url).err
    assert "error[not_found]" in run("index", "nowhere", "-c", "built", "--url", url).err


def test_optimizing_reports_what_it_reports_here(run: Run, docs: Path, url: str) -> None:
    (docs / "many.jsonl").write_text("".join(f'{{"text": "Zeile {n} 東京 über {n * 7}"}}\n' for n in range(400)))
    for where in (["--url", url], ["--model", "hashing"]):
        assert run("index", "docs", "-c", "optimized", *where).status == 0
    there, here = (run("optimize", "-c", "optimized", "--json", *where) for where in (["--url", url], []))
    # A server may have encoded what came in parts in more than one.
    assert there.json | {"segments_before": 1} == here.json
    there, here = (run("optimize", "-c", "optimized", *where) for where in (["--url", url], []))
    assert there.out == here.out


def test_deleting_says_the_same(run: Run, docs: Path, url: str) -> None:
    for where in (["--url", url], ["--model", "hashing"]):
        assert run("index", "docs", "-c", "gone", *where).status == 0
    arguments = ("delete", "ko/a?b#c", "ja/東京.md", "nothing", "-c", "gone", "--json")
    there, here = run(*arguments, "--url", url), run(*arguments)
    assert (there.status, there.json) == (here.status, here.json) == (1, here.json)
    assert len(here.json["deleted"]) == 2
    there, here = run("delete", "x", "-c", "never", "--url", url), run("delete", "x", "-c", "never")
    assert (there.status, here.status) == (2, 2)


def test_a_collection_is_removed_after_asking(run: Run, docs: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    assert run("index", "docs/ja", "-c", "removed", "--url", url).status == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    outcome = run("collections", "delete", "removed", "--url", url)
    assert (outcome.status, f"'removed' on {url}" in outcome.err) == (130, True)
    assert run("collections", "delete", "removed", "--yes", "--json", "--url", url).json == {"deleted": "removed"}
    assert "error[not_found]" in run("collections", "delete", "removed", "--yes", "--url", url).err


def test_files_are_ranked_as_here(run: Run, docs: Path, url: str) -> None:
    for more in (["--json"], ["-k", "2"]):
        arguments = ("rerank", "首都 großer Hund", "docs/ja", "docs/de", "docs/rows.jsonl", *more)
        there, here = run(*arguments, "--url", url), run(*arguments, "--model", "hashing")
        assert (there.status, there.out, there.err) == (here.status, here.out, here.err)
    assert "error[local_only]" in run("rerank", "a", "docs/ja", "--model", "nano", "--url", url).err


REMOTE = {"search", "index", "get", "delete", "status", "collections", "optimize", "rerank"}


@pytest.mark.parametrize("name", sorted({"verify", "repair", "rebuild", "backup", "serve", "doctor", "keys", "import"}))
def test_what_a_server_cannot_be_asked_is_refused(
    run: Run, docs: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name in COMMANDS.keys() - REMOTE
    arguments = {"backup": ["folder"], "import": ["folder"]}.get(name, [])
    outcome = run(name, *arguments, "--url", "http://127.0.0.1:9")
    assert outcome.status == 2
    assert outcome.err.splitlines()[0] == f"error[local_only] a server cannot be asked to `lfm2-colbert {name}`"
    monkeypatch.setenv("LFM2_COLBERT_URL", "http://127.0.0.1:9")
    assert "--url ''" in run(name, *arguments).err
    assert "error[local_only]" not in run(name, *arguments, "--url", "", "--help").err


def test_parts_that_a_server_cannot_be_asked_are_refused(run: Run, url: str) -> None:
    assert "error[local_only]" in run("status", "--failed", "--url", url).err
    assert "error[local_only]" in run("collections", "rename", "a", "b", "--url", url).err
    assert "error[invalid_argument]" in run("collections", "--url", url, "--home", "x").err
    assert "error[usage]" in run("collections", "--url", url, "delete", "pets", "--yes").err


def test_the_environment_names_server_and_key(
    run: Run, tmp_path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring(tmp_path / "keyed")
    (_, writer), (_, reader) = (keyring.create(role.name, role) for role in (Role.ADMIN, Role.READ))
    keyring.close()
    with serving_process(tmp_path / "keyed", "--quiet") as (_, ask):
        monkeypatch.setenv("LFM2_COLBERT_URL", ask.url)
        assert run("collections").status == 6
        monkeypatch.setenv("LFM2_COLBERT_KEY", writer)
        assert run("index", "docs/ja", "-c", "pets", "--json").json["added"] == 1
        monkeypatch.setenv("LFM2_COLBERT_KEY", reader)
        refused = run("delete", "東京.md", "-c", "pets")
        assert (refused.status, refused.err.splitlines()[0][:16]) == (6, "error[forbidden]")
        assert re.fullmatch(r"request: \w{20}", refused.err.splitlines()[-1])
        assert run("search", "東京", "-c", "pets", "--json").json["hits"][0]["document_id"] == "東京.md"
        assert run("collections", "--json", "--url", "").json == {"collections": []}
        assert run("collections", "--json", "--home", tmp_path / "empty").json == {"collections": []}
        monkeypatch.setenv("LFM2_COLBERT_KEY", "not a key")
        assert "error[invalid_argument]" in run("collections").err
    monkeypatch.setenv("LFM2_COLBERT_KEY", reader)
    gone = run("collections")
    assert (gone.status, gone.err.partition(" ")[0]) == (6, "error[remote]")
    assert reader not in gone.err


@pytest.mark.parametrize("command", [["collections"], ["status", "-c", "pets"], ["get", "ja/東京.md", "-c", "pets"]])
def test_looking_at_a_server_loads_no_heavy_library(served: Path, url: str, command: list[str]) -> None:
    program = (
        "import sys\nfrom service.cli.main import main\n"
        "try: main()\nexcept SystemExit as stop: assert not stop.code, stop.code\n"
        "print(sorted({'numpy', 'faiss', 'onnxruntime', 'torch', 'rich'} & set(sys.modules)), file=sys.stderr)"
        "\nprint(len(sys.modules), file=sys.stderr)"
    )
    command_line = [sys.executable, "-c", program, *command, "--url", url]
    *_, heavy, n_modules = subprocess.run(command_line, capture_output=True, text=True, check=True).stderr.splitlines()
    assert heavy == "[]"
    assert int(n_modules) <= MOST_MODULES


def test_files_keep_their_places_on_the_way_to_a_server(run: Run, url: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.pdf").write_bytes(making.pdf([["Der Hund bellt."], ["猫は木の上で寝ている。"]]))
    assert run("index", str(tmp_path / "docs"), "-c", "places", "--url", url).status == 0
    (hit,) = run("search", "猫", "-c", "places", "-k", "1", "--url", url, "--json").json["hits"]  # type: ignore[misc]
    assert hit["anchor"]["page"] == 1  # one passage, which begins on the first page
