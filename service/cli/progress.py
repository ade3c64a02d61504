"""Progress of an indexing run on standard error: files read, text encoded, rate and time left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from index.indexing import EncodingProgress


class Bars:
    """Bars one after the other: files read, text encoded, and at times tokens clustered."""

    def __init__(self, progress: Progress) -> None:
        """Show nothing yet."""
        self._progress = progress
        self._read: TaskID | None = None
        self._encode: TaskID | None = None
        self._cluster: TaskID | None = None
        self._verify: TaskID | None = None
        self._counted: dict[str, TaskID] = {}

    def file(self, n_files: int) -> None:
        """Show how many files have been looked at; how many there are is not known beforehand."""
        if self._read is None:
            self._read = self._progress.add_task("read", total=None, unit="files", rate="")
        self._progress.update(self._read, completed=n_files)

    def encoded(self, state: "EncodingProgress") -> None:
        """Show how much text has been encoded; the first call ends the bar of files."""
        if self._encode is None:
            if self._read is not None:
                done = self._progress.tasks[self._read].completed
                self._progress.update(self._read, total=done, completed=done)
            self._encode = self._progress.add_task("encode", total=state.total_characters, unit="characters", rate="")
        elapsed = self._progress.tasks[self._encode].elapsed or 0
        rate = f"{state.passages / elapsed:,.0f} passages/s" if elapsed > 0.5 and state.passages else ""
        self._progress.update(self._encode, completed=state.characters, rate=rate)

    def clustered(self, done: int, total: int) -> None:
        """Show how many tokens have found their centroid."""
        if self._cluster is None:
            self._cluster = self._progress.add_task("cluster", total=total, unit="tokens", rate="")
        self._progress.update(self._cluster, completed=done)

    def verified(self, done: int, total: int) -> None:
        """Show how many bytes have been checked."""
        if self._verify is None:
            self._verify = self._progress.add_task("verify", total=total, unit="bytes", rate="")
        self._progress.update(self._verify, completed=done, total=total)

    def counted(self, name: str, unit: str, done: int, total: int) -> None:
        """Show how many of something are done, in a bar of this name."""
        if name not in self._counted:
            self._counted[name] = self._progress.add_task(name, total=total, unit=unit, rate="")
        self._progress.update(self._counted[name], completed=done, total=total)


@contextmanager
def progress_bars() -> Iterator[Bars]:
    """Show bars while the block runs, where somebody looks at standard error."""
    columns = (
        TextColumn("{task.description:7}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        yield Bars(progress)
