"""`index --watch`: after every change the collection is what indexing the folder anew would give."""

import json
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from index import Collection, Document
from service.cli.watching import Watched

SECONDS = 60.0
"""For what takes a tenth of one on an idle machine."""


class Watching:
    """`lfm2-colbert index --watch --json` in a process of its own."""

    def __init__(self, home: Path, *paths: Path) -> None:
        self._threads: list[threading.Thread] = []
        command = [sys.executable, "-m", "service", "index", *map(str, paths), "--home", str(home), "--json", "--watch"]
        self._process = subprocess.Popen(
            [*command, "--model", "hashing"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.reports = self._lines(self._process.stdout)
        self.said = self._lines(self._process.stderr)

    def _lines(self, stream: Any) -> "queue.Queue[str]":
        lines: queue.Queue[str] = queue.Queue()

        def read() -> None:
            with stream:
                for line in stream:
                    lines.put(line)

        self._threads.append(threading.Thread(target=read))
        self._threads[-1].start()
        return lines

    def report(self, until: Callable[[dict[str, Any]], bool] = lambda report: True) -> dict[str, Any]:
        """Give the next report that is the one waited for; a change may be told in two."""
        while True:
            report: dict[str, Any] = json.loads(self.reports.get(timeout=SECONDS))
            if until(report):
                return report

    def says(self, words: str) -> str:
        """Wait until it says something on standard error."""
        while words not in (line := self.said.get(timeout=SECONDS)):
            pass
        return line

    def end(self) -> int:
        """Interrupt it, and give its exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(SECONDS)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    begun: list[Watching] = []

    def begin(*paths: Path, home: Path = tmp_path / "home") -> Watching:
        begun.append(Watching(home, *paths))
        return begun[-1]

    yield begin
    for each in begun:
        each.kill()


def texts(home: Path) -> dict[str, str]:
    """Give the searchable documents by id."""
    with Collection.open("default", home=home) as collection:
        assert collection.counts().pending == 0
        found = ((document_id, collection.get(document_id)) for document_id in collection.ids())
        return {document_id: document.text for document_id, document in found if document}


def files(folder: Path) -> dict[str, str]:
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_folder_is_kept_in_sync(tmp_path: Path, watching: Callable[..., Watching]) -> None:
    folder, home = tmp_path / "docs", tmp_path / "home"
    write(folder / "de.txt", "Der Hund schläft.")
    write(folder / "日本.txt", "日本の首都は東京です。")
    process = watching(folder)
    assert process.report()["added"] == 2
    assert texts(home) == files(folder)

    write(folder / "neu" / "th.txt", "แมวดำนอนหลับ")  # in a folder that appears
    assert process.report(lambda report: report["documents"] == 3)["failed"] == []
    assert texts(home) == files(folder)

    write(folder / ".de.txt.swp", "Der Wolf heult.")  # as editors save
    (folder / ".de.txt.swp").replace(folder / "de.txt")
    assert process.report(lambda report: report["changed"] == 1)["encoded_passages"] == 1
    assert texts(home) == files(folder)

    (folder / "日本.txt").rename(folder / "neu" / "首都.txt")
    assert process.report(lambda report: report["renamed"] == 1)["encoded_passages"] == 0
    assert texts(home) == files(folder)

    shutil.rmtree(folder / "neu")
    process.report(lambda report: report["documents"] == 1)
    assert texts(home) == files(folder)
    assert process.end() == 0


def test_a_single_file_is_kept_in_sync_however_it_is_saved(tmp_path: Path, watching: Callable[..., Watching]) -> None:
    file, home = tmp_path / "notes" / "ملاحظات.md", tmp_path / "home"
    write(file, "القطة نائمة")
    write(tmp_path / "notes" / "other.md", "nobody asked for this")
    process = watching(file)
    process.report()
    write(file.with_name("new"), "الكلب نائم")
    file.with_name("new").replace(file)
    process.report(lambda report: report["changed"] == 1)
    assert texts(home) == {file.name: "الكلب نائم"}
    write(file.with_name(f"{file.name}.meta.json"), '{"year": 2024}')
    process.report(lambda report: report["changed"] == 1)
    with Collection.open("default", home=home) as collection:
        assert "year" in {field.name for field in collection.fields()}
    assert process.end() == 0


@pytest.mark.slow
def test_a_root_that_goes_and_comes_again_ends_nothing(tmp_path: Path, watching: Callable[..., Watching]) -> None:
    first, second, home = tmp_path / "a", tmp_path / "b", tmp_path / "home"
    write(first / "a.txt", "한국어 문서")
    write(second / "b.txt", "中文文件")
    process = watching(first, second)
    assert process.report()["documents"] == 2
    first.rename(tmp_path / "elsewhere")
    assert "error[not_found]" in process.says("error[")
    assert set(texts(home)) == {"a.txt", "b.txt"}
    write(second / "c.txt", "Noch einer")  # the other one is still watched
    process.report(lambda report: report["documents"] == 3)
    write(first / "d.txt", "🐈 cat")
    process.report(lambda report: report["removed"] == 1)
    assert texts(home) == files(first) | files(second)
    write(first / "d.txt", "🐕 dog")
    process.report(lambda report: report["changed"] == 1)
    assert texts(home) == files(first) | files(second)


def test_others_write_between_two_runs_and_are_waited_for(tmp_path: Path, watching: Callable[..., Watching]) -> None:
    folder, home = tmp_path / "docs", tmp_path / "home"
    write(folder / "a.txt", "Der Hund schläft.")
    process = watching(folder)
    process.report()
    with Collection.open("default", home=home) as collection:
        collection.add([Document("other", "Von einem Programm.")])
        write(folder / "b.txt", "Die Katze schläft.")
        assert "index_locked" in process.says("error[")
    process.report(lambda report: report["added"] == 1)
    assert set(texts(home)) == {"a.txt", "b.txt", "other"}


def test_collections_within_the_folder_are_no_documents_and_no_changes(
    tmp_path: Path, watching: Callable[..., Watching]
) -> None:
    folder = tmp_path / "docs"
    write(folder / "a.txt", "Der Hund schläft.")
    process = watching(folder, home=folder / "home")
    assert process.report()["documents"] == 1
    write(folder / "b.txt", "Die Katze schläft.")
    assert process.report(lambda report: report["added"] == 1)["documents"] == 2
    with pytest.raises(queue.Empty):
        process.reports.get(timeout=1)
    assert process.end() == 0


@pytest.mark.parametrize(
    ("place", "concerns"),
    [
        ("a.txt", True),
        ("tief/unten/ä.md", True),
        (".gitignore", True),
        ("tief/.gitignore", True),
        (".a.txt.swp", False),
        (".git/index.txt", False),
        ("home/default/settings.json", False),
        ("../other.txt", False),
        (".", True),
    ],
)
def test_only_what_is_read_concerns(tmp_path: Path, place: str, concerns: bool) -> None:
    from watchfiles import Change

    root = tmp_path / ".hidden" / "docs"
    root.mkdir(parents=True)
    watched = Watched([root], root / "home")
    assert watched.concerns(Change.modified, str(root / place)) is concerns
