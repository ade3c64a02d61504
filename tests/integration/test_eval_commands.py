"""`lfm2-colbert eval` as a person meets it: figures of the report, its files, comparisons, errors with a way out."""

import csv
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ir_measures")
pytest.importorskip("bm25s")

LANGUAGES = ("ar", "de", "ja")
Run = Callable[..., Any]

FAST = ("--model", "hashing")
Texts = Mapping[str, Sequence[str]]


def spoil(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture
def run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call `lfm2-colbert eval` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(run, "eval")


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def title_of(row: Mapping[str, Any]) -> str:
    asked, searched = row["query_language"], row["document_language"]
    languages = searched if asked == searched else f"{asked} → {searched}"
    named = languages if row["task"] in ("monolingual", "cross-lingual") else f"{row['task']}, {languages}"
    return f"{named}, {row['queries']} queries"


def line_of(row: Mapping[str, Any], name: str) -> str:
    """Write a row as the table does, from the report alone."""
    ndcg, low, high = (100 * row[figure] for figure in ("ndcg_at_10", "ndcg_low", "ndcg_high"))
    shown = [name, f"{ndcg:.1f}", f"[{low:.1f},", f"{high:.1f}]", f"{100 * row['recall_at_100']:.1f}"]
    if "exact_difference" in row:
        shown.append(f"{100 * row['exact_difference']:+.1f}")
    if "search_ms_p50" in row:
        shown += [f"{row['search_ms_p50']:.1f}", f"{row['disk_bytes_per_token']:.0f}"]
    return " ".join(shown)


def blocks_of(out: str) -> dict[str, list[str]]:
    """Read the table: title → its lines, single-spaced."""
    found: dict[str, list[str]] = {}
    for line in out.split("\n\n")[0].splitlines()[1:]:
        if line.startswith("  "):
            found[list(found)[-1]].append(" ".join(line.split()))
        else:
            found[line] = []
    return found


SYSTEMS = {
    "lfm2-colbert semantic balanced": "lfm2-colbert semantic",
    "lfm2-colbert hybrid balanced": "lfm2-colbert hybrid",
    "oracle MaxSim over the encoder's vectors": "oracle",
    "bm25 k1=0.9 b=0.4": "bm25",
}


def test_the_table_shows_the_figures_of_the_report(run: Run, handbook: Path, tmp_path: Path) -> None:
    outcome = run("folder", str(handbook), *FAST, "-o", str(tmp_path / "report"))
    assert outcome.status == 0
    blocks = blocks_of(outcome.out)
    rows = report_of(tmp_path / "report")["rows"]
    assert len(rows) == 3 * len(SYSTEMS)
    for row in rows:
        name = SYSTEMS[f"{row['system']} {row['setting']}"]
        assert line_of(row, name) in blocks[title_of(row)]
    mean = blocks["mean of 3 tasks, monolingual, 12 queries"]
    for system, name in SYSTEMS.items():
        own = [row["ndcg_at_10"] for row in rows if f"{row['system']} {row['setting']}" == system]
        assert [line for line in mean if line.startswith(f"{name} {100 * sum(own) / 3:.1f} [")]
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert f"report  {tmp_path / 'report' / 'index.html'}" in outcome.err


def test_json_holds_the_rows_of_the_report(run: Run, handbook: Path, tmp_path: Path) -> None:
    printed = run("folder", str(handbook), *FAST, "-o", str(tmp_path / "report"), "--json").json
    kept = report_of(tmp_path / "report")
    assert printed == {"rows": kept["rows"], "language_bias": [], "warnings": kept["warnings"]}


def test_progress_is_a_line_for_each_task_where_nobody_looks(run: Run, handbook: Path) -> None:
    first = run("folder", str(handbook), *FAST, "--languages", "ja,de")
    assert first.err.splitlines() == ["1 of 2  ja", "2 of 2  de"]
    again = run("folder", str(handbook), *FAST, "--languages", "ja,de")
    assert (again.err, again.out) == ("", first.out)  # all is kept, times too


def test_a_folder_gets_every_file_of_a_report(run: Run, handbook: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    assert run("folder", str(handbook), *FAST, "-o", str(folder), "--query-languages", "all").status == 0
    assert {path.name for path in folder.iterdir()} == {
        "report.json", "per_query.jsonl", "examples.jsonl", "index.html", "runs", "qrels", "matrices",
    }  # fmt: skip
    rows = report_of(folder)["rows"]
    assert len(rows) == len(list((folder / "runs").iterdir())) == 9 * len(SYSTEMS)
    assert len(list((folder / "qrels").iterdir())) == 9
    per_query = [json.loads(line) for line in (folder / "per_query.jsonl").read_text(encoding="utf-8").splitlines()]
    means = {
        tuple(each[name] for name in ("query_language", "document_language", "system", "setting")): sum(
            each["values"]["ndcg_at_10"].values()
        ) / 4
        for each in per_query
    }  # fmt: skip
    for row in rows:
        key = (row["query_language"], row["document_language"], row["system"], row["setting"])
        assert row["ndcg_at_10"] == pytest.approx(means[key], abs=5.1e-5)
    assert "handbook" in (folder / "index.html").read_text(encoding="utf-8")


def test_cells_of_a_matrix_are_the_rows(run: Run, handbook: Path, tmp_path: Path) -> None:
    outcome = run("folder", str(handbook), *FAST, "-o", str(tmp_path / "report"), "--query-languages", "all")
    rows = report_of(tmp_path / "report")["rows"]
    for system in SYSTEMS:
        named = re.sub(r"[^\w.-]+", "_", f"handbook-{system}")
        with (tmp_path / "report" / "matrices" / f"{named}.csv").open(encoding="utf-8", newline="") as file:
            head, *lines, means = list(csv.reader(file))
        cells = {
            (row["query_language"], row["document_language"]): row["ndcg_at_10"]
            for row in rows
            if f"{row['system']} {row['setting']}" == system
        }
        assert head == ["query \\ document", *LANGUAGES, "mean"]
        assert [line[0] for line in lines] == [*LANGUAGES]
        for asked, *values, mean in lines:
            assert values == [f"{100 * cells[asked, searched]:.2f}" for searched in LANGUAGES]
            assert float(mean) == pytest.approx(sum(map(float, values)) / 3, abs=0.011)
        for searched, value in zip(LANGUAGES, means[1:], strict=False):
            column = [cells[asked, searched] for asked in LANGUAGES]
            assert float(value) == pytest.approx(100 * sum(column) / 3, abs=0.011)
    semantic = [f"{100 * row['ndcg_at_10']:.1f}" for row in rows if row["setting"] == "semantic balanced"]
    shown = outcome.out.partition("queries down, documents across\n")[2].splitlines()
    assert sorted(cell for line in shown[1:4] for cell in line.split()[1:4]) == sorted(semantic)


def test_pairs_that_do_not_exist_are_left_out_and_told(run: Run, handbook: Path) -> None:
    shutil.copy(handbook / "de" / "queries.jsonl", handbook / "ja" / "queries.de.jsonl")
    outcome = run("folder", str(handbook), *FAST, "--query-languages", "all", "--json")
    left_out = [line for line in outcome.err.splitlines() if line.startswith("left out: ")]
    assert left_out == ["left out: handbook/ja has no questions in 'ar'"]
    pairs = {(row["query_language"], row["document_language"]) for row in outcome.json["rows"]}
    assert pairs == {(asked, searched) for asked in ("ar", "de") for searched in LANGUAGES} - {("ar", "ja")}


def test_languages_with_other_ids_are_left_out_and_told(run: Run, handbook: Path) -> None:
    spoil(handbook / "ja" / "queries.jsonl", lambda text: text.replace('"q', '"question-'))
    spoil(
        handbook / "ja" / "qrels" / "test.tsv", lambda text: text.replace("q", "question-").replace("question-u", "qu")
    )
    outcome = run("folder", str(handbook), *FAST, "--query-languages", "all", "--json")
    told = [line for line in outcome.err.splitlines() if line.startswith("left out: handbook: queries in ")]
    assert len(told) == 4
    assert all("ja" in line and line.endswith("no query is in both") for line in told)
    assert len(outcome.json["rows"]) == 5 * len(SYSTEMS)


def test_questions_may_lie_beside_documents_in_a_language_that_has_none(run: Run, handbook: Path) -> None:
    shutil.copy(handbook / "de" / "queries.jsonl", handbook / "ja" / "queries.fr.jsonl")
    asked = ("folder", str(handbook), *FAST, "--languages", "ja", "--json")
    assert {row["query_language"] for row in run(*asked, "--query-languages", "fr").json["rows"]} == {"fr"}
    assert {row["query_language"] for row in run(*asked).json["rows"]} == {"fr"}
    outcome = run(*asked, "--query-languages", "fe")
    assert "help: known: ar, de, fr, ja" in outcome.err


def test_shares_of_languages_add_up_to_one(run: Run, handbook: Path, tmp_path: Path) -> None:
    outcome = run("folder", str(handbook), *FAST, "--language-bias", "-o", str(tmp_path / "report"))
    shares = report_of(tmp_path / "report")["language_bias"]
    assert len(shares) == 9
    for asked in LANGUAGES:
        own = [share for share in shares if share["query_language"] == asked]
        assert sum(share["share"] for share in own) == pytest.approx(1.0, abs=2e-4)
        assert {(share["expected"], share["queries"]) for share in own} == {(0.3333, 4)}
        shown = " ".join([asked, *(f"{100 * share['share']:.1f}" for share in own)])
        assert shown in [" ".join(line.split()) for line in outcome.out.splitlines()]


HOLDING = {"Urlaub": {"de": 7, "ja": 3}, "Sommer": {"ar": 6, "de": 4}}
"""Word → how many documents of each language have it: ten in all."""


def test_a_language_that_is_preferred_shows(run: Run, tmp_path: Path, write_set: Callable[..., Path]) -> None:
    texts = {
        language: [
            " ".join([other, *(word for word in HOLDING if i < HOLDING[word].get(language, 0))]) for i in range(9)
        ]
        for language, other in (("ar", "إجازة"), ("de", "Ferien"), ("ja", "休暇 🐈"))
    }
    folder = write_set(tmp_path / "leaning", texts, {language: [*HOLDING] for language in texts})
    found = run("folder", str(folder), *FAST, "--mode", "semantic", "--language-bias", "--json").json["language_bias"]
    counted = {name: (HOLDING["Urlaub"].get(name, 0) + HOLDING["Sommer"].get(name, 0)) / 20 for name in LANGUAGES}
    assert counted == {"ar": 0.3, "de": 0.55, "ja": 0.15}
    for asked in LANGUAGES:
        shares = {each["document_language"]: each["share"] for each in found if each["query_language"] == asked}
        assert shares == counted


def test_the_question_itself_is_no_answer_of_its_language(
    run: Run, tmp_path: Path, write_nanobeir: Callable[..., Path]
) -> None:
    def change(task: str, language: str, rows: dict[str, list[dict[str, Any]]]) -> None:
        texts = ["Urlaub", *["Wetter"] * 11] if language == "de" else ["天気", *["Urlaub"] * 10, "天気"]
        rows["corpus"] = [{"_id": f"d{i}", "text": text} for i, text in enumerate(texts)]
        rows["queries"] = [{"_id": "d0", "text": "Urlaub"}]
        rows["qrels"] = [{"query-id": "d0", "corpus-id": "d1", "score": 1}]

    copy = write_nanobeir(tmp_path / "copy", "liquid", ("ArguAna",), change)
    wanted = ("nanobeir", "--data", str(copy), "--languages", "de,ja", "--tasks", "arguana", *FAST, "--json")
    found = run(*wanted, "--mode", "semantic", "--language-bias").json["language_bias"]
    assert {each["share"] for each in found if each["document_language"] == "ja"} == {1.0}


def test_a_language_alone_has_no_bias_and_the_report_says_so(run: Run, handbook: Path) -> None:
    outcome = run("folder", str(handbook), *FAST, "--languages", "ja", "--language-bias")
    assert outcome.status == 0
    assert "warning: the language bias was not measured" in outcome.err


def test_a_pool_without_common_ids_is_an_error(run: Run, handbook: Path) -> None:
    shutil.rmtree(handbook / "ar")
    for path in (handbook / "ja").rglob("*.*"):
        path.write_text(re.sub(r'("|\t)d(\d)', r"\1e\2", path.read_text(encoding="utf-8")), encoding="utf-8")
    outcome = run("folder", str(handbook), *FAST, "--language-bias")
    assert (outcome.status, outcome.err.count("error[not_parallel]")) == (3, 1)
    assert "leave --language-bias out" in outcome.err


@pytest.mark.parametrize("source", ["liquid", "sentence-transformers", "mteb"])
def test_nanobeir_is_read_from_a_copy_in_every_layout(
    run: Run, tmp_path: Path, write_nanobeir: Callable[..., Path], source: str
) -> None:
    copy = write_nanobeir(tmp_path / "copy", source)
    wanted = ("--data", str(copy), "--source", source, "--languages", "de,en", "--tasks", "scifact,arguana")
    outcome = run("nanobeir", *wanted, *FAST, "-o", str(tmp_path / "report"))
    assert outcome.status == 0
    rows = report_of(tmp_path / "report")["rows"]
    assert {(row["task"], row["document_language"]) for row in rows} == {
        (task, language) for task in ("scifact", "arguana") for language in ("de", "en")
    }
    blocks = blocks_of(outcome.out)
    for row in rows:
        assert line_of(row, SYSTEMS[f"{row['system']} {row['setting']}"]) in blocks[title_of(row)]
    assert (tmp_path / "report" / "mteb" / "MultilingualNanoSciFactRetrieval.json").is_file()
    assert "value: " in (tmp_path / "report" / "model-card.yaml").read_text(encoding="utf-8")


def test_published_figures_stand_beside_with_their_warnings(
    run: Run, handbook: Path, tmp_path: Path, write_nanobeir: Callable[..., Path]
) -> None:
    copy = write_nanobeir(tmp_path / "copy", "liquid", ("SciFact",))
    outcome = run("nanobeir", "--data", str(copy), "--languages", "de,ja", "--tasks", "scifact", *FAST, "--limit", "2")
    table = {" ".join(line.split()[:-3]): line.split()[-3:] for line in outcome.out.splitlines()}
    assert table["published means of nDCG@10"] == ["de", "ja", "mean"]
    assert table["LFM2.5-ColBERT-350M"] == ["60.6", "61.4", "60.5"]  # as its card prints them
    own = [line for line in blocks_of(outcome.out)["mean of all 2 tasks, 4 queries"] if "semantic" in line]
    assert table["here: lfm2-colbert semantic"][2] == own[0].split()[2]
    for warning in (
        "the report's data is LiquidAI/nanobeir-multilingual-extended@local, not ",
        "the report's mean is over other tasks: without arguana, ",
        "the report's mean is over other languages: without ar, ",
        "the report's limit is 2",
    ):
        assert f"warning: {warning}" in outcome.err
    assert "published" not in run("beir", str(handbook / "ja"), *FAST).out


def test_a_folder_of_beir_is_a_language_of_a_set(run: Run, handbook: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(handbook / "ja", tmp_path / "scifact-ja")
    found = run("beir", str(folder), "--language", "ja", *FAST, "--json").json["rows"]
    same = run("folder", str(handbook), "--languages", "ja", *FAST, "--json").json["rows"]
    assert found == [row | {"dataset": "scifact-ja"} for row in same]
    assert "\n4 queries\n" in run("beir", str(folder), *FAST).out  # in a language that nobody told


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", "eval", *arguments]


def test_a_downloaded_copy_gives_what_the_hub_gives(
    hub: tuple[Path, Mapping[str, str]], publish: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("datasets")
    root, environment = hub
    publish(root, "liquid")
    wanted = ("nanobeir", "--tasks", "scifact", "--languages", "de,ja")
    here = {**os.environ, **environment, "LFM2_COLBERT_HOME": str(tmp_path / "home")}

    def call(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*arguments), env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        )

    copied = call(here, "download", *wanted, "--to", "copy")
    assert copied.stdout == "done    6 files · lfm2-colbert eval nanobeir --data copy\n"
    assert len(copied.stderr.splitlines()) == 6  # a line for each file, and no library's bars
    assert json.loads(call(here, "download", *wanted, "--to", "copy", "--json").stdout)["files"] == 6
    online = json.loads(call(here, *wanted, *FAST, "--json").stdout)
    cut_off = here | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "nothing")}
    offline = json.loads(call(cut_off, *wanted, *FAST, "--data", "copy", "--json").stdout)
    assert offline == online
    revisions = call(cut_off, *wanted, *FAST, "--data", "copy", "-o", "report").stderr
    assert "the report's data is" not in revisions  # the copy knows its commit
