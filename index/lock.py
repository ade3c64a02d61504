"""One writer a collection, by a lock that the kernel drops when the process dies, however it dies."""

import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from index.durable import disk_errors
from lfm2_colbert.errors import IndexLockedError

LOCK_FILE = "LOCK"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class WriterLock:
    """The right to write a collection, held until `release` or the end of the process.

    The file's content only tells others who holds it; whether it is held, the kernel knows.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock, or fail at once.

        Raises:
            IndexLockedError: somebody else holds it; the message says who.
            PermissionDeniedError: the folder may not be written.
            StorageError: the lock file cannot be opened.
        """
        path = folder / LOCK_FILE
        with disk_errors(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _describe(os.pread(self._descriptor, 4096, 0))
            self.release()
            raise IndexLockedError(
                f"{folder} is being written by {holder}", help="wait until it is done, or stop that process"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, _introduction(), 0)

    def release(self) -> None:
        """Let others write; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def writer_of(folder: Path) -> str:
    """Say who writes a collection; "": nobody, or it cannot be seen from here."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
    except BlockingIOError:
        return _describe(os.pread(descriptor, 4096, 0))
    finally:
        os.close(descriptor)
    return ""


def _introduction() -> bytes:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "boot_id": BOOT_ID.read_text().strip() if BOOT_ID.exists() else "",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(holder).encode()


def _describe(content: bytes) -> str:
    try:
        holder = json.loads(content)
        return f"process {holder['pid']} on {holder['host']} since {holder['started']}"
    except (ValueError, KeyError, TypeError):  # it holds the lock but has not yet written who it is
        return "another process"
