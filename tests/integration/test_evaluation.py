"""An evaluation end to end on a few texts in three languages, by an encoder that finds equal words and nothing else."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.datasets import folder as sets
from eval.datasets import nanobeir
from eval.datasets.base import Task
from eval.report import Report, Row
from eval.run import Options, Progress, evaluate
from eval.trec import file_name
from index.types import Document
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

ir_measures = pytest.importorskip("ir_measures")
pytest.importorskip("bm25s")

OPTIONS = Options(modes=("semantic", "hybrid", "lexical"))
TEXTS = {
    "ar": [
        "الإجازة السنوية أربعة وعشرون يوما",
        "طوكيو عاصمة اليابان",
        "القطط تنام 🐈 كثيرا",
        "الطقس جميل اليوم في باريس",
    ],
    "de": [
        "Der Urlaub beträgt 24 Tage",
        "Tokio ist Japans Hauptstadt",
        "Katzen 🐈 schlafen viel",
        "Schönes Wetter in Paris",
    ],
    "ja": ["年次休暇は二十四日です", "東京は日本の首都です", "猫🐈はよく寝る", "今日のパリは良い天気です"],
}
QUESTIONS = {
    "ar": ["كم يوما الإجازة؟", "ما عاصمة اليابان؟", "🐈", "الطقس"],
    "de": ["Wie viele Tage Urlaub?", "Hauptstadt von Japan", "🐈", "Wetter Paris"],
    "ja": ["休暇は何日ですか", "日本の首都は", "🐈", "天気"],
}
FILLING = "und so weiter " * 40


def write_set(folder: Path) -> Path:
    """Write a set in BEIR's layout: some documents are long, one is empty, one judgement is 0."""
    for language, texts in TEXTS.items():
        home = folder / "handbook" / language
        (home / "qrels").mkdir(parents=True)
        corpus = [
            {"_id": f"d{i} x", "title": texts[i - 1], "text": f"{text}. {FILLING * (i % 2)}"}
            for i, text in enumerate(texts)
        ]
        corpus.append({"_id": "empty", "title": "", "text": " "})
        (home / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
        queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(QUESTIONS[language])]
        (home / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
        judged = [f"q{i}\td{i} x\t2\nq{i}\td{(i + 1) % 4} x\t{i % 2}\n" for i in range(len(queries))]
        (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return folder / "handbook"


class Counting(HashingEncoder):
    """Counts what it encoded."""

    def __init__(self, dim: int = 32) -> None:
        super().__init__(dim=dim)
        self.documents = self.queries = 0

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        self.documents += len(texts)
        return super().encode_documents(texts)

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        self.queries += len(texts)
        return super().encode_queries(texts)


def tasks(folder: Path, languages: Sequence[str] = ("ar", "de", "ja"), asked: Sequence[str] = ()) -> list[Task]:
    return list(sets.tasks(folder, document_languages=languages, query_languages=asked))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def report(home: Path) -> Report:
    """Evaluate the set in three languages and across two of them."""
    folder = write_set(home)
    asked = [*tasks(folder), *tasks(folder, ("ja",), ("de",))]
    return evaluate(asked, OPTIONS, encoder="hashing", folder=home / "report", cache=home / "cache")


def rows_of(report: Report, *names: str) -> list[Row]:
    return [row for row in report.rows if row.system.system in names]


def test_every_task_is_answered_by_every_system(report: Report) -> None:
    systems = ["semantic balanced", "hybrid balanced", "lexical", "MaxSim over the encoder's vectors", "k1=0.9 b=0.4"]
    asked = ["monolingual-ar-ar", "monolingual-de-de", "monolingual-ja-ja", "cross-lingual-de-ja"]
    assert [str(row.task) for row in report.rows] == [f"handbook-{key}" for key in asked for _ in systems]
    assert [row.system.setting for row in report.rows] == systems * 4
    assert {row.queries for row in report.rows} == {4}


def test_figures_are_what_other_tools_compute_from_the_files(report: Report, home: Path) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    measures = {"ndcg_at_10": "nDCG@10", "recall_at_100": "R@100", "mrr_at_10": "RR@10", "map_at_100": "AP@100"}
    for row in report.rows:
        qrels = list(ir_measures.read_trec_qrels(str(home / "report" / "qrels" / f"{file_name(str(row.task))}.trec")))
        path = home / "report" / "runs" / f"{file_name(str(row.task), str(row.system))}.trec"
        values = report.per_query[row.task, row.system]
        for ours, theirs in measures.items():
            measure = ir_measures.parse_measure(theirs)
            run = ir_measures.read_trec_run(str(path))
            expected = {each.query_id: each.value for each in ir_measures.iter_calc([measure], qrels, run)}
            found = {query_id: value for query_id, value in values[ours].items() if query_id in expected}
            assert found == pytest.approx(expected, abs=1e-9)
            assert all(value == 0 for query_id, value in values[ours].items() if query_id not in expected)
        with path.open(encoding="utf-8") as stream:
            run = pytrec_eval.parse_run(stream)
        judged: dict[str, dict[str, int]] = {}
        for each in qrels:
            judged.setdefault(each.query_id, {})[each.doc_id] = each.relevance
        again = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut.10"}).evaluate(run)
        ndcg = sum(each["ndcg_cut_10"] for each in again.values()) / row.queries
        assert sum(values["ndcg_at_10"].values()) / row.queries == pytest.approx(ndcg, abs=1e-9)
        assert row.figures["ndcg_at_10"] == pytest.approx(ndcg, abs=5.1e-5)


def test_a_word_that_is_there_is_found_in_every_script(report: Report) -> None:
    found = [row for row in rows_of(report, "lfm2-colbert", "oracle") if row.system.setting != "lexical"]
    assert len(found) == 12
    for row in found:
        assert report.per_query[row.task, row.system]["success_at_5"]["q2"] == 1.0  # the emoji


def test_the_difference_to_exact_maxsim_is_that_of_the_means(report: Report) -> None:
    for oracle in rows_of(report, "oracle"):
        for row in rows_of(report, "lfm2-colbert"):
            if row.task == oracle.task:
                mean = {
                    each.system: sum(report.per_query[each.task, each.system]["ndcg_at_10"].values()) / 4
                    for each in (row, oracle)
                }
                assert row.figures["exact_difference"] == pytest.approx(
                    mean[row.system] - mean[oracle.system], abs=5.1e-5
                )
                assert row.figures["exact_low"] <= row.figures["exact_difference"] <= row.figures["exact_high"]


def test_exact_search_loses_nothing_of_a_long_question(tmp_path: Path) -> None:
    documents = {f"d{n}": Document(f"d{n}", text) for n, text in enumerate(TEXTS["de"])}
    queries = {"end": FILLING + "Ist Tokio Japans Hauptstadt?", "beginning": "Schönes Wetter in Paris " + FILLING}
    task = Task("long", "de", "de", "test", documents, queries, {"end": {"d1": 1}, "beginning": {"d3": 1}})
    options = Options(modes=("semantic",), effort="exact", baselines=("oracle",))
    found = evaluate([task], options, encoder=HashingEncoder(), folder=tmp_path / "out", cache=tmp_path)
    served, oracle = rows_of(found, "lfm2-colbert", "oracle")
    assert served.figures["ndcg_at_10"] == oracle.figures["ndcg_at_10"] == 1.0
    assert served.figures["exact_difference"] == 0.0


def test_passages_are_ranked_and_counted(report: Report) -> None:
    assert all(
        row.passages > 4 for row in rows_of(report, "lfm2-colbert", "oracle") if row.task.document_language == "de"
    )
    assert {row.passages for row in rows_of(report, "bm25")} == {4}
    assert all(counts["empty documents"] == 1 for counts in report.cleaned.values())


def test_a_second_call_encodes_and_asks_nothing(report: Report, home: Path) -> None:
    told: list[Progress] = []
    encoder = Counting()
    folder = home / "handbook"
    asked = [*tasks(folder), *tasks(folder, ("ja",), ("de",))]
    again = evaluate(asked, OPTIONS, encoder=encoder, cache=home / "cache", on_progress=told.append)
    assert (told, encoder.documents, encoder.queries) == ([], 0, 0)
    assert again.rows == report.rows
    assert again.per_query == report.per_query
    assert again.examples == report.examples


def test_what_is_new_is_all_that_is_asked(report: Report, home: Path) -> None:
    told: list[Progress] = []
    encoder = Counting()
    more = replace(OPTIONS, effort="exact")
    found = evaluate(
        tasks(home / "handbook", ("ja",)), more, encoder=encoder, cache=home / "cache", on_progress=told.append
    )
    assert {each.step for each in told if each.step != "encode"} == {
        "lfm2-colbert semantic exact",
        "lfm2-colbert hybrid exact",
    }
    assert encoder.documents == 0
    assert [row for row in found.rows if row.system.system == "bm25"] == [
        row for row in report.rows if row.system.system == "bm25" and str(row.task) == "handbook-monolingual-ja-ja"
    ]


def test_tasks_with_the_same_documents_share_a_collection(report: Report, home: Path) -> None:
    assert len(list((home / "cache" / "collections").iterdir())) == len(TEXTS)  # four tasks, three languages


def test_progress_is_told_of_each_query(tmp_path: Path) -> None:
    told: list[Progress] = []
    [task] = tasks(write_set(tmp_path), ("ja",))
    evaluate([task], Options(modes=("semantic",)), encoder="hashing", cache=tmp_path / "cache", on_progress=told.append)
    steps = list(dict.fromkeys(each.step for each in told))
    assert steps == [
        "encode",
        "lfm2-colbert semantic balanced",
        "oracle MaxSim over the encoder's vectors",
        "bm25 k1=0.9 b=0.4",
    ]
    for step in steps[1:]:
        assert [each.done for each in told if each.step == step] == [0.25, 0.5, 0.75, 1.0]
    assert {(each.number, each.total) for each in told} == {(1, 1)}


@pytest.mark.parametrize("source", ["liquid", "mteb"])
def test_arguanas_own_document_is_left_out_of_every_result(
    tmp_path: Path, write_nanobeir: Callable[..., Path], source: str
) -> None:
    copy = write_nanobeir(tmp_path / "copy", source, ("ArguAna",))
    read = list(nanobeir.tasks(nanobeir.Wanted(("ja", "de"), (), ("arguana",), source, copy)))
    found = evaluate(read, OPTIONS, encoder="hashing", folder=tmp_path / "report", cache=tmp_path / "cache")
    runs = list((tmp_path / "report" / "runs").iterdir())
    assert len(runs) == len(found.rows) == 10
    for path in runs:
        for line in path.read_text(encoding="utf-8").splitlines():
            query_id, _, document_id, *_ = line.split()
            assert query_id != document_id
    # What answers is the document that shares most words with the query, once the query itself is out of the way.
    assert {row.figures["ndcg_at_10"] for row in found.rows} == {1.0}
    plain = evaluate(
        [replace(task, skips_own=False) for task in read], OPTIONS, encoder="hashing", cache=tmp_path / "cache"
    )
    assert all(row.figures["ndcg_at_10"] < 0.7 for row in plain.rows)


@pytest.mark.torch
def test_a_dense_model_and_another_encoder_are_baselines(
    tmp_path: Path, write_dense_model: Callable[..., Path]
) -> None:
    pytest.importorskip("sentence_transformers")
    model = write_dense_model(tmp_path / "tiny-bert")
    asked = tasks(write_set(tmp_path), ("ja", "ar"))
    options = Options(modes=("semantic",), baselines=("bm25", str(model), "hashing"))
    found = evaluate(asked, options, encoder=Counting(dim=16), cache=tmp_path / "cache")
    assert [str(row.system) for row in found.rows][2:5] == [
        "bm25 k1=0.9 b=0.4",
        "tiny-bert dense",
        "hashing semantic balanced",
    ]
    again = evaluate(asked, options, encoder=Counting(dim=16), cache=tmp_path / "cache")
    assert again.rows == found.rows
    assert len(list((tmp_path / "cache" / "dense").iterdir())) == 2


def test_kept_vectors_may_be_thrown_away(tmp_path: Path) -> None:
    [task] = tasks(write_set(tmp_path), ("ja",))
    options = Options(modes=("semantic",), exact=False)
    first = evaluate([task], options, encoder="hashing", cache=tmp_path / "cache")
    [collection] = (tmp_path / "cache" / "collections").iterdir()
    shutil.rmtree(collection / "vectors")
    again = evaluate([task], replace(options, effort="exact"), encoder="hashing", cache=tmp_path / "cache")
    assert set(first.rows[0].figures) - set(again.rows[0].figures) == {"encode_s", "encode_docs_per_s"}


KILLED = """
import json, sys, time
from pathlib import Path
from eval.datasets.folder import tasks
from eval.run import Options, evaluate
from lfm2_colbert.encoders.hashing import HashingEncoder

class Slow(HashingEncoder):
    def encode_documents(self, texts):
        time.sleep(0.2)
        return super().encode_documents(texts)

folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
report = evaluate(list(tasks(folder)), Options(), encoder=Slow(), cache=cache)
print(json.dumps([[str(row.task), str(row.system), row.passages, row.figures] for row in report.rows]))
"""
WORDS = [
    "Urlaub",
    "休暇",
    "إجازة",
    "vacation",
    "東京",
    "طوكيو",
    "Tokio",
    "Wetter",
    "天気",
    "الطقس",
    "Katze",
    "猫",
    "قطة",
]
TIMED = ("encode", "search", "seconds")


def write_many(folder: Path) -> Path:
    rng = random.Random(0)
    texts = {f"d{i}": " ".join(rng.choices(WORDS, k=rng.randrange(8, 16))) + f" {i}" for i in range(1100)}
    home = folder / "many" / "de"
    (home / "qrels").mkdir(parents=True)
    corpus = [{"_id": key, "title": "", "text": text} for key, text in texts.items()]
    (home / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    asked = rng.sample(sorted(texts), 20)
    queries = [{"_id": f"q{i}", "text": " ".join(texts[key].split()[:6])} for i, key in enumerate(asked)]
    (home / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    judged = [f"q{i}\t{key}\t1\n" for i, key in enumerate(asked)]
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return folder / "many"


def start(folder: Path, cache: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", KILLED, str(folder), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})


def figures(child: "subprocess.Popen[str]") -> dict[tuple[str, str], dict[str, Any]]:
    output, said = child.communicate()
    assert child.returncode == 0, said
    return {
        (task, system): {"passages": passages}
        | {name: value for name, value in found.items() if not name.startswith(TIMED)}
        for task, system, passages, found in json.loads(output)
    }


@pytest.mark.slow
def test_a_killed_evaluation_is_finished_by_the_next(tmp_path: Path) -> None:
    folder = write_many(tmp_path)
    undisturbed = figures(start(folder, tmp_path / "whole"))
    deadline, killed = time.monotonic() + 300, []
    for awaited in ("*/vectors/000000", "*/vectors/000002", "*/*/optimized"):
        child = start(folder, tmp_path / "killed")
        while not list((tmp_path / "killed" / "collections").glob(awaited)) and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed.append(child.returncode == -signal.SIGKILL)
    assert killed == [True, True, True]
    finished = figures(start(folder, tmp_path / "killed"))
    assert finished.keys() == undisturbed.keys()
    for key, expected in undisturbed.items():
        assert finished[key] == pytest.approx(expected, abs=1e-9), key
