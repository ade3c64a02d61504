"""The few system calls that make a file survive a power cut, and what their errors mean to a person."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert.errors import AlreadyExistsError, PermissionDeniedError, StorageError


class Disk:
    """The calls with which a store changes its folder.

    A store takes them as an argument, so that a test can count them, let the n-th fail, or forget what was not synced.

    Attributes:
        vfs: the virtual file system that SQLite uses; None: the system's own.
    """

    vfs: str | None = None

    def create(self, path: Path) -> int:
        """Create a file that did not exist, private to its owner, and give its descriptor."""
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def reserve(self, descriptor: int, n_bytes: int) -> None:
        """Allocate the file's blocks where the system can, so that a full disk is met before the first byte."""
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(descriptor, 0, n_bytes)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # some cannot; the write itself will tell
                raise

    def write(self, descriptor: int, chunk: memoryview) -> int:
        """Write a part of the chunk, and say how much."""
        return os.write(descriptor, chunk)

    def sync(self, descriptor: int) -> None:
        """Make a file's content durable. Called once: after an error a second try would lie."""
        os.fsync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file its name."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_tree(self, folder: Path) -> None:
        """Make all files below a folder, and their names, durable."""
        for path in folder.iterdir():
            if path.is_dir():
                self.sync_tree(path)
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self.sync(descriptor)
            finally:
                os.close(descriptor)
        self.sync_folder(folder)

    def overwrite(self, path: Path, content: bytes) -> None:
        """Put a few bytes at the beginning of a file, without syncing them."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)


DISK = Disk()


@dataclass(slots=True)
class Folder:
    """A folder of files that are written once: durable in content when they are written, in name after `sync`.

    Attributes:
        path: of the folder.
        disk: what is written with.
        unsynced: whether there are names that a power cut could take away.
    """

    path: Path
    disk: Disk = DISK
    unsynced: bool = False

    def write(self, name: str, chunks: Iterable[memoryview], n_bytes: int) -> None:
        """Write a file of so many bytes under a new name: whole, or not at all.

        Raises:
            AlreadyExistsError: the name is taken; a file is never rewritten.
            StorageError: the file did not reach the disk; nothing of it is left.
        """
        path, temporary = self.path / name, self.path / f"{name}.tmp"
        if path.exists():
            raise AlreadyExistsError(f"the file {path} exists already", help="take the store's next number")
        with disk_errors(path):
            try:
                self._fill(temporary, chunks, n_bytes)
                self.disk.rename(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    self.disk.remove(temporary)
                raise
        self.unsynced = True

    def sync(self) -> None:
        """Make all names durable that were written: once for many files, before the commit that names them.

        Raises:
            StorageError: they may be lost.
        """
        if self.unsynced:
            with disk_errors(self.path):
                self.disk.sync_folder(self.path)
            self.unsynced = False

    def replace(self, name: str, content: bytes) -> None:
        """Put a small file in the place of an earlier one of its name: the old or the new one is there, never a part.

        Raises:
            StorageError: the new one did not reach the disk.
        """
        path, temporary = self.path / name, self.path / f"{name}.tmp"
        with disk_errors(path):
            self.disk.remove(temporary)
            self._fill(temporary, [memoryview(content)], len(content))
            self.disk.rename(temporary, path)
            self.disk.sync_folder(self.path)

    def _fill(self, path: Path, chunks: Iterable[memoryview], n_bytes: int) -> None:
        descriptor = self.disk.create(path)
        try:
            self.disk.reserve(descriptor, n_bytes)
            for chunk in chunks:
                rest = chunk
                while rest:
                    rest = rest[self.disk.write(descriptor, rest) :]
            self.disk.sync(descriptor)
            os.fchmod(descriptor, 0o444)
        finally:
            os.close(descriptor)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a path into an error of ours.

    Raises:
        PermissionDeniedError: the path may not be used.
        StorageError: any other failure; nothing was acknowledged.
    """
    try:
        yield
    except PermissionError as error:
        raise PermissionDeniedError(f"{path}: {error.strerror}", help="check who owns the folder") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", help="free space or check the disk, then run again") from error
