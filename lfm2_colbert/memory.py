"""How much memory this process may use, on systems that say so and on those that do not."""

import os
from pathlib import Path

MEMORY_SHARE = Path("/sys/fs/cgroup/memory.max")
"""Of the control group that this process lives in, as a container sees it."""


def usable_memory() -> int:
    """Give the bytes of memory that this process may have at most; 0 where nothing is known.

    A container may be given less than the machine has (cgroup v2, ``memory.max``: bytes, or "max").
    """
    machine = machine_memory()
    try:
        return min(machine, int(MEMORY_SHARE.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return machine


def machine_memory() -> int:
    """Give the bytes of memory of the machine; 0 where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no such call
        return 0
