"""`lfm2-colbert eval` as a person meets it: figures of the report, its files, comparisons, errors with a way out."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.cli.evaluation import COMMANDS
from service.cli.main import main

pytest.importorskip("ir_measures")
pytest.importorskip("bm25s")

LANGUAGES = ("ar", "de", "ja")
TEXTS: Mapping[str, Sequence[str]] = {
    "ar": ("الإجازة السنوية أربعة وعشرون يوما", "طوكيو عاصمة اليابان", "القطط تنام 🐈 كثيرا", "الطقس جميل اليوم"),
    "de": ("Der Urlaub beträgt 24 Tage", "Tokio ist Japans Hauptstadt", "Katzen 🐈 schlafen viel", "Schönes Wetter"),
    "ja": ("年次休暇は二十四日です", "東京は日本の首都です", "猫🐈はよく寝る", "今日は良い天気です"),
}
QUESTIONS: Mapping[str, Sequence[str]] = {
    "ar": ("كم يوما الإجازة؟", "ما عاصمة اليابان؟", "🐈", "الطقس"),
    "de": ("Wie viele Tage Urlaub?", "Hauptstadt von Japan", "🐈", "Wetter"),
    "ja": ("休暇は何日ですか", "日本の首都は", "🐈", "天気"),
}
FAST = ("--model", "hashing")
TIMED = re.compile(r"(encode|search)_\w*(s|p\d\d)|seconds")
"""Figures that no two runs share."""

Texts = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("LFM2_COLBERT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lfm2-colbert", "eval", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), captured.out, captured.err)

    return call


def write_language(home: Path, texts: Sequence[str], questions: Sequence[str]) -> None:
    """Write documents, and a question for each of the first; the second document is a little relevant too."""
    (home / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(texts)]
    queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(questions)]
    (home / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus), encoding="utf-8")
    (home / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries), encoding="utf-8")
    judged = [f"q{i}\td{i}\t2\n" for i in range(len(questions))]
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged), encoding="utf-8")


def write_set(folder: Path, texts: Texts = TEXTS, questions: Texts = QUESTIONS) -> Path:
    for language in texts:
        write_language(folder / language, texts[language], questions[language])
    return folder


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    return write_set(tmp_path / "handbook")


def report_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def untimed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not TIMED.fullmatch(name)} for row in rows]


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


def test_a_language_that_is_preferred_shows(run: Run, tmp_path: Path) -> None:
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


def test_a_pool_without_common_ids_is_an_error(run: Run, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "apart", {"de": TEXTS["de"]}, QUESTIONS)
    write_set(folder, {"ja": TEXTS["ja"]}, QUESTIONS)
    for path in (folder / "ja").rglob("*.*"):
        path.write_text(re.sub(r'("|\t)d(\d)', r"\1e\2", path.read_text(encoding="utf-8")), encoding="utf-8")
    outcome = run("folder", str(folder), *FAST, "--language-bias")
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
    run: Run, tmp_path: Path, write_nanobeir: Callable[..., Path]
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
    assert "published" not in run("beir", str(write_beir(tmp_path / "own")), *FAST).out


def write_beir(folder: Path, texts: Sequence[str] = TEXTS["ja"], questions: Sequence[str] = QUESTIONS["ja"]) -> Path:
    write_language(folder, texts, questions)
    return folder


def test_a_folder_of_beir_is_a_language_of_a_set(run: Run, handbook: Path, tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "scifact-ja")
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


NUMBERED = {
    "ar": ("إجازة رقم {} طويلة", "رقم {}"),
    "de": ("Urlaub Nummer {} ist lang", "Nummer {}"),
    "ja": ("休暇 第 {} 号は長い 🐈", "第 {} 号"),
}


def numbered(languages: Sequence[str], n: int) -> tuple[Texts, Texts]:
    """Give documents that a number tells apart, and questions for it."""
    return (
        {name: [NUMBERED[name][0].format(i) for i in range(n)] for name in languages},
        {name: [NUMBERED[name][1].format(i) for i in range(n)] for name in languages},
    )


def test_a_regression_fails_the_command_and_the_same_index_does_not(run: Run, tmp_path: Path) -> None:
    texts, questions = numbered(("ar", "ja"), 80)
    whole = write_set(tmp_path / "whole" / "set", texts, questions)
    # A tenth of the documents has lost its text: what was judged is still there by name.
    fewer = {name: ["" if i % 10 == 3 else text for i, text in enumerate(each)] for name, each in texts.items()}
    short = write_set(tmp_path / "short" / "set", fewer, questions)
    for folder, name, *options in ((whole, "a"), (whole, "b", "--cache", "anew"), (short, "c")):
        assert run("folder", str(folder), *FAST, "-o", name, *options).status == 0
    assert run("compare", "a", "b", "--fail-on-regression").status == 0
    worse = run("compare", "a", "c", "--fail-on-regression")
    assert worse.status == 1
    assert [line.split()[-1] for line in worse.out.splitlines()[4:7]] == ["worse"] * 3
    assert run("compare", "a", "c").status == 0
    assert run("compare", "c", "a", "--fail-on-regression").status == 0
    found = run("compare", "a", "c", "--json").json
    assert (found["regressed"], len(found["tasks"])) == (True, 2)
    assert found["mean"]["difference"] == pytest.approx(-0.1, abs=0.02)


def test_other_questions_are_no_regression_but_another_task(run: Run, handbook: Path) -> None:
    run("folder", str(handbook), "--languages", "ja", *FAST, "-o", "a")
    run("folder", str(handbook), "--languages", "ja", "--query-languages", "de", *FAST, "-o", "b")
    outcome = run("compare", "a", "b", "--fail-on-regression")
    assert outcome.status == 2
    assert "no task with a common query" in outcome.err


def test_two_systems_of_one_report_are_compared_by_their_short_names(run: Run, handbook: Path) -> None:
    run("folder", str(handbook), *FAST, "-o", "a")
    outcome = run("compare", "a", "a", "--systems", "lfm2-colbert semantic balanced", "bm25", "--measure", "mrr_at_10")
    assert outcome.status == 0
    assert outcome.out.splitlines()[:2] == ["A  lfm2-colbert semantic balanced", "B  bm25 k1=0.9 b=0.4"]
    assert json.loads(run("compare", "a", "a", "--systems", "oracle", "bm25", "--json").out)["system_a"] == {
        "system": "oracle", "setting": "MaxSim over the encoder's vectors",
    }  # fmt: skip


def test_what_was_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", *numbered(("ja",), 300))
    asked = ("folder", str(folder), *FAST, "--json", "--home")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def start(home: Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command(*asked, str(home)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    answers = tmp_path / "stopped" / ".evaluations" / "answers"
    child = start(tmp_path / "stopped")
    deadline = time.monotonic() + 120
    while not list(answers.glob("*")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate()
    assert child.returncode == 130, said
    assert "error[interrupted] stopped; what was stored is safe\nhelp: run the same command again" in said
    assert "Traceback" not in said
    done = set(answers.glob("*"))
    assert 0 < len(done) < len(SYSTEMS)

    again, undisturbed = start(tmp_path / "stopped"), start(tmp_path / "whole")
    rows = [json.loads(each.communicate()[0])["rows"] for each in (again, undisturbed)]
    assert untimed(rows[0]) == untimed(rows[1])
    assert done < set(answers.glob("*"))


def spoil(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "code", "help"),
    [
        (("folder", "handbook", "--model", "nanoo"), 2, "unknown_encoder", "did you mean 'nano'?"),
        (("folder", "handbook", *FAST, "--mode", "semantik"), 2, "unknown_name", "did you mean 'semantic'?"),
        (("folder", "handbook", *FAST, "--mode", ""), 2, "invalid_argument", "semantic, hybrid or lexical"),
        (("folder", "handbook", *FAST, "--effort", "fats"), 2, "unknown_name", "did you mean 'fast'?"),
        (("folder", "handbook", *FAST, "--codec", "scaler4"), 2, "unknown_name", "did you mean 'scalar4'?"),
        (("folder", "handbook", *FAST, "--pool", "5"), 2, "invalid_argument", "1 keeps every vector"),
        (("folder", "handbook", *FAST, "--baseline", "bm52"), 2, "unknown_encoder", "known: a model folder"),
        (("folder", "handbook", *FAST, "--baseline", "a/b"), 2, "invalid_argument", "40 digits of a commit"),
        (("folder", "handbook", *FAST, "--baseline", "hashing"), 2, "invalid_argument", "leave it out"),
        (("folder", "handbook", *FAST, "--languages", "dee"), 2, "unknown_name", "did you mean 'de'?"),
        (("folder", "handbook", *FAST, "--query-languages", "dee"), 2, "unknown_name", "did you mean 'de'?"),
        (("folder", "handbook", *FAST, "--split", "dev"), 2, "not_found", "there are: test.tsv"),
        (("folder", "handbook", *FAST, "--limit", "0"), 2, "usage", "--help"),
        (("folder", "handbook", *FAST, "-o", "handbook/de/corpus.jsonl/x"), 4, "storage_failed", "the disk"),
        (("folder", "handbook", *FAST, "--cache", "handbook/de/corpus.jsonl/x"), 4, "storage_failed", "the disk"),
        (("folder", "unjudged", *FAST), 2, "not_found", "docs/guides/evaluating.md shows the layout"),
        (("folder", "textless", *FAST), 3, "malformed_document", "there is nothing to measure"),
        (("folder", "misjudged", *FAST), 3, "malformed_document", "of the same version"),
        (("folder", ".", *FAST), 2, "not_found", "name one of its sets: handbook, misjudged, textless, unjudged"),
        (("folder", "handbook/de/qrels", *FAST), 2, "not_found", "docs/guides/evaluating.md shows the layout"),
        (("folder", "handbook/de", *FAST), 2, "not_found", "lfm2-colbert eval beir handbook/de"),
        (("folder", "nowhere", *FAST), 2, "usage", "--help"),
        (("beir", "handbook", *FAST), 2, "not_found", "lfm2-colbert eval folder handbook"),
        (("beir", "scifct", *FAST), 2, "unknown_name", "did you mean 'scifact'?"),
        (("nanobeir", *FAST, "--tasks", "scifct"), 2, "unknown_name", "did you mean 'scifact'?"),
        (("nanobeir", *FAST, "--languages", "jp"), 2, "unknown_name", "known: ar, de, en"),
        (("nanobeir", *FAST, "--source", "mtep"), 2, "unknown_name", "did you mean 'mteb'?"),
        (("nanobeir", *FAST, "--source", "mtep", "--query-languages", "all"), 2, "unknown_name", "'mteb'?"),
        (("nanobeir", *FAST, "--data", "nowhere"), 2, "not_found", "it holds: nothing"),
        (("download", "nanobier", "--to", "copy"), 2, "usage", "--help"),
        (("download", "nanobeir", "--to", "copy", "--tasks", "scifct"), 2, "unknown_name", "'scifact'?"),
        (("compare", "handbook", "handbook"), 2, "not_found", "eval … -o FOLDER"),
        (("fodler", "handbook"), 2, "usage", "did you mean 'folder'?"),
    ],
)
def test_mistakes_get_a_code_and_a_way_out(
    run: Run, handbook: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, code: str, help: str
) -> None:
    for name in ("unjudged", "textless", "misjudged"):
        shutil.copytree(handbook, tmp_path / name)
    (tmp_path / "unjudged" / "de" / "qrels" / "test.tsv").unlink()
    spoil(tmp_path / "textless" / "de" / "corpus.jsonl", lambda text: re.sub('"text": ".*?"', '"text": " "', text))
    spoil(tmp_path / "misjudged" / "de" / "qrels" / "test.tsv", lambda text: text.replace("d3", "d33"))
    outcome = run(*arguments)
    assert (outcome.status, outcome.out) == (status, "")
    assert f"error[{code}]" in outcome.err
    assert help in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "arguments", [("nanobeir", *FAST, "--languages", "de"), ("download", "nanobeir", "--to", "copy")], ids=" ".join
)
def test_a_hub_that_cannot_be_reached_has_a_way_out(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    pytest.importorskip("datasets")
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        command(*arguments),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (4, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("error[dataset_unavailable] LiquidAI/nanobeir-multilingual-extended cannot be fetched")
    assert second.startswith("help: on a connected machine: lfm2-colbert eval download nanobeir --to FOLDER")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_a_terminal(run: Run, command: str) -> None:
    outcome = run(command, "--help")
    assert outcome.status == 0
    assert "[default: (" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_help_of_the_group_lists_whole_sentences(run: Run) -> None:
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == [*COMMANDS]
    assert not [line for line in listed if line.endswith("...")]
