"""D2: every moment of a workload, and what a crash then could leave on the disk. D3: would it notice a bug?"""

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durability.planted import Plant
from benchmarks.durability.recording import (
    MODES,
    Event,
    Recording,
    RecordingDisk,
    RecordingVfs,
    certain_changes,
    rebuild,
    surviving,
)
from benchmarks.durability.workload import OPERATIONS, SETTINGS, Contents, Operation, draw, one_of, violations
from index.store import Store
from lfm2_colbert.errors import Lfm2ColbertError, StorageError

OPERATIONS_PER_RUN = 12
CHECKPOINT_PAGES = 8
"""So that checkpoints, which overwrite the database in place, happen often."""
RANDOM_MODES = ("random", "torn", "zero")
REPEATS = 2
"""Times that a mode with chance in it is tried at each moment."""
TRIED_MODES = (*MODES, *(RANDOM_MODES * (REPEATS - 1)))


@dataclass(slots=True)
class Run:
    """A recorded workload: what was written, and which operation each mark stands for."""

    events: list[Event]
    operations: list[Operation]


@dataclass(slots=True)
class Exploration:
    """How many states were built, how many of them differed from each other, and what was wrong with them."""

    states: int = 0
    distinct: int = 0
    violations: list[str] = field(default_factory=list)


def explore(
    n_states: int, seed: int, plant: Plant | None = None, *, share: float = 1.0, stop_at_first: bool = False
) -> Exploration:
    """Record workloads and open what crashes leave of them, until so many states have been looked at.

    Args:
        n_states: at least.
        seed: of everything; each violation names the seed of its own run.
        plant: a bug to be caught.
        share: of the moments of a run that are looked at; the fewer, the more runs.
        stop_at_first: whether one violation is enough.
    """
    found = Exploration()
    while found.states < n_states:
        with scratch_folder() as folder:
            run = record(folder / "recorded", seed, plant)
            for cut, mode, state, allowed in _states(run, folder, seed, share):
                found.states += 1
                if state is None:
                    continue
                found.distinct += 1
                wrong = violations(state, one_of(*allowed))
                found.violations += [f"seed {seed} cut {cut} {mode}: {each}" for each in wrong]
                if found.violations and stop_at_first:
                    return found
                if found.states >= n_states:
                    return found
        seed += 1
    return found


def record(folder: Path, seed: int, plant: Plant | None = None) -> Run:
    """Run a random workload on a recorded disk, a few of whose syncs fail."""
    chance = random.Random(seed)
    recording = Recording(folder)
    vfs = RecordingVfs(f"recording-{seed}", recording)
    disk = (plant.disk if plant else RecordingDisk)(recording, f"recording-{seed}", random.Random(seed + 1))
    operations: list[Operation] = []
    contents: Contents = {}
    store = Store.create(folder, SETTINGS, disk)
    recording.note("begin")
    recording.note("ack")
    operations.append(Operation("publish"))
    for number in range(OPERATIONS_PER_RUN):
        if number % 5 == 4:  # closing folds the log into the database
            store.close()
            store = Store.open(folder, writable=True, disk=disk)
        store._database._connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        if plant:
            plant.opened(store)
        operation = draw(chance, contents)
        operations.append(operation)
        contents = _run(store, operation, contents, recording, plant)
    store.close()
    vfs.unregister()
    return Run(recording.events, operations)


def _run(store: Store, operation: Operation, contents: Contents, recording: Recording, plant: Plant | None) -> Contents:
    action = (plant.actions if plant else {}).get(operation.kind, OPERATIONS[operation.kind])
    recording.note("begin")
    if plant and plant.acknowledges_early:
        recording.note("ack")
    try:
        action(store, operation)
    except Lfm2ColbertError as error:
        # A sync failed: nothing was acknowledged, and what failed can be tried again. Planted bugs do worse.
        if not plant and not isinstance(error, StorageError):
            raise
        recording.note("abandon")
        return contents
    recording.note("ack")
    return operation.after(contents)


def _states(run: Run, folder: Path, seed: int, share: float) -> Iterator[tuple[int, str, Path | None, list[Contents]]]:
    """Give what each crash leaves, None where it was looked at before, with the contents it may have."""
    chance = random.Random(seed)
    seen: set[tuple[bytes, int]] = set()
    for cut in range(1, len(run.events) + 1):
        allowed = _allowed(run, cut)
        if allowed is None or chance.random() > share:
            continue
        events, contents = run.events[:cut], hash(repr(allowed))
        certain = certain_changes(events)
        for mode in TRIED_MODES:
            state = folder / "state"
            shutil.rmtree(state, ignore_errors=True)
            key = (rebuild(surviving(events, certain, mode, chance), state), contents)
            yield cut, mode, None if key in seen else state, allowed
            seen.add(key)


def _allowed(run: Run, cut: int) -> list[Contents] | None:
    """Give the contents that may be found after the first `cut` events; None before the store was there."""
    contents: Contents = {}
    begun = acknowledged = -1
    running = False
    for event in run.events[:cut]:
        if event.kind == "begin":
            begun, running = begun + 1, True
        elif event.kind == "abandon":
            running = False
        elif event.kind == "ack" and running:
            contents = run.operations[begun].after(contents)
            acknowledged, running = begun, False
    if acknowledged < 0:
        return None
    return [contents, run.operations[begun].after(contents)] if running else [contents]


class scratch_folder:
    """A temporary folder in memory, where the machine has room for files there."""

    def __enter__(self) -> Path:
        """Make it."""
        memory = Path("/dev/shm")
        self._folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
        return Path(self._folder)

    def __exit__(self, *_: object) -> None:
        """Remove it."""
        shutil.rmtree(self._folder, ignore_errors=True)
