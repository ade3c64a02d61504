"""Who listens on a port of this machine, where the system tells: Linux does, of one's own processes."""

from contextlib import suppress
from pathlib import Path

TABLES = ("net/tcp", "net/tcp6")
LISTENS = "0A"
"""TCP_LISTEN in the kernel's tables."""


def listener_of(port: int, proc: Path = Path("/proc")) -> str:
    """Name the process that listens on a port; "" where the system does not tell.

    Args:
        port: of this machine.
        proc: where the kernel's tables are.
    """
    sockets = {f"socket:[{inode}]" for table in TABLES for inode in _listening(proc / table, port)}
    for descriptors in sorted(proc.glob("[0-9]*/fd")) if sockets else ():
        if _targets(descriptors) & sockets:
            process = descriptors.parent
            return f"process {process.name} ({(process / 'comm').read_text(errors='replace').strip()})"
    return ""


def _listening(table: Path, port: int) -> list[str]:
    """Give the inodes of the sockets that listen on a port."""
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port]


def _targets(descriptors: Path) -> set[str]:
    """Give what the descriptors of a process are; none where they are another's, or it has just ended."""
    found = set()
    with suppress(OSError):
        for link in descriptors.iterdir():
            with suppress(OSError):  # it has just been closed, as that of this listing
                found.add(str(link.readlink()))
    return found
