"""The process in which files of others are parsed: little memory, some seconds for a file, no network, nothing written.

`index.reading.files` begins it as ``python -m index.reading.worker MEMORY_BYTES CPU_SECONDS``, writes a request to its
standard input and reads what the file gave from its standard output, until it closes the first.
"""

import ctypes
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from index.reading import read
from index.reading.base import Read, ReadOptions, SourceFile
from index.reading.messages import END, LENGTH, of_item, packed
from index.types import Failure
from lfm2_colbert.errors import UnparsableDocumentError

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MAX_RECURSION = 600
"""Parsers that call themselves for each level fail here, long before they run out of C stack."""


def main() -> None:
    """Serve requests until there are no more."""
    memory_bytes, cpu_seconds = map(int, sys.argv[1:])
    _confine(memory_bytes)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get between the answers
    while request := _next(requests):
        _grant(cpu_seconds)
        for item in _read(request, requests):
            _send(answers, of_item(item))
            _grant(cpu_seconds)  # a mailbox may hold any number of messages
        _send(answers, {END: True})


def _send(answers: BinaryIO, message: dict[str, Any]) -> None:
    """Send at once: who waits for it counts the seconds."""
    answers.write(packed(message))
    answers.flush()


def _next(stream: BinaryIO) -> dict[str, Any] | None:
    head = stream.read(LENGTH.size)
    return json.loads(stream.read(LENGTH.unpack(head)[0])) if len(head) == LENGTH.size else None


def _read(request: dict[str, Any], stream: BinaryIO) -> Iterator[Read]:
    size = request["bytes"]
    content = None if size is None else stream.read(size)
    source = SourceFile(Path(request["path"]), request["id"], content)
    try:
        yield from read(source, ReadOptions(request["text_field"]))
    except MemoryError:
        yield Failure(source.id, UnparsableDocumentError.code, f"{source.id} takes more memory than it may")
    except Exception as error:  # noqa: BLE001 - libraries raise what they like at what they did not expect
        said = " ".join(str(error).split())[:200]
        message = f"{source.id} cannot be parsed: {type(error).__name__}: {said}"
        yield Failure(source.id, UnparsableDocumentError.code, message)


def _confine(memory_bytes: int) -> None:
    sys.setrecursionlimit(MAX_RECURSION)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # macOS does not know these
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        user = 0 if os.geteuid() == 0 else CLONE_NEWUSER
        ctypes.CDLL(None).unshare(user | CLONE_NEWNET)  # where that is not allowed, parsers are only trusted not to


def _grant(seconds: int) -> None:
    """Let what comes next take so much of the processor; the system kills what takes more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, most))


if __name__ == "__main__":
    main()
