"""What Linux tells of a process: processor time, memory."""

import os
from contextlib import suppress
from pathlib import Path

PAGE, TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Give what a process and those that it started hold in memory, mapped files left out."""
    held = 0
    for each in family(pid):
        with suppress(OSError):  # it ended meanwhile
            fields = Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()
            held += (int(fields[1]) - int(fields[2])) * PAGE
    return held


def held_megabytes(pid: int) -> dict[str, float]:
    """Give what a process holds now: ``VmRSS`` in all, and ``RssAnon`` of it without files that are mapped."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields.get(name, "0 kB").split()[0]) / 1024 for name in ("VmRSS", "RssAnon")}


def processor_seconds(pid: int) -> float:
    """Give the processor time that a process has used, in all its threads."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def family_seconds(pid: int) -> float:
    """Give the processor time of a process, of those that it started, and of those that these have waited for."""
    seconds = 0.0
    for each in family(pid):
        try:
            seconds += sum(map(int, _stat(each)[11:15])) / TICKS
        except OSError:  # it ended meanwhile: its time is with whoever waited for it
            continue
    return seconds


def family(pid: int) -> list[int]:
    """Give a process, those that it started, and those that these did."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(_stat(int(folder.name))[1])
        except OSError:
            continue
    family = [pid]
    for member in family:
        family += [each for each, parent in parents.items() if parent == member]
    return family


def _stat(pid: int) -> list[str]:
    """Give the fields of a process that follow its name: its state first, its parent next."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
