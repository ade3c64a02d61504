"""How many processors this process may use, and what they can do, on systems that say so and on those that do not."""

import os
import re
from functools import cache
from pathlib import Path

CPU_INFORMATION = Path("/proc/cpuinfo")
CPU_SHARE = Path("/sys/fs/cgroup/cpu.max")
"""Of the control group that this process lives in, as a container sees it."""


def usable_processors() -> int:
    """Count the processors that this process may use; macOS does not say, and gives those of the machine.

    A container may be given the time of fewer than it sees (cgroup v2, ``cpu.max``: microseconds in so many, or "max").
    """
    affinity = getattr(os, "sched_getaffinity", None)
    seen = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        given, within = CPU_SHARE.read_text(encoding="utf-8").split()
        return min(seen, max(-(-int(given) // int(within)), 1))
    except (OSError, ValueError, ZeroDivisionError):
        return seen


def cpu_information() -> str:
    """Give what Linux tells of the processors; elsewhere nothing."""
    return CPU_INFORMATION.read_text(encoding="utf-8", errors="replace") if CPU_INFORMATION.exists() else ""


@cache
def instruction_sets() -> frozenset[str]:
    """Name the instruction sets that Linux knows of; elsewhere none."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpu_information(), re.MULTILINE)
    return frozenset(found[1].split() if found else ())


def multiplies_bytes_slowly(sets: frozenset[str]) -> bool:
    """Whether an x86 processor surely has no instruction that sums products of bytes: float32 is faster then."""
    return "avx2" in sets and not any(name.endswith("vnni") for name in sets)


def multiplies_bfloat16(sets: frozenset[str]) -> bool:
    """Whether a processor surely has instructions for bfloat16; without, it takes several times as long as float32."""
    return not sets.isdisjoint({"amx_bf16", "avx512_bf16", "bf16"})
