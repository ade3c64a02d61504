"""A file of JSON lines that work is written down in as it is done, so that a killed run goes on where it was."""

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lfm2_colbert.errors import CorruptionError, InvalidArgumentError

Line = dict[str, Any]


class Journal(AbstractContextManager["Journal"]):
    """Lines of earlier runs and of this one; the first line says what they are of."""

    def __init__(self, path: Path, about: Line, sync_every: int) -> None:
        """Open it, without what a kill left of a last line.

        Args:
            path: of the file; it and its folder are made where they are missing.
            about: what the work is of; a journal of other work is refused.
            sync_every: lines that a power cut may take away.

        Raises:
            InvalidArgumentError: it is a journal of other work.
            CorruptionError: a line within it is no JSON.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        whole = path.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        os.truncate(path, len(whole))
        self.lines = _parsed(path, whole)
        self._file, self._sync_every, self._unsynced = path.open("ab"), sync_every, 0
        if not self.lines:
            self.append(about)
            self.sync()
        elif self.lines[0] != about:
            self._file.close()
            raise InvalidArgumentError(f"{path} is of other texts or options", help="give another folder: -o FOLDER")

    def append(self, line: Line) -> None:
        """Write a line down."""
        self.lines.append(line)
        self._file.write((json.dumps(line, ensure_ascii=False) + "\n").encode(errors="surrogatepass"))
        self._unsynced += 1
        if self._unsynced >= self._sync_every:
            self.sync()

    def sync(self) -> None:
        """Make all lines durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unsynced = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.sync()
        self._file.close()


def _parsed(path: Path, whole: bytes) -> list[Line]:
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise CorruptionError(
            f"{path} holds a line that is no JSON", help="delete it, and the work is done again"
        ) from error
