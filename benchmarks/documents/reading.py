"""How long does it take to read files, by format, and beside that to encode what they say?

`python -m benchmarks.documents.reading FOLDER` reads the files of a folder, as `benchmarks.documents.gathering` makes
it, each format in turn, and counts CPU time in this process and in the one that parses. With `--index` it then lets
`lfm2-colbert index` do its whole work with `nano`, and gives the share that reading takes of it.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.documents.results import replace_rows
from benchmarks.results_file import measured_commit
from index.reading.base import SourceFile
from index.reading.files import FileReader
from index.reading.scan import scan
from index.types import Document, Failure

CORPUS = "mixed folder"
LARGE_PAGES = 200
"""What a document of many pages has at least."""


@dataclass(slots=True)
class Tally:
    """What files of a format gave, and what that took."""

    files: int = 0
    documents: int = 0
    characters: int = 0
    pages: int = 0
    anchored: int = 0
    failed: int = 0
    cpu_s: list[float] = field(default_factory=list)

    def row(self, name: str) -> dict[str, Any]:
        """Give the figures as a row; a page is a page of a PDF or a slide, elsewhere a document."""
        pages = self.pages or self.documents
        row = {
            "format": name, "files": self.files, "documents": self.documents, "characters": self.characters,
            "with_anchors": self.anchored, "failed": self.failed, "parse_cpu_s": round(sum(self.cpu_s), 3),
        }  # fmt: skip
        return row | ({"pages": pages, "parse_ms_per_page": round(1000 * sum(self.cpu_s) / pages, 3)} if pages else {})


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--index", is_flag=True, help="Index the folder with nano, too.")
@allow_dirty
def main(folder: Path, index: bool, allow_dirty: bool) -> int:
    """Measure; exit with 1 where a target is missed."""
    commit = measured_commit(allow_dirty=allow_dirty)
    by_format: dict[str, list[SourceFile]] = {}
    for entry in scan(folder):
        if isinstance(entry, SourceFile):
            by_format.setdefault(entry.format or "", []).append(entry)
    rows = [_read(files).row(name) for name, files in sorted(by_format.items())]
    rows += [_large(files) for name, files in by_format.items() if name == ".pdf"]
    if index:
        rows.append(_indexed(folder, sum(row["parse_cpu_s"] for row in rows if "share_of_encoding" not in row)))
    for row in rows:
        click.echo(json.dumps(row))
    replace_rows(
        rows, {row["format"] for row in rows}, commit=commit, command=command_line("benchmarks.documents.reading")
    )
    return 0


def _read(files: Iterable[SourceFile]) -> Tally:
    tally = Tally()
    with _cpu(tally), FileReader() as reader:
        for file in files:
            tally.files += 1
            for item in reader.read(file):
                tally.failed += isinstance(item, Failure)
                if isinstance(item, Document):
                    tally.documents += 1
                    tally.characters += len(item.text)
                    tally.anchored += bool(item.anchors)
                    tally.pages += int(item.metadata.get("pages", 0)) + int(item.metadata.get("slides", 0))
    return tally


def _large(files: list[SourceFile]) -> dict[str, Any]:
    """Read the PDF of most pages by itself, and give what 200 pages of it take."""
    tally = max((_read([file]) for file in files), key=lambda each: each.pages)
    row = tally.row(f"PDF of {tally.pages} pages")
    return row | {"cpu_s_for_200_pages": round(sum(tally.cpu_s) * LARGE_PAGES / max(tally.pages, 1), 3)}


def _indexed(folder: Path, parse_cpu_s: float) -> dict[str, Any]:
    tally = Tally()
    with tempfile.TemporaryDirectory() as home, _cpu(tally):
        command = [sys.executable, "-m", "service", "index", str(folder), "--home", home, "--json"]
        report = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    encode_cpu_s = sum(tally.cpu_s) - parse_cpu_s
    return {
        "format": CORPUS, "documents": report["documents"], "passages": report["passages"],
        "failed": len(report["failed"]), "truncated": report["truncated"], "parse_cpu_s": round(parse_cpu_s, 1),
        "encode_cpu_s": round(encode_cpu_s, 1), "share_of_encoding": round(parse_cpu_s / encode_cpu_s, 4),
    }  # fmt: skip


@contextmanager
def _cpu(tally: Tally) -> Iterator[None]:
    """Count the processor's time of this process and of those that end in the block."""
    before = _spent()
    yield
    tally.cpu_s.append(_spent() - before)


def _spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    run(main)
