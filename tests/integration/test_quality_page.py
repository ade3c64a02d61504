"""The page of figures shows the evaluation that the operator names, as it is now, and nothing where there is none."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.server import Asking, served
from eval.machine import Machine
from eval.report import Report, Row, SystemKey, TaskKey, save
from service.http.config import ServerConfig

EVIL = "<script>alert(1)</script>"
OURS, WORDS = SystemKey("lfm2-colbert", "hybrid balanced"), SystemKey("bm25", EVIL)
ROWS = (("xquad", "ar", "de", 0.5, 0.25), ("jaquad", "ja", "ja", 0.713, None), (EVIL, "ko", "ko", 0.9, 0.75))


def report(created: str) -> Report:
    rows, values = [], {}
    for dataset, asked, searched, ours, words in ROWS:
        task = TaskKey(dataset, "cross-lingual", asked, searched)
        for system, ndcg in ((WORDS, words), (OURS, ours)):
            if ndcg is not None:
                rows.append(Row(task, system, 2, 3, {"ndcg_at_10": ndcg}))
                values[task, system] = {"ndcg_at_10": {"q1": ndcg, "ق2": ndcg}}
    machine = Machine("a processor", 2, 24, ("avx2",))
    return Report("", created, "", machine, {}, 0, {}, tuple(rows), {}, {}, (), values, ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(report("2026-11-26T08:00:00+00:00"), tmp_path / "report")
    return tmp_path / "report"


@pytest.fixture
def ask(tmp_path: Path, folder: Path) -> Iterator[Asking]:
    with served(tmp_path / "home", ServerConfig(port=0, evaluation=folder)) as ask:
        yield ask


def shown(ask: Asking, language: str = "en") -> str:
    answer = ask("GET", f"/ui/parts/quality?ui={language}")
    assert answer.status == 200
    return answer.body.decode()


def test_each_task_and_the_means_stand_there_our_own_first(ask: Asking) -> None:
    found = shown(ask)
    assert 'Evaluation · <span dir="ltr">2026-11-26</span>' in found
    assert found.index("lfm2-colbert hybrid balanced") < found.index("bm25")
    assert '<th scope="row">xquad-cross-lingual-ar-de</th><td>50.0</td><td>25.0</td>' in found
    assert '<th scope="row">jaquad-cross-lingual-ja-ja</th><td>71.3</td><td></td>' in found.replace(
        "<td />", "<td></td>"
    )
    assert '<th scope="row">Mean</th><td>70.4</td><td>50.0</td>' in found
    assert EVIL not in found


def test_it_speaks_the_language_of_the_interface(ask: Asking) -> None:
    for language, word in (("de", "Auswertung"), ("ja", "評価"), ("ar", "التقييم")):
        assert f"{word} · " in shown(ask, language)
        for page in ("quality", "collections"):
            assert f"/ui/parts/{page}?ui={language}" in ask("GET", f"/ui/{page}?ui={language}").body.decode()


def test_a_newer_report_takes_its_place_and_a_broken_one_is_left_out(ask: Asking, folder: Path) -> None:
    save(report("2026-12-01T08:00:00+00:00"), folder)
    assert "2026-12-01" in shown(ask)
    (folder / "report.json").write_text("{", encoding="utf-8")
    assert "2026-12-01" not in shown(ask)
    shutil.rmtree(folder)
    assert "Evaluation ·" not in shown(ask)


def test_a_folder_without_a_report_is_refused_before_anything_is_served(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    refused = run("serve", "--port", "0", "--evaluation", tmp_path)
    assert refused.status == 2
    assert "error[not_found]" in refused.err
