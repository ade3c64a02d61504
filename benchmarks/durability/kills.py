"""D1 and D11: kill -9 at a random moment of a workload, or of a backup of a collection that is being written."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.durability.crashes import scratch_folder
from benchmarks.durability.workload import (
    OPERATIONS,
    SETTINGS,
    Contents,
    Operation,
    contents_of,
    draw,
    one_of,
    violations,
)
from index.backup import backup, restore
from index.store import Store
from lfm2_colbert.errors import Lfm2ColbertError

MEAN_LIFE_S = 0.03
OPERATIONS_BEFORE_REOPENING = 20


@dataclass(slots=True)
class Kills:
    """How often a child was killed, how many operations it had acknowledged, and what was wrong afterwards."""

    kills: int = 0
    acknowledged: int = 0
    slowest_opening_s: float = 0.0
    violations: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Heard:
    """What the parent knows: contents as acknowledged, all contents there have been, and what is in flight."""

    contents: Contents = field(default_factory=dict)
    history: list[Contents] = field(default_factory=lambda: [{}])
    in_flight: Operation | None = None
    acknowledged: int = 0

    def hear(self, line: dict[str, Any]) -> None:
        if "kind" in line:
            put = {document_id: (text, number) for document_id, (text, number) in line["put"].items()}
            self.in_flight = Operation(line["kind"], put, tuple(line["delete"]))
        elif self.in_flight:
            self.settle(self.in_flight.after(self.contents))
            self.acknowledged += 1

    def allowed(self) -> list[Contents]:
        return [self.contents, *([self.in_flight.after(self.contents)] if self.in_flight else [])]

    def settle(self, contents: Contents) -> None:
        self.contents, self.in_flight = contents, None
        self.history.append(contents)


def kill_writers(n_kills: int, seed: int) -> Kills:
    """Kill writers of one store, which is opened and checked after each, so that damage would add up."""
    found = Kills()
    with scratch_folder() as scratch:
        folder, heard = scratch / "store", _Heard()
        Store.create(folder, SETTINGS).close()
        for number in range(seed, seed + n_kills):
            _run_and_kill(folder, number, heard)
            found.kills += 1
            allowed = heard.allowed()
            started = time.perf_counter()
            Store.open(folder, writable=True).close()
            found.slowest_opening_s = max(found.slowest_opening_s, time.perf_counter() - started)
            # Not used: the next child goes on with what the kill left.
            wrong = violations(folder, one_of(*allowed), use=False)
            found.violations += [f"seed {seed} kill {number}: {each}" for each in wrong]
            heard.settle(_contents(folder))
    found.acknowledged = heard.acknowledged
    return found


def kill_backups(n_runs: int, seed: int) -> Kills:
    """Back a store up while a writer works, and kill the backup half-way half the time.

    What lies under the backup's name must restore to contents that were committed; what is left of a killed one must be
    refused, or do the same.
    """
    found = Kills()
    chance = random.Random(seed)
    for number in range(seed, seed + n_runs):
        with scratch_folder() as scratch:
            folder, heard = scratch / "store", _Heard()
            Store.create(folder, SETTINGS).close()
            _run_and_kill(folder, number, heard, life_s=0.1)
            heard.settle(_contents(folder))
            process = child(partial(_back_up, folder, scratch / "backup"))
            delay = chance.expovariate(1 / 0.02) if number % 2 else 10.0
            _run_and_kill(folder, number + 10_000, heard, life_s=0.08, meanwhile=partial(_end, process, delay))
            found.kills += number % 2
            found.violations += [f"seed {number}: {each}" for each in _check_backup(scratch, heard)]
            found.acknowledged += heard.acknowledged
    return found


def _check_backup(scratch: Path, heard: _Heard) -> list[str]:
    """Restore what the backup left, under its name or not yet, and compare it with all that was ever committed."""
    wrong = []
    for name in ("backup", "backup.partial"):
        if not (scratch / name).exists():
            continue
        restored = scratch / f"restored-{name}"
        try:
            restore(scratch / name, restored)
        except Lfm2ColbertError as error:
            # Killed half-way it must be refused; killed just before its last rename it is whole already.
            wrong += [f"a finished backup cannot be restored: {error}"] if name == "backup" else []
        else:
            wrong += violations(restored, one_of(*heard.allowed(), *heard.history))
    return wrong


def _run_and_kill(
    folder: Path,
    seed: int,
    heard: _Heard,
    life_s: float | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Let a child work until it is killed, and hear what it said."""
    reading, writing = os.pipe()
    contents = dict(heard.contents)
    process = child(lambda: _work(folder, seed, contents, writing))
    os.close(writing)
    meanwhile()
    time.sleep(life_s or random.Random(seed).expovariate(1 / MEAN_LIFE_S))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    with os.fdopen(reading, "rb") as said:
        for line in said.read().splitlines(keepends=True):
            if line.endswith(b"\n"):
                heard.hear(json.loads(line))


def _work(folder: Path, seed: int, contents: Contents, pipe: int) -> None:
    chance = random.Random(seed)
    while True:
        with Store.open(folder, writable=True) as store:
            for _ in range(OPERATIONS_BEFORE_REOPENING):
                operation = draw(chance, contents)
                _say(pipe, kind=operation.kind, put=operation.put, delete=operation.delete)
                OPERATIONS[operation.kind](store, operation)
                contents = operation.after(contents)
                _say(pipe, ack=True)


def _say(pipe: int, **line: Any) -> None:
    content = json.dumps(line).encode() + b"\n"
    while content:
        content = content[os.write(pipe, content) :]


def child(work: Callable[[], None]) -> int:
    """Run something in a child, which shares no open database with us."""
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(0)
    return process


def _back_up(folder: Path, destination: Path) -> None:
    shutil.rmtree(destination, ignore_errors=True)
    backup(folder, destination)


def _end(process: int, delay: float) -> None:
    """Wait for a child, or kill it."""
    deadline = time.monotonic() + delay
    while time.monotonic() < deadline:
        if os.waitpid(process, os.WNOHANG)[0]:
            return
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _contents(folder: Path) -> Contents:
    with Store.open(folder, writable=False) as store:
        return contents_of(store)
