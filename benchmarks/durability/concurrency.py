"""D10: one writer, many readers, a storm of second writers.

The writer gives all documents of a group the next number in one transaction, merges and deletes. A reader that ever
sees two numbers within a group, or a smaller number than before, has seen a half state or an old one.
"""

import json
import os
import random
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.durability.crashes import scratch_folder
from benchmarks.durability.kills import child
from index.collection import Collection
from index.store import Store
from index.types import Document
from index.verify import verify
from lfm2_colbert.errors import IndexLockedError

NAME = "shared"
GROUPS, GROUP_SIZE = 6, 5
N_READERS = 8
SETTLED_BATCHES = 8
WORD = "東京"
BEGUN, OVER = "begun", "over"
"""Files by which processes tell each other: the writer has the lock; nobody tries to get it any more."""
BEGUN_WITHIN = 60.0
"""Seconds until the writer has made its first change, however busy the machine is."""


@dataclass(slots=True)
class Concurrency:
    """What readers and second writers did, and what they saw that they should not have."""

    reads: int = 0
    commits: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list)


def share(seconds: float, n_lock_attempts: int, seed: int) -> Concurrency:
    """Let processes work on one collection for some time, and try to become a second writer meanwhile."""
    found = Concurrency()
    with scratch_folder() as home:
        _create(home)
        deadline = time.time() + seconds
        children = [child(partial(_write, home, deadline, seed, home / "writer.json"))]
        children += [
            child(partial(_read, home, deadline, seed + n, home / f"reader-{n}.json")) for n in range(N_READERS)
        ]
        found.refused = _storm(home, n_lock_attempts, found)
        (home / OVER).touch()
        for process in children:
            os.waitpid(process, 0)
        for path in sorted(home.glob("*.json")):
            said = json.loads(path.read_text(encoding="utf-8"))
            found.reads += said["reads"]
            found.commits += said["commits"]
            found.violations += said["violations"]
        if len(list(home.glob("*.json"))) < 1 + N_READERS:
            found.violations.append("a process ended without a report")
        found.violations += [finding.message for finding in verify(home / NAME).damage]
    return found


def _create(home: Path) -> None:
    with Collection.open(NAME, create=True, encoder="hashing", home=home) as collection:
        collection.add([_document(group, member, 0) for group in range(GROUPS) for member in range(GROUP_SIZE)])


def _document(group: int, member: int, number: int) -> Document:
    """The number is in the text, so that a change is encoded again, and in the metadata."""
    return Document(f"{group}/{member}", f"{WORD} group {group} number {number}", {"number": number})


def _write(home: Path, deadline: float, seed: int, report: Path) -> None:
    chance, numbers, commits = random.Random(seed), [0] * GROUPS, 0
    with Collection.open(NAME, encoder="hashing", home=home) as collection:
        while _goes_on(home, deadline):
            group = chance.randrange(GROUPS)
            numbers[group] += 1
            collection.add([_document(group, member, numbers[group]) for member in range(GROUP_SIZE)])
            commits += 1
            (home / BEGUN).touch()
            if chance.random() < 0.1:
                collection.optimize()
    _report(report, 0, commits, [])


def _read(home: Path, deadline: float, seed: int, report: Path) -> None:
    """Search and look documents up; each read is of one state, and states only go forward."""
    chance, reads, wrong = random.Random(seed), 0, []
    last = [0] * GROUPS
    with Collection.open(NAME, encoder="hashing", home=home) as collection:
        while _goes_on(home, deadline):
            group = chance.randrange(GROUPS)
            try:
                numbers = _searched(collection, group) if chance.random() < 0.7 else _looked_up(home, group)
            except Exception as error:  # noqa: BLE001  whatever it is, it must not happen
                wrong.append(f"reading ended with {type(error).__name__}: {error}")
                continue
            reads += 1
            if len(numbers) > 1:
                wrong.append(f"group {group} was seen half-way: {sorted(numbers)}")
            if numbers and min(numbers) < last[group]:
                wrong.append(f"group {group} went back from {last[group]} to {sorted(numbers)}")
            last[group] = max(numbers, default=last[group])
    _report(report, reads, 0, wrong[:20])


def _searched(collection: Collection, group: int) -> set[int]:
    """Between its two commits a changed group is pending, and then not found; but never in part."""
    hits = collection.search(f"{WORD} group {group}", k=GROUPS * GROUP_SIZE, effort="exact", highlight=False)
    found = [hit.metadata["number"] for hit in hits if hit.document_id.startswith(f"{group}/")]
    return set(found) if len(found) in (0, GROUP_SIZE) else {-1, -2}


def _looked_up(home: Path, group: int) -> set[int]:
    with Store.open(home / NAME, writable=False) as store, store.snapshot():
        found = [store.document(f"{group}/{member}") for member in range(GROUP_SIZE)]
        return {document.metadata["number"] if document else -1 for document in found}


def _goes_on(home: Path, deadline: float) -> bool:
    """Whether there is time left, or somebody still tries to become a second writer."""
    return time.time() < deadline or not (home / OVER).exists()


def _storm(home: Path, n_attempts: int, found: Concurrency) -> int:
    """Try to open the collection for writing, again and again; nobody may get in."""
    latest = time.monotonic() + BEGUN_WITHIN
    while not (home / BEGUN).exists():
        if time.monotonic() > latest:
            found.violations.append("the writer changed nothing")
            return 0
        time.sleep(0.01)
    refused = 0
    for _ in range(n_attempts):
        try:
            Store.open(home / NAME, writable=True).close()
            found.violations.append("a second writer got in")
        except IndexLockedError as error:
            refused += "is being written by process" in error.message
    return refused


def _report(path: Path, reads: int, commits: int, violations: list[str]) -> None:
    path.write_text(json.dumps({"reads": reads, "commits": commits, "violations": violations}), encoding="utf-8")
