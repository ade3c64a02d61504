"""Ctrl-C during `index`: it ends with 130 and a whole collection, and the next run gives what one run would have."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index import Collection
from index.home import is_collection
from index.store import Store
from index.verify import verify

WORDS = ["Hund", "cat", "東京", "서울", "باريس", "กรุงเทพ", "größe", "cafe\u0301", "🐈", "Дом", "हिन्दी", "phố"]
SECONDS = 120.0
INTERRUPTED = 130

Moment = Callable[[Path], bool]


def written(folder: Path, n_files: int, n_words: int) -> Path:
    rng = random.Random(7)
    for number in range(n_files):
        path = folder / f"{number % 10}" / f"{rng.choice(WORDS)}-{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number} " + " ".join(rng.choices(WORDS, k=n_words)), encoding="utf-8")
    return folder


def count(home: Path, table: str) -> int:
    if not is_collection(home / "default"):
        return 0
    with Store.open(home / "default", writable=False) as store:
        return store.n_rows(table)


def command(folder: Path, home: Path) -> list[str]:
    return [
        sys.executable, "-m", "service", "index", str(folder), "--home", str(home), "--model", "hashing", "--json"
    ]  # fmt: skip


def interrupted(folder: Path, home: Path, moment: Moment) -> tuple[int, str]:
    """Index, interrupt when the moment has come, and give the exit status and what it printed."""
    process = subprocess.Popen(command(folder, home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and not moment(home) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    return process.wait(SECONDS), process.communicate()[0]


def found(home: Path) -> tuple[list[str], list[Any]]:
    """Give all ids, and the best hits of all words."""
    with Collection.open("default", home=home) as collection:
        assert collection.counts().pending == 0
        asked = [collection.search(word, k=20, effort="exact", mode="semantic").hits for word in WORDS]
        return collection.ids(), [[(hit.document_id, hit.passage, hit.text) for hit in hits] for hits in asked]


def in_one_run(folder: Path, home: Path) -> tuple[list[str], list[Any]]:
    subprocess.run(command(folder, home), check=True, capture_output=True)
    return found(home)


def check(folder: Path, tmp_path: Path, moment: Moment) -> dict[str, Any]:
    """Interrupt a run, look at what it left, let another complete it; give the report of the first."""
    home = tmp_path / "home"
    status, output = interrupted(folder, home, moment)
    assert status == INTERRUPTED
    assert not verify(home / "default").findings
    second = subprocess.run(command(folder, home), check=True, capture_output=True, text=True)
    assert [each["code"] for each in json.loads(second.stdout)["warnings"] if each["code"] == "interrupted"] == []
    assert not verify(home / "default").findings
    assert found(home) == in_one_run(folder, tmp_path / "other")
    report: dict[str, Any] = json.loads(output)
    return report


def test_interrupted_while_it_reads(tmp_path: Path) -> None:
    folder = written(tmp_path / "docs", 400, 8)
    report = check(folder, tmp_path, lambda home: count(home, "documents") > 0)
    assert report["documents"] < 400
    assert "interrupted" in {each["code"] for each in report["warnings"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [lambda home: count(home, "documents") >= 60, lambda home: count(home, "segments") > 0],
    ids=["in the first batch", "in the second batch"],
)
def test_interrupted_while_it_encodes(tmp_path: Path, moment: Moment) -> None:
    folder = written(tmp_path / "docs", 60, 5000)
    report = check(folder, tmp_path, moment)
    assert report["documents"] == 60
    assert 0 < report["passages"]
    assert 0 < report["encoded_passages"] == report["passages"]


@pytest.mark.slow
def test_interrupted_twice_it_stops_at_once_and_loses_nothing(tmp_path: Path) -> None:
    folder, home = written(tmp_path / "docs", 60, 5000), tmp_path / "home"
    process = subprocess.Popen(command(folder, home), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while count(home, "documents") < 60:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "stopping after the batch" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == INTERRUPTED
    assert "error[interrupted]" in process.communicate()[1]
    assert not [each for each in verify(home / "default").findings if each.part != "left_over"]
    assert in_one_run(folder, home) == in_one_run(folder, tmp_path / "other")
