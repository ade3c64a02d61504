"""D3: ten bugs that databases have had, planted one at a time. A harness that misses one proves nothing."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durability.recording import Event, Recording, RecordingDisk
from benchmarks.durability.workload import Action, Operation, compact, publish, put_and_delete
from index.database import MARK_FILE, write_mark
from index.durable import Folder
from index.store import Store

DiskFactory = Callable[[Recording, str, random.Random | None], RecordingDisk]


def _nothing(store: Store) -> None:
    """Plant nothing when a store is opened."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug.

    Attributes:
        sentence: what is wrong.
        disk: the disk it lives in.
        opened: called with each store that was opened.
        actions: operations that are done wrongly.
        acknowledges_early: whether an operation is acknowledged before it is done.
    """

    sentence: str
    disk: DiskFactory = RecordingDisk
    opened: Callable[[Store], None] = _nothing
    actions: Mapping[str, Action] = field(default_factory=dict)
    acknowledges_early: bool = False


class _NoFileSync(RecordingDisk):
    def sync(self, descriptor: int) -> None:
        """Forget it."""


class _NoFolderSync(RecordingDisk):
    def sync_folder(self, folder: Path) -> None:
        """Forget it."""


class _RetriedSync(RecordingDisk):
    def sync(self, descriptor: int) -> None:
        """Try again after a failure; the kernel has dropped the pages and says that all is well."""
        try:
            super().sync(descriptor)
        except OSError:
            inode, _ = self._open[descriptor]
            self.recording.events.append(Event("sync", inode))


class _EarlyUnlink(RecordingDisk):
    """Removes the segments that a merge replaces as soon as the new file is there, before the commit."""

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        new = max((path for path in folder.glob("*.seg")), default=None)
        for path in sorted(folder.glob("*.seg")):
            if self.merging and path != new:
                self.remove(path)

    merging = False


def _unlink_early(store: Store, operation: Operation) -> None:
    disk = store._disk
    assert isinstance(disk, _EarlyUnlink)
    disk.merging = True
    try:
        compact(store)
    finally:
        disk.merging = False


def _commit_before_the_file(store: Store, operation: Operation) -> None:
    """Publish a segment whose file is written only afterwards."""
    disk = store._disk
    kept: list[tuple[Folder, str, bytes]] = []

    original = Folder.write

    def later(folder: Folder, name: str, chunks: Iterable[memoryview], n_bytes: int) -> None:
        kept.append((folder, name, b"".join(chunks)))

    Folder.write = later  # type: ignore[method-assign, assignment]
    try:
        publish(store)
    finally:
        Folder.write = original  # type: ignore[method-assign]
    for folder, name, content in kept:
        Folder(folder.path, disk).write(name, [memoryview(content)], len(content))


def _rewrite_in_place(store: Store, operation: Operation) -> None:
    """Write a published segment again, over itself."""
    publish(store)
    disk = store._disk
    assert isinstance(disk, RecordingDisk)
    for info in store.segments()[-1:]:
        path = store.segments_folder / info.file
        content = path.read_bytes()
        inode = disk.recording.inode_of(disk.recording.relative(path))
        disk.recording.events.append(Event("truncate", inode, offset=0))
        disk.recording.events.append(Event("write", inode, data=content))
        disk.recording.events.append(Event("sync", inode))


def _mark_before_the_commit(store: Store, operation: Operation) -> None:
    write_mark(store.folder / MARK_FILE, store.changes() + 1, store._disk)
    put_and_delete(store, operation)


def _pragma(value: str) -> Callable[[Store], None]:
    def opened(store: Store) -> None:
        store._database._connection.execute(f"PRAGMA synchronous={value}")

    return opened


PLANTS = {
    "no-file-sync": Plant("segments are not synced", disk=_NoFileSync),
    "no-folder-sync": Plant("names of segments are not synced", disk=_NoFolderSync),
    "synchronous-normal": Plant("commits are not synced", opened=_pragma("NORMAL")),
    "synchronous-off": Plant("SQLite syncs nothing", opened=_pragma("OFF")),
    "early-acknowledgement": Plant("acknowledged before the transaction", acknowledges_early=True),
    "manifest-first": Plant("committed before the segment is written", actions={"publish": _commit_before_the_file}),
    "early-unlink": Plant(
        "merged segments are removed before the commit", disk=_EarlyUnlink, actions={"compact": _unlink_early}
    ),
    "rewritten-in-place": Plant("a segment is written over", actions={"publish": _rewrite_in_place}),
    "early-mark": Plant("the high-water mark precedes the commit", actions={"put": _mark_before_the_commit}),
    "retried-sync": Plant("a failed sync is tried again", disk=_RetriedSync),
}
