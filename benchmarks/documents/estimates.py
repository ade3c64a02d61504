"""Does a run cost what `index --dry-run` says? Both in fresh processes, one after the other, on two corpora.

`python -m benchmarks.documents.estimates SETS DOCUMENTS` writes the rows `estimate of …` of ``results/documents.json``
and leaves the others of that file. SETS holds evaluation sets as folders, DOCUMENTS is what
`benchmarks.documents.gathering` made; of its packages every eighth is taken, since all of them take an hour.

An error is what was said beside what came, less 1. Processors that others use change the time on the clock between the
two runs, so `estimate_error` is that of seconds of the processor, and the others stand beside it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.documents.results import replace_rows
from benchmarks.results_file import measured_commit
from lfm2_colbert.errors import InvalidArgumentError

KIND = "estimate of"
SETS = ("arcd/ar", "cmrc2018/zh", "faquad/pt", "germanquad/de", "jsquad/ja", "xquad/hi")
EVERY = 8
PROGRAM = "from service.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process took, with those that it started, and what it printed."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    printed: dict[str, Any]


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("documents", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, documents: Path, allow_dirty: bool) -> None:
    """Measure on evaluation sets and on a folder of many formats."""
    commit = measured_commit(allow_dirty=allow_dirty)
    for corpus, gather, source in (("sets", gathered_sets, sets), ("folder", gathered_documents, documents)):
        with tempfile.TemporaryDirectory() as place:
            gather(source, Path(place) / corpus)
            kind = f"{KIND} {corpus}"
            row = {"format": kind, **compared(Path(place) / corpus, Path(place) / "home")}
        click.echo(row)
        replace_rows([row], {kind}, commit=commit, command=command_line("benchmarks.documents.estimates"))


def gathered_sets(sets: Path, folder: Path) -> None:
    """Copy the texts of the sets, a file for each."""
    folder.mkdir()
    for name in SETS:
        shutil.copyfile(sets / name / "corpus.jsonl", folder / f"{name.replace('/', '-')}.jsonl")


def gathered_documents(documents: Path, folder: Path) -> None:
    """Copy what was made here, and every eighth package."""
    shutil.copytree(documents / "made", folder / "made")
    for package in sorted((documents / "others").iterdir())[::EVERY]:
        shutil.copytree(package, folder / package.name)


def compared(folder: Path, home: Path) -> dict[str, str | int | float]:
    """Estimate, run, and give the figures of both."""
    command = ["index", str(folder), "--home", str(home), "--json"]
    dry = taken([*command, "--dry-run"])
    real = taken(command)
    said, costs, did = dry.printed, dry.printed["costs"], real.printed
    (chosen,) = (each for each in said["choices"] if (each["codec"], each["pool"]) == (said["codec"], said["pool"]))
    status = taken(["status", "-c", "default", "--home", str(home), "--json"]).printed
    disk = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    pairs = {
        "documents": (said["found"]["documents"], did["documents"]),
        "passages": (said["passages"], did["passages"]),
        "tokens": (said["tokens"], status["tokens"]),
        "disk_mb": (chosen["disk_bytes"] / 1e6, disk / 1e6),
        "memory_mb": (costs["memory_bytes"] / 1e6, real.peak_bytes / 1e6),
        "cpu_s": (costs["total"]["cpu_s"], real.cpu_s),
        "wall_s": (costs["total"]["wall_s"], real.wall_s),
    }
    row: dict[str, str | int | float] = {
        "estimate_error": round(error(*pairs["cpu_s"]), 3),
        "dry_run_cpu_s": round(dry.cpu_s, 1),
    }
    for name, (estimated, actual) in pairs.items():
        row |= {f"{name}_said": round(estimated, 1), f"{name}_came": round(actual, 1)}
        row[f"{name}_error"] = round(error(estimated, actual), 3)
    return row


def error(said: float, came: float) -> float:
    """Give how far an estimate was off, as a share of what came; above 0 it was too high."""
    return said / came - 1


def taken(arguments: list[str]) -> Taken:
    """Run a command of the program.

    Raises:
        InvalidArgumentError: it failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None  # it was asked for
    printed = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InvalidArgumentError(f"`{' '.join(arguments)}` ended with {process.returncode}")
    cpu = used.ru_utime + used.ru_stime
    return Taken(time.perf_counter() - started, cpu, used.ru_maxrss * 1024, json.loads(printed))


if __name__ == "__main__":
    run(main)
