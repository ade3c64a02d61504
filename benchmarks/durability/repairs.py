"""D7: a damaged collection is repaired from its texts: every document is back, and answers are the same."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durability.collections import NAME, Facts, build, facts, fresh_copies
from benchmarks.durability.crashes import scratch_folder
from benchmarks.durability.mutations import mutate
from index.collection import Collection
from index.repair import repair
from index.verify import verify

DAMAGED_FILES = (".seg", ".lists", ".book")
MOST_FILES = 4


@dataclass(slots=True)
class Repairs:
    """How many collections were damaged, how many of them needed a repair, and what was not as before afterwards."""

    cases: int = 0
    damaged: int = 0
    violations: list[str] = field(default_factory=list)


def repair_damage(n_cases: int, seed: int) -> Repairs:
    """Damage several files of a collection at once, add what an interrupted run leaves, and repair."""
    found, chance = Repairs(), random.Random(seed)
    with scratch_folder() as scratch:
        whole = build(scratch / "whole")
        for number, home in fresh_copies(scratch, scratch / "whole", n_cases):
            _damage(home / NAME, chance)
            found.cases += 1
            found.damaged += bool(verify(home / NAME).damage)
            found.violations += [f"seed {seed} case {number}: {each}" for each in _mended(home, whole)]
    return found


def _damage(folder: Path, chance: random.Random) -> None:
    files = sorted(path for path in (folder / "segs").iterdir() if path.suffix in DAMAGED_FILES)
    for path in chance.sample(files, chance.randrange(1, MOST_FILES + 1)):
        if chance.random() < 0.2:
            path.unlink()
        else:
            mutate(path, chance)
    if chance.random() < 0.5:
        (folder / "segs" / "0000009999.seg.tmp").write_bytes(chance.randbytes(100))
    if chance.random() < 0.3:
        (folder / "HWM").write_bytes(chance.randbytes(chance.randrange(30)))


def _mended(home: Path, whole: Facts) -> list[str]:
    try:
        report = repair(home / NAME, apply=True)
        with Collection.open(NAME, encoder="hashing", home=home) as collection:
            collection.index_pending()
            now = facts(collection)
        wrong = [finding.message for finding in verify(home / NAME).damage]
    except Exception as error:  # noqa: BLE001  whatever it is, it must not happen
        return [f"{type(error).__name__}: {error}"]
    wrong += [f"lost {report.lost}"] if report.lost else []
    wrong += ["documents differ"] if now.documents != whole.documents else []
    wrong += ["answers differ"] if now.answers != whole.answers else []
    return wrong
