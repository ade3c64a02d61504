"""How a model comes to its place: written beside it, checked, then renamed, so that half a model is never one.

What was begun is kept, and gone on with by whoever comes next.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert.errors import PermissionDeniedError, StorageError
from lfm2_colbert.hub import HubModel
from lfm2_colbert.pulling.sums import write_sums

SPARE_BYTES = 64 * 1024 * 1024
"""Left free on a disk."""

OnProgress = Callable[[int, int], None]
"""Told how many bytes are done, of how many."""


class Progress:
    """Counts bytes for whoever wants to know."""

    def __init__(self, told: OnProgress, done: int, total: int) -> None:
        """Tell how many are there already."""
        self._told, self._done, self._total = told, done, total
        told(done, total)

    def more(self, n_bytes: int) -> None:
        """Tell that so many more are done."""
        self._done += n_bytes
        self._told(self._done, self._total)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model belongs.

    Attributes:
        root: a folder in the hub's layout: its cache, or one to be carried.
        model: what comes there.
    """

    root: Path
    model: HubModel

    @property
    def folder(self) -> Path:
        """Where the whole model is."""
        return self.root / self.model.place

    @property
    def unfinished(self) -> Path:
        """Where it is written; the hub's library never looks there."""
        return self.folder.parents[1] / "unfinished" / self.model.revision

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let nobody else write this model; whoever comes second waits, and finds it done.

        Raises:
            PermissionDeniedError: the folder may not be written.
            StorageError: the disk refused.
        """
        lock = self.unfinished.with_suffix(".lock")
        with _disk_errors(lock):
            lock.parent.mkdir(parents=True, exist_ok=True)
            with lock.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield

    def require_space(self, n_bytes: int) -> None:
        """Refuse to begin what does not fit.

        Raises:
            StorageError: the disk has too little room.
        """
        free = shutil.disk_usage(next(each for each in self.folder.parents if each.is_dir())).free
        if n_bytes + SPARE_BYTES > free:
            raise StorageError(
                f"{self.model.name} needs {n_bytes / 1e6:,.0f} MB more, {free / 1e6:,.0f} MB are free in {self.root}",
                help="make room, or name another folder: --to, and HF_HUB_CACHE=FOLDER for the hub's cache",
            )

    def settle(self, sums: Mapping[str, str]) -> None:
        """Put what was written where it belongs; a file that was there is replaced as a whole."""
        write_sums(self.unfinished, sums)
        if not self.folder.exists():
            self.folder.parent.mkdir(exist_ok=True)
            self.unfinished.rename(self.folder)
            return
        for path in sorted(path for path in self.unfinished.rglob("*") if path.is_file()):
            target = self.folder / path.relative_to(self.unfinished)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        shutil.rmtree(self.unfinished)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise PermissionDeniedError(
            f"{error.filename or path} may not be written", help="give its folder to your user, or name another"
        ) from error
    except OSError as error:
        raise StorageError(
            f"{error.filename or path}: {error.strerror}", help="see to the disk, and try again"
        ) from error
