"""D4 and D8: the n-th call to the disk fails, for every n; the disk is full, and has room again."""

import errno
import os
import random
import resource
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from benchmarks.durability.crashes import scratch_folder
from benchmarks.durability.workload import OPERATIONS, SETTINGS, Contents, Operation, contents_of, draw, violations
from index.durable import Disk
from index.store import Store
from lfm2_colbert.errors import Lfm2ColbertError

OPERATIONS_PER_WORKLOAD = 14
ERRORS = (errno.EIO, errno.ENOSPC)


class _FailedWrite(apsw.IOError):
    extendedresult = apsw.SQLITE_IOERR_WRITE


class _FailedSync(apsw.IOError):
    extendedresult = apsw.SQLITE_IOERR_FSYNC


@dataclass(slots=True)
class Faults:
    """Counts calls that write, and fails the one whose turn it is.

    Attributes:
        fail_at: number of the call that fails, from 1; 0: none.
        error: an `errno`.
        for_ever: whether all later calls fail too.
        calls: so many were made.
    """

    fail_at: int = 0
    error: int = errno.EIO
    for_ever: bool = False
    calls: int = 0

    def now(self) -> bool:
        """Count a call and say whether it fails."""
        self.calls += 1
        return bool(self.fail_at) and (self.calls == self.fail_at or (self.for_ever and self.calls > self.fail_at))

    def os_error(self) -> OSError:
        """Give the error as the system would."""
        return OSError(self.error, os.strerror(self.error))

    def sqlite_error(self) -> apsw.Error:
        """Give the error as SQLite's file system would."""
        if self.error == errno.ENOSPC:
            return apsw.FullError("full")
        return _FailedWrite("input/output error")


