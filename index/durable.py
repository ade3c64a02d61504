"""The few system calls that make a file survive a power cut, and what their errors mean to a person."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lfm2_colbert.errors import PermissionDeniedError, StorageError


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


def new_file(path: Path) -> int:
    """Create a file that did not exist, private to its owner, and give its descriptor.

    Raises:
        OSError: the file exists, is a link, or cannot be created.
    """
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def write_all(descriptor: int, chunks: Sequence[memoryview]) -> None:
    """Reserve the space, so that a full disk is met before the first byte, and write every byte.

    Raises:
        OSError: the disk is full or broken.
    """
    reserve(descriptor, sum(len(chunk) for chunk in chunks))
    for chunk in chunks:
        rest = chunk
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def reserve(descriptor: int, n_bytes: int) -> None:
    """Allocate the file's blocks where the system can.

    Raises:
        OSError: there is no room.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, n_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # some file systems cannot; the write itself will tell
            raise


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable.

    Raises:
        OSError: the folder cannot be synced.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
