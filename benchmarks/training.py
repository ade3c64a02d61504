"""What did training runs reach? Figures of runs that came back from another machine (`recipes/carry.py`).

`python -m benchmarks.training FOUND …` reads ``runs.json`` and ``queries.npz`` of each folder and writes
``results/training.json``: a row for each run, with nDCG@10 of the development sets by exact MaxSim, and the difference,
by paired bootstrap over the queries, to the run of its folder that is named `base`, else to the one that is bundled.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.results_file import ROOT, measured, measured_commit, write
from eval.compare import leaves
from eval.significance import stratified_interval, stratified_p
from lfm2_colbert.training.packed import QUERIES, RUNS

SEED = 0
BASE, BUNDLED = "base", "nano-1"
SECONDS_PER_HOUR = 3600
APART = frozenset({"name", "seed", "loop.keep_every", "loop.tell_every", "loop.develop_every"})
"""What makes no other recipe."""

Measured = Mapping[str, NDArray[np.float64]]


@click.command()
@click.argument("found", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(found: Sequence[Path], allow_dirty: bool) -> None:
    """Read what came back in FOUND, and hold the runs against each other."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows = rows_of([Kept.of(folder) for folder in found])
    for row in rows:
        click.echo(row)
    command = command_line("benchmarks.training")
    click.echo(write(measured("training", rows, commit=commit, command=command, seed=SEED)).relative_to(ROOT))


@dataclass(frozen=True, slots=True)
class Kept:
    """What came back in a folder: its name, runs, and nDCG@10 of queries by ``<run>/<set>``."""

    folder: str
    runs: list[dict[str, Any]]
    queries: Measured

    @classmethod
    def of(cls, folder: Path) -> "Kept":
        """Read it."""
        with np.load(folder / QUERIES) as kept:
            queries = {name: kept[name] for name in kept.files}
        return cls(folder.name, json.loads((folder / RUNS).read_text(encoding="utf-8")), queries)

    def named(self, name: str) -> dict[str, Any] | None:
        """Give a run."""
        return next((each for each in self.runs if each["recipe"]["name"] == name), None)


def rows_of(found: Sequence[Kept]) -> list[dict[str, Any]]:
    """Give a row for each run of all folders."""
    bundled = next((kept for kept in found if kept.named(BUNDLED)), None)
    return [row for kept in found for row in _rows(kept, kept if kept.named(BASE) else bundled)]


def _rows(kept: Kept, held_against: Kept | None) -> Iterator[dict[str, Any]]:
    name = BASE if kept is held_against and kept.named(BASE) else BUNDLED
    base = held_against.named(name) if held_against else None
    for each in kept.runs:
        row = row_of(each) | {"folder": kept.folder}
        if held_against and base and each is not base:
            row |= {"against": name}
            if name == BASE:
                row["changed"] = ", ".join(changes(base["recipe"], each["recipe"])) or "seed"
            row |= difference(held_against.queries, name, kept.queries, each["recipe"]["name"])
        yield row


def row_of(made: Mapping[str, Any]) -> dict[str, Any]:
    """Give a run's own figures."""
    last = made["curve"][-1]
    return {
        "run": made["recipe"]["name"], "seed": made["recipe"]["seed"], "tokens": last["tokens"],
        "device": made["device"], "hours": round(_seconds(made["curve"]) / SECONDS_PER_HOUR, 3),
        "token_loss": round(last["token"], 4),
    } | means(made["ndcg"])  # fmt: skip


def means(found: Mapping[str, float]) -> dict[str, float]:
    """Give the means of nDCG@10 over all sets, those within a language, and those across."""
    crossed = [value for name, value in found.items() if _is_crossed(name)]
    within = [value for name, value in found.items() if not _is_crossed(name)]
    named = {"ndcg_at_10": [*crossed, *within], "ndcg_within": within, "ndcg_crossed": crossed}
    return {name: round(float(np.mean(values)), 4) for name, values in named.items()}


def difference(before: Measured, base: str, after: Measured, name: str) -> dict[str, float]:
    """Give the mean difference of a run to a base, with its interval and p-value; each set weighs the same."""
    sets = [key.removeprefix(f"{base}/") for key in before if key.startswith(f"{base}/")]
    pairs = [after[f"{name}/{each}"] - before[f"{base}/{each}"] for each in sets]
    strata = [own / len(own) / len(sets) for own in pairs]
    interval = stratified_interval(strata, seed=SEED)
    found = {"difference": sum(float(own.sum()) for own in strata), "low": interval.low, "high": interval.high}
    return {key: round(value, 4) for key, value in found.items()} | {"p": round(stratified_p(strata, seed=SEED), 4)}


def changes(base: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Give what another recipe says otherwise, as ``key=value``; what is minimised late is held against the loss."""
    ours, theirs = dict(leaves(base)), dict(leaves(other))
    for key, value in theirs.items():
        if value != ours.get(key.removeprefix("late.")) and key not in APART:
            yield f"{key}={value}"


def _is_crossed(name: str) -> bool:
    asked, _, documents = name.rpartition(" ")[2].partition("-")
    return asked != documents


def _seconds(curve: Sequence[Mapping[str, float]]) -> float:
    """Add up what the lines of a curve took, measuring on the development sets included."""
    tokens = [0, *(line["tokens"] for line in curve)]
    return sum((tokens[n + 1] - tokens[n]) / line["tokens_per_s"] for n, line in enumerate(curve))


if __name__ == "__main__":
    run(main)
