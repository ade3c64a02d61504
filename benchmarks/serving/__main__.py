"""`python -m benchmarks.serving` runs every programme whole and writes ``results/service.json``; an hour.

With names (`S2 S13`) only those are run, and the rows of the others are kept as they are.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.results_file import RESULTS, ROOT, measured, measured_commit, write
from benchmarks.serving.programmes import PROGRAMMES, SEED

LIBRARIES = ("fastapi", "uvicorn", "uvloop", "httptools", "schemathesis")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(PROGRAMMES)))
@click.option("--share", default=1.0, show_default=True, help="Of each programme; the row says how much was run.")
@allow_dirty
def main(names: tuple[str, ...], share: float, allow_dirty: bool) -> None:
    """Run programmes at their full size."""
    commit = measured_commit(allow_dirty=allow_dirty)
    for name in names or PROGRAMMES:
        row = row_of(name, share, commit)
        click.echo(row)
        click.echo(write_rows([row], commit, "benchmarks.serving"))


def row_of(name: str, share: float, commit: str) -> dict[str, Any]:
    """Run a programme, or a share of it, and give its row."""
    started, programme = time.perf_counter(), PROGRAMMES[name]
    size = max(round(programme.size * share), 1)
    outcome = programme.run(size)
    for violation in outcome.violations[:20]:
        click.echo(f"{name}: {violation}", err=True)
    return {
        "test": name,
        "size": f"{size:,} {programme.sentence}" + (f", of {programme.size:,}" if share < 1 else ""),
        "runs": outcome.runs,
        "violations": len(outcome.violations),
        **outcome.figures,
        "commit": commit,
        "seconds": round(time.perf_counter() - started, 1),
    }


def key_of(row: Mapping[str, Any]) -> str:
    """Tell rows apart: by the test, the processor and the number of passages, where it was measured with several."""
    return f"{row['test']} {row.get('cpu', '')} {row.get('first', '')}".rstrip()


def write_rows(rows: Sequence[dict[str, Any]], commit: str, module: str) -> Path:
    """Write rows in the places of those they replace, among all that are there now: programmes may run side by side."""
    path = ROOT / RESULTS / "service.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    merged = {key_of(row): row for row in (*kept, *rows)}
    found = measured(
        "service", list(merged.values()), commit=commit, command=command_line(module), seed=SEED, libraries=LIBRARIES
    )
    return write(found, ROOT)


if __name__ == "__main__":
    run(main)
