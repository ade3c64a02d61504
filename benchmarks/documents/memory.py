"""How much memory does a run take, and does it grow with the folder?

`python -m benchmarks.documents.memory --megabytes 100` makes a folder of so much text, indexes it with the command line
in a process of its own, looks every quarter of a second at what that process and those that it started hold, and adds a
row to ``results/documents.json``; other rows stay. `peak_rss_mb` counts files that are mapped, which the system takes
back when it needs to; `peak_anonymous_mb` does not. The columns of quarters are the peaks of four equal stretches of
the run.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.documents.corpus import write_corpus
from benchmarks.documents.results import replace_rows
from benchmarks.results_file import ROOT, measured_commit
from benchmarks.serving.process import family, held_megabytes

SEED = 1
MEGABYTE = 1_000_000
SECONDS_BETWEEN_LOOKS = 0.25
QUARTERS = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What all processes held at a moment, in MiB."""

    resident: float
    anonymous: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What is indexed, and how."""

    megabytes: int
    encoder: str
    codec: str
    pool: int


@click.command()
@click.option("--megabytes", default=100, show_default=True, help="Of text.")
@click.option("--encoder", default="hashing", show_default=True)
@click.option("--codec", default="scalar2", show_default=True)
@click.option("--pool", default=3, show_default=True)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Work below it; else a temporary one.")
@allow_dirty
def main(megabytes: int, encoder: str, codec: str, pool: int, folder: Path | None, allow_dirty: bool) -> None:
    """Measure one run."""
    commit = measured_commit(allow_dirty=allow_dirty)
    setting = Setting(megabytes, encoder, codec, pool)
    work = Path(tempfile.mkdtemp(dir=folder))
    try:
        row = row_of(setting, work)
    finally:
        shutil.rmtree(work)
    click.echo(row)
    replace_rows([row], [row["format"]], commit=commit, command=command_line("benchmarks.documents.memory"))


def row_of(setting: Setting, work: Path) -> dict[str, Any]:
    """Make the text, index it, and say what that took."""
    text = work / "text"
    n_files = write_corpus(text, setting.megabytes * MEGABYTE, SEED)
    report, looks = watched(
        [
            sys.executable, "-m", "service", "index", str(text), "--home", str(work / "home"), "--json",
            "--model", setting.encoder, "--codec", setting.codec, "--pool", str(setting.pool),
        ],
    )  # fmt: skip
    part = len(looks) / QUARTERS
    quarters = [looks[round(n * part) : round((n + 1) * part)] or looks[-1:] for n in range(QUARTERS)]
    return {
        "format": f"corpus of {setting.megabytes:,} MB, {setting.encoder}",
        "encoder": setting.encoder,
        "codec": setting.codec,
        "pool": setting.pool,
        "files": n_files,
        "failed": len(report["failed"]),
        "documents": report["documents"],
        "passages": report["passages"],
        "peak_rss_mb": round(max(look.resident for look in looks)),
        "peak_anonymous_mb": round(max(look.anonymous for look in looks)),
        **{
            f"anonymous_mb_quarter_{n}": round(max(look.anonymous for look in own))
            for n, own in enumerate(quarters, start=1)
        },
        "seconds": report["seconds"],
    }


def watched(command: list[str]) -> tuple[Mapping[str, Any], list[Look]]:
    """Run a command that prints JSON; give that, and what its processes held meanwhile."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    looks = []
    while process.poll() is None:
        looks.append(look_at(process.pid))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    output = process.communicate()[0]
    if process.returncode:
        raise click.ClickException(f"the command ended with {process.returncode}")
    report: Mapping[str, Any] = json.loads(output)
    return report, looks


def look_at(pid: int) -> Look:
    """Add up what a process and those that it started hold."""
    held = []
    for each in family(pid):
        try:
            held.append(held_megabytes(each))
        except OSError:  # it ended meanwhile
            continue
    return Look(sum(each["VmRSS"] for each in held), sum(each["RssAnon"] for each in held))


if __name__ == "__main__":
    run(main)
