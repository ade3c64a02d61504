"""kill -9 while a server stores documents: whatever it acknowledged is there afterwards, word for word.

One client puts and deletes documents as fast as they are acknowledged; the server is killed at a random moment and
started again on the same home, so damage would add up. What was in flight may be there or not; nothing else may.
"""

import http.client
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from benchmarks.serving.server import Asking, serving_process

WORDS = ("Hund", "cat", "東京", "서울", "باريس", "กรุงเทพ", "größe", "café")
N_IDS = 60
MEAN_SECONDS = 0.4
READY_SECONDS = 10.0


@dataclass(slots=True)
class Killed:
    """What came of kills."""

    kills: int = 0
    acknowledged: int = 0
    slowest_start_s: float = 0.0
    violations: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Oracle:
    """What must be stored: a text for each id, None for what was deleted; and what is in flight."""

    stored: dict[str, str | None] = field(default_factory=dict)
    flying: dict[str, str | None] = field(default_factory=dict)

    def landed(self) -> None:
        self.stored |= self.flying
        self.flying = {}


def kill(n: int, seed: int) -> Killed:
    """Kill a server so many times."""
    found, rng, oracle = Killed(), random.Random(seed), _Oracle()
    with TemporaryDirectory() as folder:
        for _ in range(n):
            started = time.perf_counter()
            with serving_process(Path(folder)) as (process, ask):
                found.slowest_start_s = max(found.slowest_start_s, time.perf_counter() - started)
                ask("POST", "/v1/collections", {"name": "pets"})
                found.violations += _differences(ask, oracle)
                timer = Timer(rng.expovariate(1 / MEAN_SECONDS), process.kill)
                timer.start()
                found.acknowledged += _write(ask, oracle, rng)
                timer.join()
            found.kills += 1
        with serving_process(Path(folder)) as (_, ask):
            found.violations += _differences(ask, oracle)
            found.violations += _unsearchable(ask)
    return found


def _write(ask: Asking, oracle: _Oracle, rng: random.Random) -> int:
    """Put and delete until the server is gone; count what it acknowledged."""
    acknowledged = 0
    while True:
        if rng.random() < 0.2:
            oracle.flying = {f"d{rng.randrange(N_IDS)}": None}
        else:
            ids = rng.sample(range(N_IDS), rng.randrange(1, 6))
            oracle.flying = {f"d{each}": " ".join(rng.choices(WORDS, k=rng.randrange(3, 60))) for each in ids}
        try:
            _send(ask, oracle.flying)
        except (OSError, http.client.HTTPException):
            return acknowledged
        oracle.landed()
        acknowledged += 1


def _send(ask: Asking, flying: dict[str, str | None]) -> None:
    texts = {key: text for key, text in flying.items() if text is not None}
    if texts:
        answer = ask.put("pets", *({"id": key, "text": text} for key, text in texts.items()), wait="durable")
    else:
        answer = ask("DELETE", f"/v1/collections/pets/documents/{next(iter(flying))}")
    if answer.status not in (200, 404):
        raise ValueError(f"{answer.status} {answer.body[:200]!r}")


def _differences(ask: Asking, oracle: _Oracle) -> list[str]:
    """Compare what is stored with what must be; what was in flight is settled by what is found."""
    found = {each["document_id"]: each["text"] for each in _all(ask)}
    flying, oracle.flying = oracle.flying, {}
    settled = {key: found.get(key) for key in flying}
    whole = all(settled[key] == text for key, text in flying.items())
    kept = all(settled[key] == oracle.stored.get(key) for key in flying)
    differing = [] if whole or kept else [f"half of a request was stored: {sorted(flying)}"]
    oracle.stored |= settled
    expected = {key: text for key, text in oracle.stored.items() if text is not None}
    lost = [f"{key} is lost or changed" for key in expected if found.get(key) != expected[key]]
    return differing + lost + [f"{key} was invented" for key in found.keys() - expected.keys()]


def _all(ask: Asking) -> list[dict[str, Any]]:
    answer = ask("GET", "/v1/collections/pets/documents?limit=1000&text=true")
    return list(answer.json["documents"])


def _unsearchable(ask: Asking) -> list[str]:
    """After a while everything that is stored must be found."""
    end = time.monotonic() + READY_SECONDS
    while ask("GET", "/v1/collections/pets").json["pending"]:
        if time.monotonic() > end:
            return ["documents still wait to be encoded"]
        time.sleep(0.1)
    hits = ask.search("pets", query="Hund", k=1000, mode="exact").json["hits"]
    found = {hit["document_id"] for hit in hits}
    return [f"{each['document_id']} is not found" for each in _all(ask) if each["document_id"] not in found]