class FailingDisk(Disk):
    """A disk whose calls may fail; a write that fails leaves half of its bytes."""

    def __init__(self, faults: Faults, vfs: str) -> None:
        """Fail as `faults` says, in the files of SQLite too."""
        self.faults, self.vfs = faults, vfs

    def create(self, path: Path) -> int:
        """Create, or fail."""
        self._may_fail()
        return super().create(path)

    def reserve(self, descriptor: int, n_bytes: int) -> None:
        """Reserve, or fail."""
        self._may_fail()
        super().reserve(descriptor, n_bytes)

    def write(self, descriptor: int, chunk: memoryview) -> int:
        """Write, or fail half-way."""
        if self.faults.now():
            super().write(descriptor, chunk[: len(chunk) // 2])
            raise self.faults.os_error()
        return super().write(descriptor, chunk)

    def sync(self, descriptor: int) -> None:
        """Fail, or leave it to memory."""
        self._may_fail()

    def rename(self, old: Path, new: Path) -> None:
        """Rename, or fail."""
        self._may_fail()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        """Remove, or fail."""
        self._may_fail()
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        """Fail, or leave it to memory."""
        self._may_fail()

    def overwrite(self, path: Path, content: bytes) -> None:
        """Overwrite, or fail."""
        self._may_fail()
        super().overwrite(path, content)

    def _may_fail(self) -> None:
        if self.faults.now():
            raise self.faults.os_error()


class FailingVfs(apsw.VFS):
    """SQLite's file system with calls that may fail."""

    def __init__(self, name: str, faults: Faults) -> None:
        """Register under `name` as long as this object lives."""
        super().__init__(name, "")
        self.faults = faults

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        """Open a file of the database."""
        return _FailingFile(self.faults, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, faults: Faults, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._faults = faults

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._faults.now():
            super().xWrite(data[: len(data) // 2], offset)
            raise self._faults.sqlite_error()
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        if self._faults.now():
            raise self._faults.sqlite_error()
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        if self._faults.now():
            raise _FailedSync("sync failed")


@dataclass(slots=True)
class Failures:
    """How many cases were tried, and what was wrong after them."""

    cases: int = 0
    violations: list[str] = field(default_factory=list)


def fail_every_call(n_cases: int, seed: int) -> Failures:
    """Fail each call of workload after workload, once and for ever, until so many cases were tried."""
    found = Failures()
    while found.cases < n_cases:
        n_calls = _attempt(Faults(), seed, found, count=False)
        for fail_at in range(1, n_calls + 1):
            for error in ERRORS:
                for for_ever in (False, True):
                    _attempt(Faults(fail_at, error, for_ever), seed, found)
                    if found.cases >= n_cases:
                        return found
        seed += 1
    return found


def _attempt(faults: Faults, seed: int, found: Failures, *, count: bool = True) -> int:
    """Run a workload through faults, then open what is left without any; give the calls that were made."""
    with scratch_folder() as folder:
        name = f"failing-{seed}-{faults.fail_at}-{faults.error}-{faults.for_ever}"
        vfs = FailingVfs(name, faults)
        Store.create(folder / "store", SETTINGS).close()
        wrong, maybe = _disturbed(folder / "store", FailingDisk(faults, name), seed)
        vfs.unregister()
        wrong += violations(folder / "store", maybe.difference)
    case = f"seed {seed}, call {faults.fail_at}, {errno.errorcode[faults.error]}, for ever: {faults.for_ever}"
    found.cases += count
    found.violations += [f"{case}: {each}" for each in wrong]
    return faults.calls


@dataclass(slots=True)
class Maybe:
    """What must be stored, and for the ids of operations that failed, all that may be (None: nothing)."""

    contents: Contents = field(default_factory=dict)
    uncertain: dict[str, list[Any]] = field(default_factory=dict)

    def succeeded(self, operation: Operation) -> None:
        """Take an acknowledged operation in."""
        self.contents = operation.after(self.contents)
        for document_id in (*operation.put, *operation.delete):
            self.uncertain.pop(document_id, None)

    def failed(self, operation: Operation) -> None:
        """Take an operation in that was not acknowledged."""
        for document_id in (*operation.put, *operation.delete):
            before = self.uncertain.get(document_id, [self.contents.get(document_id)])
            self.uncertain[document_id] = [*before, operation.put.get(document_id)]

    def difference(self, found: Contents) -> str:
        """Say which documents are not as they may be."""
        wrong = [
            document_id
            for document_id in found.keys() | self.contents.keys() | self.uncertain.keys()
            if found.get(document_id) not in self.uncertain.get(document_id, [self.contents.get(document_id)])
        ]
        return f"not as they may be: {sorted(wrong)}" if wrong else ""


def _disturbed(folder: Path, disk: Disk, seed: int) -> tuple[list[str], Maybe]:
    """Go on with the workload whatever fails, opening the store again where it had to be given up."""
    chance, maybe, wrong = random.Random(seed), Maybe(), []
    store: Store | None = None
    for _ in range(OPERATIONS_PER_WORKLOAD):
        operation = draw(chance, maybe.contents)
        try:
            store = store or Store.open(folder, writable=True, disk=disk)
            OPERATIONS[operation.kind](store, operation)
            maybe.succeeded(operation)
        except Lfm2ColbertError:
            maybe.failed(operation)
            _close(store)
            store = None
        except Exception as error:  # noqa: BLE001  an error that no user could read
            wrong.append(f"untyped {type(error).__name__}: {error}")
            _close(store)
            store = None
    _close(store)
    return wrong, maybe


def _close(store: Store | None) -> None:
    if store:
        try:
            store.close()
        except Lfm2ColbertError:
            pass


def fill_the_disk(n_scenarios: int, seed: int) -> Failures:
    """Let the disk be full from some call on: reading must work all the time, writing again when there is room."""
    found = Failures()
    for number in range(n_scenarios):
        with scratch_folder() as folder:
            wrong = list(_full_disk(folder / "store", seed + number, real=number % 2 == 1))
        found.cases += 1
        found.violations += [f"seed {seed + number}: {each}" for each in wrong]
    return found


def _full_disk(folder: Path, seed: int, *, real: bool) -> Iterator[str]:
    chance, maybe = random.Random(seed), Maybe()
    faults = Faults()
    name = f"full-{seed}"
    vfs = FailingVfs(name, faults)
    Store.create(folder, SETTINGS).close()
    disk = Disk() if real else FailingDisk(faults, name)
    with Store.open(folder, writable=True, disk=disk) as store:
        for _ in range(4):
            operation = draw(chance, maybe.contents)
            OPERATIONS[operation.kind](store, operation)
            maybe.succeeded(operation)
        if not real:
            faults.fail_at, faults.error, faults.for_ever = faults.calls + chance.randrange(1, 9), errno.ENOSPC, True
        refused = _refuse(store, chance, maybe, largest=_largest(folder) if real else None)
        if not refused:
            yield "nothing was refused although the disk was full"
        if wrong := maybe.difference(contents_of(store)):
            yield f"while full: {wrong}"
        faults.fail_at = 0
        operation = Operation("put", {"room": ("again", 1)})
        try:
            OPERATIONS["put"](store, operation)
            maybe.succeeded(operation)
        except Lfm2ColbertError as error:
            yield f"writing did not resume: {error}"
    vfs.unregister()
    yield from violations(folder, maybe.difference)


def _largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _refuse(store: Store, chance: random.Random, maybe: Maybe, largest: int | None) -> int:
    """Write until it is refused; with `largest`, the system itself refuses files beyond that size."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 8192, limits[1]))
    refused = 0
    try:
        for _ in range(30):
            operation = Operation("put", {f"文書/{chance.randrange(30)}": (str(chance.random()) * 3000, 1)})
            try:
                OPERATIONS["put"](store, operation)
                maybe.succeeded(operation)
            except Lfm2ColbertError:
                maybe.failed(operation)
                refused += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    return refused
