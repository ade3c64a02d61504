"""Figures of documents: several scripts share a file, and each replaces its own rows alone."""

from collections.abc import Collection, Sequence
from typing import Any

from benchmarks.results_file import Row, measured, read, write
from lfm2_colbert.errors import NotFoundError

NAME = "documents"
LIBRARIES = ("pypdfium2", "python-docx", "python-pptx", "python-calamine", "trafilatura", "lxml")


def replace_rows(rows: Sequence[Row], kinds: Collection[str], *, commit: str, command: str) -> None:
    """Write rows in place of those whose ``format`` is one of `kinds`; the file is read at the last moment.

    Each row says at which commit it was measured: the file as a whole can only name the last.
    """
    try:
        kept: list[dict[str, Any]] = [row for row in read(NAME).rows if row["format"] not in kinds]
    except NotFoundError:
        kept = []
    write(
        measured(
            NAME,
            [*kept, *({**row, "commit": commit} for row in rows)],
            commit=commit,
            command=command,
            seed=0,
            libraries=LIBRARIES,
        )
    )
