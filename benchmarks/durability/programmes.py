"""The programmes by name: how large they are when they are run whole, and when a change lands."""

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.durability.concurrency import share
from benchmarks.durability.crashes import Exploration, explore
from benchmarks.durability.failures import fail_every_call, fill_the_disk
from benchmarks.durability.golden import GOLDEN, golden_violations
from benchmarks.durability.kills import kill_backups, kill_writers
from benchmarks.durability.model import live
from benchmarks.durability.mutations import Mutations, mutate_at_rest, mutate_the_log
from benchmarks.durability.peers import kill_fast_plaid
from benchmarks.durability.planted import PLANTS
from benchmarks.durability.repairs import repair_damage
from benchmarks.programme import Outcome, Programme

SEED = 1
STATES_PER_PLANT = 2000


def _kills(n: int) -> Outcome:
    found = kill_writers(n, SEED)
    figures = {"acknowledged": found.acknowledged, "slowest_opening_s": round(found.slowest_opening_s, 3)}
    return Outcome(found.kills, found.violations, figures)


def _crashes(n: int) -> Outcome:
    found = explore(n, SEED)
    return Outcome(found.states, found.violations, {"distinct_states": found.distinct})


def _plants(n: int) -> Outcome:
    """Plant each bug; a violation here is a bug that was not caught."""
    tried = {name: hunt(name, n) for name in PLANTS}
    missed = [f"{name} was not caught" for name, found in tried.items() if not found.violations]
    most = max(found.states for found in tried.values())
    return Outcome(len(PLANTS), missed, {"planted_caught": len(PLANTS) - len(missed), "most_states_until_caught": most})


def hunt(name: str, n_states: int = STATES_PER_PLANT) -> Exploration:
    """Look for a planted bug until it shows, or so many states were explored."""
    return explore(n_states, SEED, PLANTS[name], share=0.15, stop_at_first=True)


def _failures(n: int) -> Outcome:
    found = fail_every_call(n, SEED)
    return Outcome(found.cases, found.violations)


def _mutations(mutate: Callable[[int, int], Mutations], n: int) -> Outcome:
    found = mutate(n, SEED)
    figures = {**found.outcomes, "unannounced_other_answers": found.wrong_answers}
    return Outcome(found.cases, found.violations, figures)


def _repairs(n: int) -> Outcome:
    found = repair_damage(n, SEED)
    return Outcome(found.cases, found.violations, {"damaged": found.damaged})


def _full_disks(n: int) -> Outcome:
    found = fill_the_disk(n, SEED)
    return Outcome(found.cases, found.violations)


def _life(n: int) -> Outcome:
    found = live(n, SEED)
    return Outcome(found.steps, found.violations)


def _concurrency(seconds: int) -> Outcome:
    found = share(seconds, n_lock_attempts=1000 * seconds // 60, seed=SEED)
    figures = {"reads": found.reads, "commits": found.commits, "second_writers_refused": found.refused}
    return Outcome(found.reads + found.commits, found.violations, figures)


def _backups(n: int) -> Outcome:
    found = kill_backups(n, SEED)
    return Outcome(n, found.violations, {"killed": found.kills})


def _golden(n: int) -> Outcome:
    """Open a copy of each collection that is kept in the repository, and ask what it was asked when it was made."""
    folders = GOLDEN[:n]
    wrong = [f"{path.name}: {each}" for path in folders for each in golden_violations(path)]
    return Outcome(len(folders), wrong)


def peers(n: int) -> Outcome:
    """Kill fast-plaid; what it loses is published, and is no violation of ours."""
    found = kill_fast_plaid(n, SEED)
    parts = {"kills": found.kills, "lost": found.lost, "broken": found.broken}
    figures = {f"{verb}_{what}": counts[verb] for what, counts in parts.items() for verb in counts}
    return Outcome(n, [], figures)


PEER = Programme("kills of fast-plaid 1.7.0 (D1 is ours)", peers, 200, 2)
"""Not among the others: it needs an environment of its own."""

PROGRAMMES: Mapping[str, Programme] = {
    "D1": Programme("writers killed at a random moment", _kills, 2000, 60),
    "D2": Programme("states that a crash could leave", _crashes, 100_000, 700),
    "D3": Programme("states in which each of ten planted bugs must show", _plants, STATES_PER_PLANT, STATES_PER_PLANT),
    "D4": Programme("calls to the disk that fail", _failures, 2500, 120),
    "D6": Programme("files damaged at rest", partial(_mutations, mutate_at_rest), 30_000, 120),
    "D6-log": Programme("damaged logs of killed writers", partial(_mutations, mutate_the_log), 5000, 100),
    "D7": Programme("damaged collections repaired", _repairs, 300, 12),
    "D8": Programme("full disks", _full_disks, 20, 6),
    "D9": Programme("steps beside a model", _life, 100_000, 800),
    "D10": Programme("seconds of 1 writer, 8 readers and a storm of second writers", _concurrency, 60, 3),
    "D12": Programme("golden collections, one of every format", _golden, len(GOLDEN), len(GOLDEN)),
    "D11": Programme("backups of a collection that is being written, half of them killed", _backups, 100, 8),
}  # fmt: skip
