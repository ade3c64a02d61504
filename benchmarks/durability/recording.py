"""A log of everything a store writes, and the folders that a crash could leave of it.

Only what was synced is certain. Everything else may be there, be missing, be torn in the middle, or be a size without
content; names and contents are independent of one another.
"""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from index.durable import Disk

TORN_AT = (0, 512, 1024)
FAILING_SYNCS = 0.1
"""Share of file syncs that fail."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change, in the order in which they were made.

    Attributes:
        kind: ``create``, ``write``, ``truncate``, ``sync``, ``failed_sync``, ``rename``, ``remove``, ``sync_folder``,
            ``begin`` or ``ack`` of an operation.
        inode: number of the file, where the change is to its content or first name.
        path: relative to the recorded folder.
        new_path: of a rename.
        offset: where a write begins, or the size after truncation.
        data: what was written.
    """

    kind: str
    inode: int = -1
    path: str = ""
    new_path: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Recording:
    """What happened below one folder."""

    root: Path
    events: list[Event] = field(default_factory=list)
    inodes: dict[str, int] = field(default_factory=dict)
    n_inodes: int = 0

    def relative(self, path: str | Path) -> str:
        """Name a path as seen from the folder."""
        return os.path.relpath(path, self.root)

    def inode_of(self, path: str) -> int:
        """Give the file of a name, noting a file that is seen for the first time."""
        if path not in self.inodes:
            self.inodes[path] = self.n_inodes
            self.n_inodes += 1
            self.events.append(Event("create", self.inodes[path], path))
        return self.inodes[path]

    def renamed(self, old: str, new: str) -> None:
        """Note a rename."""
        self.inodes[new] = self.inodes.pop(old)
        self.events.append(Event("rename", path=old, new_path=new))

    def removed(self, path: str) -> None:
        """Note that a name is gone."""
        if self.inodes.pop(path, None) is not None:
            self.events.append(Event("remove", path=path))

    def note(self, kind: str) -> None:
        """Note that an operation begins (``begin``) or was acknowledged (``ack``)."""
        self.events.append(Event(kind))


class RecordingDisk(Disk):
    """Does what it is told, and notes it."""

    def __init__(self, recording: Recording, vfs: str, failing: random.Random | None = None) -> None:
        """Record into `recording`; with `failing`, some file syncs fail, and what they were for is lost."""
        self.recording, self.vfs, self._failing = recording, vfs, failing
        self._open: dict[int, tuple[int, int]] = {}

    def create(self, path: Path) -> int:
        """Create and note."""
        descriptor = super().create(path)
        self._open[descriptor] = (self.recording.inode_of(self.recording.relative(path)), 0)
        return descriptor

    def reserve(self, descriptor: int, n_bytes: int) -> None:
        """Allocate; a crash may leave the size without content."""
        inode, _ = self._open[descriptor]
        super().reserve(descriptor, n_bytes)
        self.recording.events.append(Event("truncate", inode, offset=n_bytes))

    def write(self, descriptor: int, chunk: memoryview) -> int:
        """Write and note."""
        written = super().write(descriptor, chunk)
        inode, offset = self._open[descriptor]
        self.recording.events.append(Event("write", inode, offset=offset, data=bytes(chunk[:written])))
        self._open[descriptor] = (inode, offset + written)
        return written

    def sync(self, descriptor: int) -> None:
        """Note the sync, or let it fail; nothing needs to reach the real disk."""
        inode, _ = self._open[descriptor]
        if self._failing and self._failing.random() < FAILING_SYNCS:
            self.recording.events.append(Event("failed_sync", inode))
            raise OSError(5, "Input/output error")
        self.recording.events.append(Event("sync", inode))

    def rename(self, old: Path, new: Path) -> None:
        """Rename and note."""
        super().rename(old, new)
        self.recording.renamed(self.recording.relative(old), self.recording.relative(new))

    def remove(self, path: Path) -> None:
        """Remove and note."""
        super().remove(path)
        self.recording.removed(self.recording.relative(path))

    def sync_folder(self, folder: Path) -> None:
        """Note the sync of names."""
        self.recording.events.append(Event("sync_folder", path=self.recording.relative(folder)))

    def overwrite(self, path: Path, content: bytes) -> None:
        """Overwrite and note."""
        super().overwrite(path, content)
        inode = self.recording.inode_of(self.recording.relative(path))
        self.recording.events.append(Event("write", inode, data=content))


