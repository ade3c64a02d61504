"""`python -m benchmarks.durability` runs every programme whole and writes ``results/durability.json``; an hour or two.

With names (`D1 D3`) only those are run, and the rows of the others are kept as they are.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.durability.programmes import PEER, PROGRAMMES, SEED
from benchmarks.results_file import RESULTS, ROOT, measured, measured_commit, write

WHOLE = {**PROGRAMMES, "D15": PEER}

NOT_RUN = {
    "D5": "needs loop devices and root; the crash states of D2 are the stricter model",
    "D13": "needs libfaketime; no decision about order reads a clock",
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*PROGRAMMES, "D15"]))
@click.option("--jobs", default=1, show_default=True, help="Programmes at a time.")
@click.option("--share", default=1.0, show_default=True, help="Of each programme; the row says how much was run.")
@allow_dirty
def main(names: tuple[str, ...], jobs: int, share: float, allow_dirty: bool) -> None:
    """Run programmes at their full size."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows = {row["test"]: row for row in _kept(names)}
    never = dict.fromkeys(WHOLE.keys() - rows.keys(), "not run yet at this format")
    for name, reason in (NOT_RUN | never).items():
        rows[name] = {"test": name, "not_run": reason}
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(row_of, name, share, commit): name for name in names or WHOLE}
        for done in as_completed(running):
            rows[running[done]] = done.result()
            click.echo(done.result())
            click.echo(_write(rows, commit))  # an hour's work is not lost with the last programme


def _write(rows: dict[str, dict[str, Any]], commit: str) -> Path:
    ordered = sorted(rows.values(), key=lambda row: int(row["test"][1:].split("-")[0]))
    command = command_line("benchmarks.durability")
    return write(measured("durability", ordered, commit=commit, command=command, seed=SEED), ROOT)


def row_of(name: str, share: float, commit: str) -> dict[str, Any]:
    """Run a programme, or a share of it, and give its row."""
    started = time.perf_counter()
    size = max(round(WHOLE[name].size * share), 1)
    outcome = WHOLE[name].run(size)
    for violation in outcome.violations[:20]:
        click.echo(f"{name}: {violation}", err=True)
    return {
        "test": name,
        "size": f"{size:,} {WHOLE[name].sentence}" + (f", of {WHOLE[name].size:,}" if share < 1 else ""),
        "runs": outcome.runs,
        "violations": len(outcome.violations),
        **outcome.figures,
        "commit": commit,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _kept(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    path = ROOT / RESULTS / "durability.json"
    if names and path.exists():
        yield from json.loads(path.read_text(encoding="utf-8"))["rows"]


if __name__ == "__main__":
    run(main)
