"""D6: damage at rest. Whatever bit changes in whatever file, it is detected, or what is read is what was stored."""

import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durability.collections import NAME, QUERIES, Facts, answer, build, facts, fresh_copies
from benchmarks.durability.crashes import scratch_folder
from index.collection import Collection
from index.types import Document
from index.verify import verify
from lfm2_colbert.errors import Lfm2ColbertError

PAGE = 4096
UNCHECKED = ("LOCK", "store.db-shm")
"""The lock's content is only a message; SQLite makes its shared memory anew."""
COMMITS_IN_LOG = 25


@dataclass(slots=True)
class Mutations:
    """What became of damage.

    Attributes:
        cases: mutations tried.
        outcomes: how many were ``detected``, ``identical`` or ``silent``.
        wrong_answers: searches that answered something else without saying that anything is damaged.
        violations: silent damage, and errors that are none of ours.
    """

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong_answers: int = 0
    violations: list[str] = field(default_factory=list)


def mutate_at_rest(n_cases: int, seed: int) -> Mutations:
    """Damage one file of a closed collection at a time."""
    found, chance = Mutations(), random.Random(seed)
    with scratch_folder() as scratch:
        whole = build(scratch / "whole")
        for number, home in fresh_copies(scratch, scratch / "whole", n_cases):
            path = _choose(home / NAME, chance)
            what = mutate(path, chance)
            _judge(found, home, whole, f"seed {seed} case {number}: {what} in {path.name}")
    return found


def mutate_the_log(n_cases: int, seed: int) -> Mutations:
    """Damage the write-ahead log that a killed writer left with 25 commits in it."""
    found, chance = Mutations(), random.Random(seed)
    with scratch_folder() as scratch:
        whole = _killed_with_a_log(scratch / "whole", scratch / "killed")
        for number, home in fresh_copies(scratch, scratch / "killed", n_cases):
            path = home / NAME / "store.db-wal"
            what = _flip(path, chance) if chance.random() < 0.8 else _truncate(path, chance)
            _judge(found, home, whole, f"seed {seed} case {number}: {what} in the log")
    return found


def _killed_with_a_log(home: Path, killed: Path) -> Facts:
    """Commit without checkpoints, and copy the folder as kill -9 would leave it."""
    build(home)
    with Collection.open(NAME, home=home) as collection:
        collection.delete("文書/3")
        collection._store._database._connection.wal_autocheckpoint(0)
        for number in range(COMMITS_IN_LOG):
            collection.add([Document(f"文書/{number % 7}", f"in the log 東京 {number}", {"n": number})])
        shutil.copytree(home, killed, ignore=shutil.ignore_patterns("*-shm"))
        return facts(collection)


def _choose(folder: Path, chance: random.Random) -> Path:
    """Choose a file by its size, or, three times of ten, any."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in UNCHECKED]
    if chance.random() < 0.3:
        return chance.choice(files)
    return chance.choices(files, [path.stat().st_size for path in files])[0]


def mutate(path: Path, chance: random.Random) -> str:
    """Damage a file, and say how."""
    path.chmod(0o600)
    if chance.random() < 0.5:
        return _flip(path, chance)
    return chance.choice((_truncate, _zero, _fill, _swap, _append))(path, chance)


def _flip(path: Path, chance: random.Random) -> str:
    content = bytearray(path.read_bytes())
    n_bits = chance.choice((1, 2, 8))
    for _ in range(n_bits):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return f"{n_bits} bits flipped"


def _truncate(path: Path, chance: random.Random) -> str:
    size = path.stat().st_size
    os.truncate(path, chance.randrange(size) if size else 0)
    return "truncated"


def _zero(path: Path, chance: random.Random) -> str:
    return _overwrite(path, chance, bytes(512), "512 bytes zeroed")


def _fill(path: Path, chance: random.Random) -> str:
    return _overwrite(path, chance, b"\xff" * PAGE, "4096 bytes filled")


def _overwrite(path: Path, chance: random.Random, new: bytes, what: str) -> str:
    content = bytearray(path.read_bytes())
    start = chance.randrange(max(len(content), 1))
    content[start : start + len(new)] = new[: len(content) - start]
    path.write_bytes(content)
    return what


def _swap(path: Path, chance: random.Random) -> str:
    content = path.read_bytes()
    pages = [content[start : start + PAGE] for start in range(0, len(content), PAGE)]
    if len(pages) > 1:
        first, second = chance.sample(range(len(pages)), 2)
        pages[first], pages[second] = pages[second], pages[first]
    path.write_bytes(b"".join(pages))
    return "two pages swapped"


def _append(path: Path, chance: random.Random) -> str:
    with path.open("ab") as file:
        file.write(chance.randbytes(chance.randrange(1, PAGE)))
    return "bytes appended"


def _judge(found: Mutations, home: Path, whole: Facts, case: str) -> None:
    """Verify, read and search; damage that `verify` reports may not be answered from, unless it says so."""
    found.cases += 1
    try:
        damaged = bool(verify(home / NAME).damage)
    except Lfm2ColbertError:
        damaged = True
    except Exception as error:  # noqa: BLE001  an error that no user could read
        found.violations.append(f"{case}: verify ended with {type(error).__name__}: {error}")
        return
    if damaged:
        found.outcomes["detected"] += 1
        found.wrong_answers += _answers_wrongly(home, whole, found, case)
    elif _reads_as_before(home, whole, found, case):
        found.outcomes["identical"] += 1
    else:
        found.outcomes["silent"] += 1
        found.violations.append(f"{case}: silent")


def _reads_as_before(home: Path, whole: Facts, found: Mutations, case: str) -> bool:
    try:
        with Collection.open(NAME, home=home) as collection:
            return facts(collection) == whole
    except Lfm2ColbertError:
        return False
    except Exception as error:  # noqa: BLE001
        found.violations.append(f"{case}: reading ended with {type(error).__name__}: {error}")
        return True


def _answers_wrongly(home: Path, whole: Facts, found: Mutations, case: str) -> bool:
    """Whether a search gives another answer than before, and no error or notice with it."""
    query = QUERIES[0]
    try:
        with Collection.open(NAME, home=home) as collection:
            result = collection.search(query, k=10, effort="exact", mode="semantic", highlight=False)
            degraded = any(notice.code == "degraded" for notice in result.warnings)
            return not degraded and answer(collection, query) != whole.answers[query]
    except Lfm2ColbertError:
        return False
    except Exception as error:  # noqa: BLE001
        found.violations.append(f"{case}: searching ended with {type(error).__name__}: {error}")
        return False