class RecordingVfs(apsw.VFS):
    """SQLite's own virtual file system, noting writes, truncations, syncs and deletions."""

    def __init__(self, name: str, recording: Recording) -> None:
        """Register under `name` as long as this object lives."""
        super().__init__(name, "")
        self.recording = recording

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        """Open a file of the database."""
        return _RecordingFile(self.recording, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Delete a file of the database."""
        super().xDelete(filename, syncdir)
        path = self.recording.relative(filename)
        self.recording.removed(path)
        if syncdir:
            self.recording.events.append(Event("sync_folder", path=_parent(path)))


class _RecordingFile(apsw.VFSFile):
    def __init__(self, recording: Recording, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._recording, self._synced = recording, False
        self._inode = recording.inode_of(recording.relative(filename)) if filename else -1
        self._folder = _parent(recording.relative(filename)) if filename else "."

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write and note."""
        super().xWrite(data, offset)
        self._recording.events.append(Event("write", self._inode, offset=offset, data=bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        """Truncate and note."""
        super().xTruncate(newsize)
        self._recording.events.append(Event("truncate", self._inode, offset=newsize))

    def xSync(self, flags: int) -> None:
        """Note the sync; nothing needs to reach the real disk."""
        self._recording.events.append(Event("sync", self._inode))
        if not self._synced:  # as SQLite's unix file system does with a new file
            self._recording.events.append(Event("sync_folder", path=self._folder))
            self._synced = True


MODES = ("all", "none", "random", "torn", "zero", "names", "data")
"""What becomes of changes that were not synced: all are there (as after kill -9), none, some; the last write is torn;
sizes without content; names without content; content without names."""

DATA, NAMES = frozenset({"write", "truncate"}), frozenset({"create", "rename", "remove"})


def surviving(events: Sequence[Event], certain: set[int], mode: str, chance: random.Random) -> Iterator[Event]:
    """Give the changes that a crash after `events` leaves, in their order; the `certain` ones are among them."""
    last_write = max((i for i, event in enumerate(events) if event.kind == "write" and i not in certain), default=-1)
    for i, event in enumerate(events):
        if event.kind not in DATA and event.kind not in NAMES:
            continue
        if i in certain or _kept(event, mode, chance):
            if mode == "torn" and i == last_write:
                yield _torn(event, chance)
            elif mode == "zero" and i not in certain and event.kind == "write" and chance.random() < 0.7:
                yield Event("write", event.inode, offset=event.offset, data=bytes(len(event.data)))
            else:
                yield event


def _kept(event: Event, mode: str, chance: random.Random) -> bool:
    if mode == "none":
        return False
    if mode == "random":
        return chance.random() < (0.5 if event.kind in DATA else 0.6)
    if mode == "names":
        return event.kind in NAMES
    if mode == "data":
        return event.kind in DATA
    return True


def _torn(event: Event, chance: random.Random) -> Event:
    cut = min(chance.choice((*TORN_AT, len(event.data) // 2, len(event.data) - 1)), len(event.data))
    return Event("write", event.inode, offset=event.offset, data=event.data[: max(cut, 0)])


def certain_changes(events: Sequence[Event]) -> set[int]:
    """Places of changes that a later sync made durable. A failed sync makes what it was for uncertain for ever."""
    certain: set[int] = set()
    waiting_data: dict[int, list[int]] = {}
    waiting_names: dict[str, list[int]] = {}
    for i, event in enumerate(events):
        if event.kind in DATA:
            waiting_data.setdefault(event.inode, []).append(i)
        elif event.kind in NAMES:
            waiting_names.setdefault(_parent(event.path), []).append(i)
        elif event.kind == "sync":
            certain.update(waiting_data.pop(event.inode, ()))
        elif event.kind == "failed_sync":
            waiting_data.pop(event.inode, None)
        elif event.kind == "sync_folder":
            certain.update(waiting_names.pop(event.path, ()))
    return certain


def rebuild(events: Iterator[Event], folder: Path) -> bytes:
    """Make the folder that a crash leaves, without SQLite's shared memory; give what tells states apart."""
    files: dict[int, bytearray] = {}
    names: dict[str, int] = {}
    for event in events:
        if event.kind == "create":
            names[event.path] = event.inode
        elif event.kind == "rename" and event.path in names:
            names[event.new_path] = names.pop(event.path)
        elif event.kind == "remove":
            names.pop(event.path, None)
        elif event.kind in DATA:
            _change(files.setdefault(event.inode, bytearray()), event)
    state = []
    for path, inode in sorted(names.items()):
        if path.endswith("-shm"):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        content = bytes(files.get(inode, b""))
        (folder / path).write_bytes(content)
        state.append((path, hash(content)))
    return repr(state).encode()


def _parent(path: str) -> str:
    return str(Path(path).parent)


def _change(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del content[event.offset :]
        content.extend(bytes(event.offset - len(content)))
        return
    content.extend(bytes(max(event.offset - len(content), 0)))
    content[event.offset : event.offset + len(event.data)] = event.data
