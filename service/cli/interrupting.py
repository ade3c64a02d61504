"""Ctrl-C while documents are encoded: the first lets what is being done come to its end, the second stops at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from service.cli.output import print_line

INTERRUPTED = 130
"""The exit status of a command that was interrupted, by custom."""


@contextmanager
def finishing_first() -> Iterator[Callable[[], bool]]:
    """Give what says whether somebody has interrupted; a second interruption raises `KeyboardInterrupt`."""
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, before)
        print_line("stopping after the batch that is being encoded; Ctrl-C again stops at once", err=True)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, before)
