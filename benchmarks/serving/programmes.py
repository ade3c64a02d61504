"""The programmes by name: how large they are when they are run whole, and when a change lands."""

from collections.abc import Mapping

from benchmarks.programme import Outcome, Programme
from benchmarks.serving.contract import try_contract
from benchmarks.serving.kills import kill
from benchmarks.serving.matrix import try_all
from benchmarks.serving.overload import overload
from benchmarks.serving.poison import Poisoned, feed, hand_made, mutated
from benchmarks.serving.slow_clients import exhaust_descriptors, wait_for
from benchmarks.serving.streams import stream

SEED = 1
MEGABYTE = 1_000_000


def _contract(n: int) -> Outcome:
    found = try_contract(n, SEED)
    figures = {f"cases_{role}": cases for role, cases in found.cases.items()}
    return Outcome(sum(found.cases.values()), found.violations, figures)


def _poison(n: int) -> Outcome:
    """Send all that is made by hand, and `n` mutations."""
    by_hand, by_chance = feed(hand_made()), feed(mutated(n, SEED))
    figures = {
        "hand_made": by_hand.cases,
        "mutated": by_chance.cases,
        "slowest_s": round(max(by_hand.slowest_s, by_chance.slowest_s), 3),
        "grown_mb": round(max(by_hand.grown_bytes, by_chance.grown_bytes) / MEGABYTE, 1),
        "server_errors": _server_errors(by_hand) + _server_errors(by_chance),
    }
    return Outcome(by_hand.cases + by_chance.cases, by_hand.violations + by_chance.violations, figures)


def _server_errors(found: Poisoned) -> int:
    return sum(n for status, n in found.statuses.items() if status >= 500)


def _overload(n: int) -> Outcome:
    found = overload(float(n))
    figures = {
        "capacity_per_s": round(found.capacity, 1),
        **{f"goodput_at_{factor}x": share for factor, share in found.goodput.items()},
        "capacity_after": found.after,
        "livez_p99_ms": found.livez_p99_ms,
        "refused_p99_ms": found.refused_p99_ms,
        "grown_mb": round(found.grown_bytes / MEGABYTE, 1),
    }
    return Outcome(n, found.violations, figures)


def _slow(n: int) -> Outcome:
    """Let `n` heads be slow, a quarter as many bodies, and as many who never read."""
    found = wait_for(n, n // 4, n // 4)
    before, among = found.probe_ms
    return Outcome(found.clients, found.violations, {"probe_ms_before": before, "probe_ms_among": among})


def _descriptors(n: int) -> Outcome:
    violations = [what for _ in range(n) for what in exhaust_descriptors(1000).violations]
    return Outcome(n, violations)


def _stream(n: int) -> Outcome:
    found = stream(n * MEGABYTE)
    figures = {
        "documents": found.documents,
        "seconds_until_durable": found.seconds,
        "grown_mb": round(found.grown_bytes / MEGABYTE, 1),
    }
    return Outcome(n, found.violations, figures)


def _kills(n: int) -> Outcome:
    found = kill(n, SEED)
    figures = {"acknowledged": found.acknowledged, "slowest_start_s": round(found.slowest_start_s, 2)}
    return Outcome(found.kills, found.violations, figures)


def _matrix(n: int) -> Outcome:
    tried = [try_all() for _ in range(n)]
    return Outcome(sum(each.cases for each in tried), [what for each in tried for what in each.violations])


PROGRAMMES: Mapping[str, Programme] = {
    "S1": Programme("requests that schemathesis makes of the description, by three roles", _contract, 12_000, 100),
    "S2": Programme("bodies with bytes changed, and all that are made by hand", _poison, 100_000, 500),
    "S4": Programme("seconds of 2 and of 10 times the capacity each", _overload, 60, 3),
    "S5": Programme("slow heads, a quarter as many slow bodies, and as many who never read", _slow, 2_000, 40),
    "S6": Programme("times a thousand sockets and 256 descriptors", _descriptors, 20, 1),
    "S7": Programme("MB of documents in one request", _stream, 1_000, 20),
    "S8": Programme("kill -9 of a server that stores documents", _kills, 200, 2),
    "S13": Programme("times every route by every key, of one's own collection and of another's", _matrix, 1, 1),
}
