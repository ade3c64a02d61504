"""Paths kept in sync: indexed at once, and again whenever something below them has changed."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from watchfiles import Change, watch

from index.reading.base import SIDECAR
from index.reading.ignoring import IGNORE_FILE
from lfm2_colbert.errors import BusyError, Lfm2ColbertError, NotFoundError, UsageError
from service.cli.output import print_error, print_line

QUIET_MS = 300
"""Without a further change, until a run begins: an editor writes, renames and removes files to save one."""
LONGEST_MS = 5_000
"""That a run is put off by changes that do not end."""
LOOK_MS = 500
"""Between two looks at the paths themselves."""

SECONDS_BETWEEN_TRIES = 1.0
"""While somebody else writes the collection."""

Run = Callable[[Sequence[Path], Callable[[], bool]], dict[str, Any]]


def runs(paths: Sequence[Path], home: Path, run: Run, stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Run at once and after each change, and give the reports; a line for each goes to standard error.

    What goes wrong in a run, or with one of the paths, is printed; the next change is waited for all the same.

    Args:
        paths: what is indexed; those that are not there are left out, and their documents stay.
        home: of collections; what is written there is no change.
        run: given the paths that are there.
        stopped: whether to come to an end.

    Raises:
        UsageError: the run will never succeed.
    """
    for _ in moments(Watched([path.absolute() for path in paths], home), stopped):
        for path in paths:
            if not path.exists():
                print_error(NotFoundError.code, f"there is no {path}: its documents stay", "it is read when it is back")
        present = [path for path in paths if path.exists()]
        report = _tried(run, present, stopped) if present else None
        if report:
            print_line(_summary(report), err=True)
            yield report


def _tried(run: Run, paths: Sequence[Path], stopped: Callable[[], bool]) -> dict[str, Any] | None:
    """Run, when nobody else writes; None where it failed or was stopped before."""
    waits = False
    while not stopped():
        try:
            return run(paths, stopped)
        except BusyError as error:
            if not waits:
                print_error(error.code, error.message, "nothing need be done: this waits")
            waits = True
            time.sleep(SECONDS_BETWEEN_TRIES)
        except Lfm2ColbertError as error:
            if isinstance(error, UsageError) and not isinstance(error, NotFoundError):
                raise
            print_error(error.code, error.message, error.help)
            return None
    return None


def _summary(report: dict[str, Any]) -> str:
    counted = ("added", "changed", "removed", "renamed")
    counts = " · ".join(f"{name} {report[name]:,}" for name in counted)
    return f"watch   {datetime.now():%H:%M:%S} {counts} · failed {len(report['failed']):,} · {report['seconds']:.1f} s"


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched.

    Attributes:
        paths: folders and files; they may go and come again.
        home: of collections; what is written there is our own.
    """

    paths: Sequence[Path]
    home: Path

    def folders(self) -> dict[Path, tuple[int, ...]]:
        """Give those of the paths that are folders now, links resolved, and which folders these are."""
        return {path.resolve(): _outside(path)[:2] for path in self.paths if path.is_dir()}

    def files(self) -> list[tuple[int, ...]]:
        """Say how the others look from outside, each with its sidecar."""
        others = (path for path in self.paths if not path.is_dir())
        return [_outside(path) + _outside(path.with_name(path.name + SIDECAR)) for path in others]

    def concerns(self, change: Change, path: str) -> bool:
        """Whether a change below a folder may change what is read there."""
        place = Path(path).resolve()
        if place.is_relative_to(self.home.resolve()):
            return False
        return any(_is_read(place.relative_to(root)) for root in self.folders() if place.is_relative_to(root))


def moments(watched: Watched, stopped: Callable[[], bool]) -> Iterator[None]:
    """Come to the moments at which paths should be indexed: at once, and after changes, until it is stopped.

    Watching begins before the first moment, so what changes during a run leads to another. A folder is watched with all
    below it; files are looked at, as editors put a new one in the place of the old.
    """
    while not stopped():
        folders, before = watched.folders(), None
        for changes in _changes(folders, watched, stopped):
            gone = any(change is Change.deleted and Path(path).resolve() in folders for change, path in changes)
            if gone or watched.folders() != folders:
                break  # what is watched is not what is there
            if changes or watched.files() != before:
                before = watched.files()
                yield


def _changes(
    folders: Iterable[Path], watched: Watched, stopped: Callable[[], bool]
) -> Iterator[set[tuple[Change, str]]]:
    """Give what changed below folders, and now and then nothing."""
    begin = partial(
        watch, *folders, watch_filter=watched.concerns, debounce=LONGEST_MS, step=QUIET_MS, rust_timeout=LOOK_MS,
        yield_on_timeout=True, stop_event=_Stop(stopped),
    )  # fmt: skip
    try:
        yield from begin()
    except FileNotFoundError:  # gone since it was listed
        return
    except OSError as error:
        print_line(f"watch   the system tells of no changes ({error.strerror}): all files are looked at", err=True)
        yield from begin(force_polling=True)


@dataclass(frozen=True, slots=True)
class _Stop:
    """An event as `watchfiles` asks for it."""

    stopped: Callable[[], bool]

    def is_set(self) -> bool:
        return self.stopped()


def _is_read(place: Path) -> bool:
    """Whether something at a place below a folder is looked at: not where names begin with a dot."""
    return place.name == IGNORE_FILE or not any(name.startswith(".") for name in place.parts)


def _outside(path: Path) -> tuple[int, ...]:
    """Give what changes with a file; nothing where there is none."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size)
