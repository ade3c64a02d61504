"""What becomes of the headings of pages, read by this program and by trafilatura alone?

`python -m benchmarks.documents.headings FOLDER` looks at every page of a folder that has headings outside of menus and
counts those that stand as lines of the text that each of the two gives.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import trafilatura

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.documents.results import replace_rows
from benchmarks.results_file import measured_commit
from index.reading import read
from index.reading.base import ReadOptions, SourceFile
from index.reading.html import decoded, parsed
from index.reading.markup import visible_blocks
from index.reading.scan import scan
from index.types import Document

FORMAT = "headings of pages"
NEARLY_ALL = 0.9


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(folder: Path, allow_dirty: bool) -> None:
    """Count."""
    commit = measured_commit(allow_dirty=allow_dirty)
    pages = [counts for counts in map(kept, _pages(folder)) if counts[0]]
    row: dict[str, Any] = {"format": FORMAT, "files": len(pages)}
    for n, name in enumerate(("headings", "kept", "kept_by_trafilatura")):
        row[name] = sum(counts[n] for counts in pages)
    for n, name in ((1, "pages_without_nearly_all"), (2, "pages_without_nearly_all_by_trafilatura")):
        row[name] = sum(counts[0] - counts[n] >= NEARLY_ALL * counts[0] for counts in pages)
    click.echo(json.dumps(row))
    replace_rows([row], {FORMAT}, commit=commit, command=command_line("benchmarks.documents.headings"))


def kept(file: SourceFile) -> tuple[int, int, int]:
    """Count the headings of a page, those that are lines of its document, and those that trafilatura gives."""
    given = [item.text for item in read(file, ReadOptions()) if isinstance(item, Document)]
    if not given:
        return 0, 0, 0
    tree = parsed(decoded(file.data(), file.id), file.id)
    headings = [block.text for block in visible_blocks(tree, with_surroundings=False) if block.level]
    main_text = trafilatura.bare_extraction(tree, include_comments=False)
    found = [_lines(text) for text in (given[0], main_text.text if main_text else "")]
    ours, theirs = (sum(heading in lines for heading in headings) for lines in found)
    return len(headings), ours, theirs


def _pages(folder: Path) -> Iterator[SourceFile]:
    for entry in scan(folder):
        if isinstance(entry, SourceFile) and entry.format in (".html", ".htm", ".xhtml"):
            yield entry


def _lines(text: str) -> set[str]:
    return {" ".join(line.split()) for line in text.split("\n")}


if __name__ == "__main__":
    run(main)
