"""Mending a damaged collection from the stored texts: nothing is overwritten, and no whole document is lost.

Damaged files go to ``quarantine/``. What they held is encoded again by the next `Collection.index_pending`.
"""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from index.damage import new_quarantine, set_aside
from index.database import MARK_FILE, accept_loss
from index.durable import DISK, Disk, disk_errors
from index.home import STORE_FILE
from index.lock import WriterLock
from index.salvage import salvage
from index.store import Store
from index.verify import Finding, Part, VerifyReport, verify
from lfm2_colbert.errors import CorruptionError


class Action(StrEnum):
    """What `repair` does about a finding."""

    REMOVE = "remove"
    CLUSTER_AGAIN = "cluster_again"
    READ_AGAIN = "read_again"
    ENCODE_AGAIN = "encode_again"
    REBUILD_DATABASE = "rebuild_database"
    ACCEPT_LOSS = "accept_loss"


ACTIONS = {
    Part.LEFT_OVER: Action.REMOVE,
    Part.LISTS: Action.CLUSTER_AGAIN,
    Part.WORDS: Action.READ_AGAIN,
    Part.CODEBOOK: Action.CLUSTER_AGAIN,
    Part.SEGMENT: Action.ENCODE_AGAIN,
    Part.TABLE: Action.REBUILD_DATABASE,
    Part.DOCUMENT: Action.REBUILD_DATABASE,
    Part.DATABASE: Action.REBUILD_DATABASE,
    Part.TRANSACTIONS: Action.ACCEPT_LOSS,
}


@dataclass(frozen=True, slots=True)
class Step:
    """A finding and what is, or would be, done about it."""

    action: Action
    finding: Finding


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was found, and, if it was applied, what came of it.

    Attributes:
        steps: in the order of the findings.
        applied: whether anything was changed.
        pending: documents that wait to be encoded again.
        restored: ids of documents taken from the backup.
        without_metadata: ids of documents that lost their metadata.
        lost: ids of documents that are gone.
        unreadable: documents that are gone, and their ids with them.
        quarantine: where the damaged files lie; None where there were none.
    """

    steps: tuple[Step, ...]
    applied: bool = False
    pending: int = 0
    restored: tuple[str, ...] = ()
    without_metadata: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    unreadable: int = 0
    quarantine: Path | None = None


def repair(
    folder: Path, *, apply: bool = False, accept_lost: bool = False, backup: Path | None = None, disk: Disk = DISK
) -> RepairReport:
    """Find damage, and mend it if told to.

    Args:
        folder: of the collection.
        apply: mend; otherwise only say what would be done.
        accept_lost: go on although acknowledged transactions are missing, where this is what was found.
        backup: a backup of the collection (`index.backup`); documents damaged here are looked up there.
        disk: what is written with.

    Raises:
        CorruptionError: transactions are missing and their loss was not accepted, or not even the settings can be read.
        IndexLockedError: another process writes it.
    """
    found = verify(folder)
    steps = tuple(Step(ACTIONS[finding.part], finding) for finding in found.findings)
    actions = {step.action for step in steps}
    if not apply or not steps:
        return RepairReport(steps)
    if Action.ACCEPT_LOSS in actions and not accept_lost:
        raise CorruptionError(
            "acknowledged transactions are missing: " + found.damage[0].message,
            help="restore a backup, or repair with --accept-loss",
        )
    if Action.REBUILD_DATABASE in actions:
        return _rebuild_database(folder, steps, backup, disk)
    if Action.ACCEPT_LOSS in actions:
        accept_loss(folder, disk)
        if len(actions) == 1:
            return RepairReport(steps, applied=True)
        return repair(folder, apply=True, backup=backup, disk=disk)
    return _mend_files(folder, steps, found, disk)


def _rebuild_database(folder: Path, steps: tuple[Step, ...], backup: Path | None, disk: Disk) -> RepairReport:
    quarantine = new_quarantine(folder)
    lock = WriterLock(folder)
    try:
        with disk_errors(quarantine):
            for name in (STORE_FILE, f"{STORE_FILE}-wal", MARK_FILE):
                if (folder / name).exists():
                    shutil.copy2(folder / name, quarantine / name)
            disk.sync_folder(quarantine)
        if backup is None:
            result = salvage(folder, None, disk)
        else:
            with Store.open(backup, writable=False) as stored:
                result = salvage(folder, stored, disk)
    finally:
        lock.release()
    return RepairReport(
        steps,
        applied=True,
        pending=result.kept,
        restored=tuple(result.restored),
        without_metadata=tuple(result.without_metadata),
        lost=tuple(result.lost),
        unreadable=result.unreadable,
        quarantine=quarantine,
    )


def _mend_files(folder: Path, steps: tuple[Step, ...], found: VerifyReport, disk: Disk) -> RepairReport:
    """Take damaged files out; the documents of segments wait again, lists and words are made again by `optimize`."""
    names = [finding.name for finding in found.damage]
    with Store.open(folder, writable=True, disk=disk) as store:
        quarantine = set_aside(store, names) if names else None
        return RepairReport(steps, True, store.counts().pending, quarantine=quarantine)
