"""`python -m benchmarks.durability` runs every programme whole and writes ``results/durability.json``; an hour or two.

With names (`D1 D3`) only those are run, and the rows of the others are kept as they are.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.durability.programmes import PROGRAMMES, Outcome
from benchmarks.results_file import RESULTS, ROOT, measured, measured_commit, write

NOT_RUN = {
    "D5": "needs loop devices and root; the crash states of D2 are the stricter model",
    "D13": "needs libfaketime; no decision about order reads a clock",
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PROGRAMMES)))
@allow_dirty
def main(names: tuple[str, ...], allow_dirty: bool) -> None:
    """Run programmes at their full size."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows = {row["test"]: row for row in _kept(names)}
    for name in names or PROGRAMMES:
        rows[name] = row_of(name, PROGRAMMES[name].whole)
        click.echo(rows[name])
    for name, reason in NOT_RUN.items():
        rows[name] = {"test": name, "not_run": reason}
    ordered = sorted(rows.values(), key=lambda row: int(row["test"][1:].split("-")[0]))
    click.echo(
        write(measured("durability", ordered, commit=commit, command=command_line("benchmarks.durability")), ROOT)
    )


def row_of(name: str, programme: Callable[[], Outcome]) -> dict[str, Any]:
    """Run a programme and give its row."""
    started = time.perf_counter()
    outcome = programme()
    for violation in outcome.violations[:20]:
        click.echo(f"{name}: {violation}", err=True)
    return {
        "test": name,
        "size": PROGRAMMES[name].sentence,
        "runs": outcome.runs,
        "violations": len(outcome.violations),
        **outcome.figures,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _kept(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    path = ROOT / RESULTS / "durability.json"
    if names and path.exists():
        yield from json.loads(path.read_text(encoding="utf-8"))["rows"]


if __name__ == "__main__":
    run(main)
