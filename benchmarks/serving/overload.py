"""More is asked than can be done: does the server go on doing what it can, and say no to the rest?"""

import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.serving.load import Answered, Load, Searches, put_under, quantile
from benchmarks.serving.process import resident_bytes
from benchmarks.serving.server import Asking, serving_process

N_DOCUMENTS = 2000
LIVEZ_MS = 250.0
GROWTH_BYTES = 256 * 1024 * 1024
PROBE_SECONDS = 0.2
ROUND_SECONDS = 6.0
ALLOWED = {200, 429, 503}
WORDS = ("Hund", "cat", "東京", "서울", "باريس", "กรุงเทพ", "größe", "café", "house", "rain")
ASKED = Searches("pets", WORDS)


@dataclass(slots=True)
class Overloaded:
    """What came of it.

    Attributes:
        capacity: searches a second of four clients that wait for their answers.
        goodput: of the capacity just before and after, by factor of overload: the median of several rounds.
        livez_p99_ms: of `/livez` meanwhile.
        refused_p99_ms: until a refusal came, its deliberate delay included.
        grown_bytes: of the server's memory.
        after: searches a second of four clients ten seconds later, of the capacity.
        violations: what was wrong.
    """

    capacity: float = 0.0
    goodput: dict[int, float] = field(default_factory=dict)
    livez_p99_ms: float = 0.0
    refused_p99_ms: float = 0.0
    grown_bytes: int = 0
    after: float = 0.0
    violations: list[str] = field(default_factory=list)


def overload(seconds: float, factors: tuple[int, ...] = (2, 10), model: str = "hashing") -> Overloaded:
    """Ask for `factors` times the capacity, for so long each.

    In rounds, each with the capacity before and after it: a machine that others use is not as fast all the time.
    """
    with TemporaryDirectory() as folder, serving_process(Path(folder), "--quiet", model=model) as (process, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        for start in range(0, N_DOCUMENTS, 500):
            ask.put("pets", *(_document(n) for n in range(start, start + 500)))
        found, probe = Overloaded(), _Probe(ask)
        found.capacity = _capacity(ask, seconds)
        before = resident_bytes(process.pid)
        with probe:
            for factor in factors:
                _press(found, ask, factor, seconds)
        found.livez_p99_ms = round(quantile(sorted(probe.ms), 0.99), 1)
        found.grown_bytes = max(resident_bytes(process.pid) - before, 0)
        time.sleep(min(10, seconds))
        found.after = round(_capacity(ask, seconds) / found.capacity, 3)
    found.violations += [f"/livez took {found.livez_p99_ms} ms"] if found.livez_p99_ms > LIVEZ_MS else []
    found.violations += [f"memory grew by {found.grown_bytes}"] if found.grown_bytes > GROWTH_BYTES else []
    found.violations += ["/livez did not answer"] if probe.failed else []
    return found


def _press(found: Overloaded, ask: Asking, factor: int, seconds: float) -> None:
    rounds = max(int(seconds // ROUND_SECONDS), 1)
    shares, capacity = [], _capacity(ask, seconds / rounds)
    for _ in range(rounds):
        answered = put_under(Load(ask.url, ASKED, seconds / rounds, rate=capacity * factor))
        before, capacity = capacity, _capacity(ask, seconds / rounds)
        shares.append(_good_per_s(answered) * 2 / (before + capacity))
        _judge(found, answered, factor)
    found.goodput[factor] = round(statistics.median(shares), 3)


def _judge(found: Overloaded, answered: Answered, factor: int) -> None:
    """Note what was refused otherwise than it should be."""
    found.refused_p99_ms = max(found.refused_p99_ms, round(quantile(answered.refused(), 0.99), 1))
    other = {status: answered.status.count(status) for status in set(answered.status) - ALLOWED}
    found.violations += [f"at {factor} times the capacity: statuses {other}"] if other else []
    untold = len(answered.refused()) - answered.told_to_wait
    found.violations += [f"{untold} refusals without Retry-After"] if untold else []


def _capacity(ask: Asking, seconds: float) -> float:
    runs: list[Answered] = [put_under(Load(ask.url, ASKED, seconds / 3, clients=4)) for _ in range(3)]
    return statistics.median(map(_good_per_s, runs))


def _good_per_s(answered: Answered) -> float:
    return len(answered.good()) / max(answered.at)


def _document(number: int) -> dict[str, str]:
    words = (WORDS[(number * step + step) % len(WORDS)] for step in range(1, 40))
    return {"id": f"d{number}", "text": f"{number} {' '.join(words)}"}


class _Probe:
    """Asks `/livez` again and again, beside whatever else is asked."""

    def __init__(self, ask: Asking) -> None:
        self._ask, self.ms, self.failed = ask, list[float](), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(PROBE_SECONDS):
            started = time.perf_counter()
            try:
                self.failed += self._ask("GET", "/livez").status != 200
            except OSError:
                self.failed += 1
            self.ms.append((time.perf_counter() - started) * 1000)
