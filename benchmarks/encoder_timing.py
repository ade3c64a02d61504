"""Processor time and memory of encoding, for whatever encodes."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lfm2_colbert.errors import InvalidArgumentError

WARM_UP_SECONDS = 0.5
TIMED_CALLS = {"query": 60, "document": 20}


def warm_up(encode: Callable[[Any], Any], texts: Any) -> None:
    """Encode for a while, all texts and one at a time."""
    end = time.process_time() + WARM_UP_SECONDS
    encode(texts)
    while time.process_time() < end:
        encode(texts[:1])


def cpu_seconds(encode: Callable[[Any], Any], texts: Any) -> float:
    """Give the processor time of all threads that encoding takes."""
    before = time.process_time()
    encode(texts)
    return time.process_time() - before


def peak_rss_mb() -> float:
    """Give the most memory that this process has held, in MB.

    Raises:
        InvalidArgumentError: the system does not tell.
    """
    # Not getrusage: a process that was started by another inherits that one's peak there.
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    if peak is None:
        raise InvalidArgumentError("this system does not tell a process's peak of memory", help="measure on Linux")
    return int(peak[1]) / 1024
