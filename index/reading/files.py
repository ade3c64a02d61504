"""The way from files to documents: risky formats in a process of their own, archives opened like folders."""

import json
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import IO, Any, Self

from index.reading import read
from index.reading.base import SIDECAR, Limits, Opener, Read, ReadOptions, SourceFile, failure_of
from index.reading.formats import ARCHIVES, ISOLATED
from index.reading.front_matter import sidecar_fields
from index.reading.messages import LENGTH, MAX_MESSAGE_BYTES, item_in, packed
from index.types import Document, Failure, Notice
from lfm2_colbert.errors import Lfm2ColbertError, UnparsableDocumentError
from lfm2_colbert.registry import lookup

SIDECAR_UNREAD = "sidecar_unread"
PIECE_BYTES = 1024 * 1024


class FileReader:
    """Reads files, one at a time; a process for risky formats is begun with the first such file and kept."""

    def __init__(self, options: ReadOptions | None = None, limits: Limits | None = None) -> None:
        """Begin nothing yet."""
        self._options, self._limits = options or ReadOptions(), limits or Limits()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one; a later file begins another."""
        if self._child:
            self._child.end()
            self._child = None

    def read(self, source: SourceFile) -> Iterator[Read]:
        """Read a file's documents, or those of an archive's files; whatever is wrong comes as a `Failure`.

        Raises:
            MissingExtraError: a library is not installed.
        """
        if source.format not in ARCHIVES:
            yield from _with_fields(self._read_file(source), source)
            return
        members: Opener = lookup(ARCHIVES, source.format, "archive")
        try:
            for member in members(source, self._limits):
                yield from self._read_member(member)
        except Lfm2ColbertError as error:
            yield failure_of(source.id, error)

    def _read_member(self, member: SourceFile | Failure) -> Iterator[Read]:
        if isinstance(member, Failure):
            yield member
        else:
            yield from self._read_file(member)

    def _read_file(self, source: SourceFile) -> Iterator[Read]:
        if source.format not in ISOLATED:
            yield from read(source, self._options)
            return
        child = self._child = self._child or _Child(self._limits)
        ended = False
        try:
            yield from child.read(source, self._options)
            ended = True
        except _GoneError as error:
            yield Failure(source.id, UnparsableDocumentError.code, f"{source.id} {error}")
        finally:
            if not ended:  # it died, or nobody wanted the rest of its answer
                self.close()


def _with_fields(found: Iterator[Read], source: SourceFile) -> Iterator[Read]:
    """Add the fields of a file's sidecar to what it gives; of a sidecar that cannot be read only a notice is made."""
    fields: dict[str, Any] = {}
    if content := source.sidecar():
        try:
            fields = sidecar_fields(content, f"{source.id}{SIDECAR}")
        except Lfm2ColbertError as error:
            yield Notice(SIDECAR_UNREAD, error.message)
    for item in found:
        yield replace(item, metadata={**item.metadata, **fields}) if isinstance(item, Document) else item


class _GoneError(Exception):
    """The process has ended, or was too slow; the message goes on after the file's name."""


class _Child:
    """A running `index.reading.worker`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        command = [sys.executable, "-P", "-m", "index.reading.worker"]
        self._process = subprocess.Popen(
            [*command, str(limits.memory_bytes), str(limits.cpu_seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        self._answers, self._requests = _pipes(self._process)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)

    def read(self, source: SourceFile, options: ReadOptions) -> Iterator[Read]:
        """Have a file read.

        Raises:
            _GoneError: there will be no more of an answer.
        """
        size = None if source.content is None else len(source.content)
        head = {"path": str(source.path), "id": source.id, "bytes": size, "text_field": options.text_field}
        try:
            self._requests.write(packed(head))
            if source.content is not None:
                _write_all(self._requests, source.content)
        except BrokenPipeError:
            raise _GoneError(self._why()) from None
        while (item := item_in(self._message())) is not None:
            yield item

    def end(self) -> None:
        """End it at once: it has nothing that would be lost."""
        self._selector.close()
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._requests.close()

    def _message(self) -> Any:
        deadline = time.monotonic() + self._limits.seconds
        (length,) = LENGTH.unpack(self._bytes(LENGTH.size, deadline))
        if length > MAX_MESSAGE_BYTES:
            raise _GoneError("holds more text than can be read at once")
        return json.loads(self._bytes(length, deadline).decode("utf-8", "replace"))

    def _bytes(self, size: int, deadline: float) -> bytes:
        found = bytearray()
        while len(found) < size:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise _GoneError(f"took more than {self._limits.seconds:.0f} seconds to parse")
            piece = self._answers.read(min(size - len(found), PIECE_BYTES))
            if not piece:
                raise _GoneError(self._why())
            found += piece
        return bytes(found)

    def _why(self) -> str:
        """Say why the process ended; the system kills what takes more of the processor than it may."""
        status = self._process.wait()
        if status == -signal.SIGXCPU:
            return f"took more than {self._limits.cpu_seconds} seconds of the processor to parse"
        return "made its parser fail"


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdout is None or process.stdin is None:
        raise RuntimeError("a process was begun without pipes")
    return process.stdout, process.stdin


def _write_all(stream: IO[bytes], content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[stream.write(rest) :]
