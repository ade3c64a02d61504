"""D15: the same kill on another engine. Ours runs as D1; fast-plaid is killed while it adds or deletes documents.

After each kill a fresh process opens the index, searches, and counts: it must hold what was acknowledged, or one
operation more. Every kill starts from a whole index.
"""

import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.durability.crashes import scratch_folder
from benchmarks.durability.killed_peer import ADDED, DELETED, DOCUMENTS
from benchmarks.peers.plaid import FastPlaid
from benchmarks.peers.processes import ROOT, interpreter, process_environment

SECONDS = (0.05, 2.5)
HANGS_AFTER_S = 60
CHANGE = {"add": ADDED, "delete": -DELETED}


@dataclass(slots=True)
class PeerKills:
    """Kills of each verb, and how many of them ended with documents lost or an index that cannot be used."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGE, 0))
    lost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGE, 0))
    broken: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGE, 0))


def kill_fast_plaid(n_kills: int, seed: int) -> PeerKills:
    """Kill it, three times of five while it adds."""
    found, chance = PeerKills(), random.Random(seed)
    python = interpreter(ROOT, "fast-plaid-1", FastPlaid.environment)
    with scratch_folder() as scratch:
        subprocess.run(_command(python, "create", scratch / "whole", seed), check=True, env=process_environment(1))
        for number in range(n_kills):
            verb = "add" if number % 5 < 3 else "delete"
            folder = scratch / "killed"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(scratch / "whole", folder)
            acknowledged = _run_and_kill(_command(python, verb, folder, seed + number), chance.uniform(*SECONDS))
            found.kills[verb] += 1
            there = _count(_command(python, "check", folder, seed))
            if there is None:
                found.broken[verb] += 1
            elif there not in (acknowledged, acknowledged + CHANGE[verb]):
                found.lost[verb] += 1
    return found


def _command(python: Path, verb: str, folder: Path, seed: int) -> list[str]:
    return [str(python), "-m", "benchmarks.durability.killed_peer", verb, str(folder), str(seed)]


def _run_and_kill(command: list[str], seconds: float) -> int:
    """Start it, wait for its first word, kill it some time later; give the last count it acknowledged."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=process_environment(1), cwd=ROOT, text=True
    ) as child:
        assert child.stdout is not None
        said = [child.stdout.readline()]
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read().splitlines(keepends=True)
    whole = [int(line) for line in said if line.endswith("\n")]
    return whole[-1] if whole else DOCUMENTS


def _count(command: list[str]) -> int | None:
    """Open, search and count in a fresh process; None where that fails or hangs."""
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=HANGS_AFTER_S, env=process_environment(1), cwd=ROOT, text=True
        )
    except subprocess.TimeoutExpired:
        return None
    return int(done.stdout.split()[-1]) if done.returncode == 0 else None
