"""What clients get who each wait for their answer before they ask again, and what that costs the server."""

import os
import statistics
from typing import Any

from benchmarks.serving.load import Answered, Asked, Load, put_under, quantile
from benchmarks.serving.process import family_seconds

CLIENTS, RUNS, SECONDS = 4, 5, 15.0
REQUESTS_PER_RUN = 1_000_000
"""More than a run can send: what is asked by number is never asked in two runs."""


def together(pid: int, url: str, asked: Asked, runs: int = RUNS, seconds: float = SECONDS) -> dict[str, Any]:
    """Measure some runs of four clients; figures are medians of runs.

    Args:
        pid: of the server, whose processes' time is counted.
        url: of the server.
        asked: what.
        runs: how many.
        seconds: of each.
    """
    answered: list[Answered] = []
    cpu, load = [], []
    for number in range(runs):
        before = family_seconds(pid)
        sent = Load(url, asked, seconds, clients=CLIENTS, first=number * REQUESTS_PER_RUN)
        answered.append(put_under(sent))
        cpu.append((family_seconds(pid) - before) * 1000 / len(answered[-1].status))
        load.append(os.getloadavg()[0])
    return {
        "clients": CLIENTS,
        "searches_per_s": round(statistics.median(len(each.good()) / max(each.at) for each in answered), 1),
        "p50_ms": round(statistics.median(quantile(each.good(), 0.5) for each in answered), 1),
        "p95_ms": round(statistics.median(quantile(each.good(), 0.95) for each in answered), 1),
        "cpu_ms": round(statistics.median(cpu), 2),
        "failed": sum(status != 200 for each in answered for status in each.status),
        "runs": runs,
        "load": round(statistics.median(load), 2),
    }
