"""`python -m benchmarks.serving.peers ARCHIVES` puts engines behind the same server, asked by the same clients.

All are given the same vectors of the same passages, and queries by number (`shell.py`), so that engines are compared
and not encoders; one row is this project's own server, which also encodes, checks keys and bounds, and reads texts.
Rows stand in ``results/service.json``; recall is of exact MaxSim over float32. An index is built once, in
``data/serving/peers``; this project's own is built always.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, run
from benchmarks.engine import BUILD_CPU_SECONDS, PASSAGES
from benchmarks.engine_measures import digest, exact_scores, recall
from benchmarks.engine_vectors import EngineSet, engine_set, engine_texts
from benchmarks.peers import ENGINES
from benchmarks.peers.processes import NotRunError, built, interpreter, process_environment
from benchmarks.peers.protocol import Engine
from benchmarks.peers.worker import Job
from benchmarks.results_file import ROOT, measured_commit, processor
from benchmarks.serving.__main__ import write_rows
from benchmarks.serving.load import Searches
from benchmarks.serving.server import Asking, listening, serving_process
from benchmarks.serving.speed import NAME, home_of
from benchmarks.serving.together import RUNS, SECONDS, together
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

SERVED = ("lfm2-colbert", "qdrant-edge", "fast-plaid", "pylate-plaid")
SHELL = ("fastapi==0.165.0", "uvicorn==0.54.0", "httptools==0.9.0")
"""What `shell.py` needs in an engine's environment."""
FOUND = 10
PYLATE_SERVER = (
    "pylate 1.6.0's server has one route, /v1/embeddings: it encodes, and neither keeps documents nor searches; the "
    "index that PyLate comes with is measured as pylate-plaid"
)
OWN_OPTIONS = {"mode": "semantic", "highlight": False}
"""Of the row of the whole server: what the engines do, MaxSim alone."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Queries by their numbers, in turn."""

    n_queries: int

    def __call__(self, number: int) -> tuple[str, Any]:
        """Give a question to a shell."""
        return "/search", {"query": number % self.n_queries, "k": FOUND}


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What is asked, what should be found, and how long is asked.

    Attributes:
        passages: folder of the passages' vectors.
        queries: folder of the queries' vectors.
        indexes: where indexes lie.
        exact: ``(n_queries, n_passages)`` exact MaxSim.
        runs: of each setting.
        seconds: of each run.
    """

    passages: Path
    queries: Path
    indexes: Path
    exact: NDArray[np.float32]
    runs: int
    seconds: float


@click.command()
@click.argument("archives", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", default="data", type=click.Path(path_type=Path), help="An ignored folder.")
@click.option("--engine", "names", multiple=True, type=click.Choice(SERVED), help="These alone; by default all.")
@click.option(
    "--not-run",
    "skipped",
    nargs=2,
    multiple=True,
    metavar="ENGINE REASON",
    help="A row with a reason instead of figures.",
)
@click.option("--own-server/--no-own-server", default=True, help="Measure the whole server, too.")
@click.option("--runs", default=RUNS, show_default=True, help="Of each setting.")
@click.option("--seconds", default=SECONDS, show_default=True, help="Of each run.")
@click.option("--build", is_flag=True, help="Only build the indexes that are not there.")
@click.option("--first", type=int, metavar="N", help="Of the first N passages, as a set of its own.")
@allow_dirty
def main(
    archives: Path,
    data: Path,
    names: tuple[str, ...],
    skipped: tuple[tuple[str, str], ...],
    own_server: bool,
    runs: int,
    seconds: float,
    build: bool,
    first: int | None,
    allow_dirty: bool,
) -> None:
    """Measure, and keep the rows."""
    commit, data = measured_commit(allow_dirty=allow_dirty), data.absolute()
    bench = bench_of(archives, data, runs, seconds, first)
    reasons = dict(skipped) if first else {"pylate.server": PYLATE_SERVER, **dict(skipped)}
    wanted = [name for name in names or SERVED if name not in reasons]
    if build:
        for name in wanted:
            click.echo(index_of(name, lookup(ENGINES, name, "engine")(), bench)[1].index)
        return
    for row in every_row(bench, wanted, reasons):
        keep(row | ({"first": first} if first else {}), commit)
    if first is None and own_server:
        keep(own_row(archives, data, bench), commit)


def keep(row: dict[str, Any], commit: str) -> None:
    """Show a row, and write it among the others."""
    row = {**row, "cpu": processor(), "commit": commit}
    click.echo(row)
    write_rows([row], commit, "benchmarks.serving.peers")


def bench_of(archives: Path, data: Path, runs: int, seconds: float, first: int | None) -> Bench:
    """Load the vectors and what exact search finds among them."""
    made, passages = engine_set(archives, data), data / "engine"
    if first is not None:
        made, passages = first_passages(made, first, data / "serving" / f"first-{first}")
    name = digest(passages, PASSAGES)
    exact = exact_scores(made.queries, made.passages, made.queries_folder, name)
    return Bench(passages, made.queries_folder, data / "serving" / "peers" / name, exact, runs, seconds)


def first_passages(made: EngineSet, n: int, folder: Path) -> tuple[EngineSet, Path]:
    """Write the first passages of a set as a set of their own, with the same queries."""
    folder.mkdir(parents=True, exist_ok=True)
    offsets = made.passages.offsets[: n + 1]
    vectors, token_ids = np.array(made.passages.vectors[: offsets[-1]]), made.token_ids[: offsets[-1]]
    np.save(folder / "passages.npy", vectors)
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "token_ids.npy", token_ids)
    return replace(made, passages=MultiVectors(vectors, offsets), token_ids=token_ids), folder


def every_row(bench: Bench, names: list[str], reasons: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Give the rows of all engines behind the shell, and of those that are left out."""
    for name, reason in reasons.items():
        yield not_run(name, reason)
    for name in names:
        yield from shell_rows(name, bench)


def shell_rows(name: str, bench: Bench) -> Iterator[dict[str, Any]]:
    """Build an engine's index if need be, and measure each of its settings behind the shell."""
    engine = cast(Engine, lookup(ENGINES, name, "engine")())
    try:
        python, job = index_of(name, engine, bench)
    except NotRunError as error:
        yield not_run(name, str(error).replace(str(ROOT), "."))
        return
    for setting in engine.settings:
        yield shell_row(python, engine, replace(job, setting=setting.name), bench)


def index_of(name: str, engine: Engine, bench: Bench) -> tuple[Path, Job]:
    """Build an engine's index if need be; give its interpreter, and the job of a search without its setting.

    Raises:
        NotRunError: the engine could not be installed, or its index not be built.
    """
    place = bench.indexes / name
    if not engine.environment.requirements:
        shutil.rmtree(place, ignore_errors=True)
    index, result = str(place / "index"), str(place / "build")
    job = Job(name, "", 1, str(bench.passages), str(bench.queries), index, result, BUILD_CPU_SECONDS)
    python = shell_interpreter(name, engine)
    built(python, job)
    return python, replace(job, result=str(place))


def shell_row(python: Path, engine: Engine, job: Job, bench: Bench) -> dict[str, Any]:
    """Measure one setting behind the shell."""
    job_file, log = Path(job.result) / "shell.json", Path(job.result) / "shell.log"
    job_file.write_text(json.dumps(asdict(job)), encoding="utf-8")
    command = [str(python), "-m", "benchmarks.serving.shell", str(job_file)]
    row = {"test": f"peer {job.engine} {job.setting}", "through": "a shell of one route"}
    if engine.environment.requirements:
        row["release"] = engine.environment.requirements[0]
    try:
        with listening(command, log=log, environment=process_environment(job.threads)) as (process, ask):
            found = found_by(ask, len(bench.exact))
            figures = together(process.pid, ask.url, Numbers(len(bench.exact)), bench.runs, bench.seconds)
    except (ValueError, OSError):
        return row | {
            "not_run": (log.read_text(encoding="utf-8", errors="replace").splitlines() or ["ended"])[-1][:300]
        }
    return row | figures | recalled(found, bench)


def found_by(ask: Asking, n_queries: int) -> list[list[int]]:
    """Ask every query once, which also warms the server."""
    return [[int(number) for number in _good(ask, *Numbers(n_queries)(i))["passages"]] for i in range(n_queries)]


def own_row(archives: Path, data: Path, bench: Bench) -> dict[str, Any]:
    """Measure this project's server as it is, of the collection in which each passage is a document."""
    texts = engine_texts(archives, data)
    home, path = home_of(data, texts), f"/v1/collections/{NAME}/search"
    with serving_process(home, "--quiet", model="nano") as (process, ask):
        answers = (_good(ask, path, {"query": query, "k": FOUND, **OWN_OPTIONS}) for query in texts.queries)
        found = [[int(hit["document_id"].removeprefix("p")) for hit in answer["hits"]] for answer in answers]
        asked = Searches(NAME, texts.queries, OWN_OPTIONS)
        figures = together(process.pid, ask.url, asked, bench.runs, bench.seconds)
    through = "the whole server: encoding, keys and bounds, texts"
    return {"test": "peer lfm2-colbert served", "through": through, **figures, **recalled(found, bench)}


def recalled(found: list[list[int]], bench: Bench) -> dict[str, Any]:
    """Say how much of what exact MaxSim finds was found."""
    numbers = np.array([(row + [-1] * FOUND)[:FOUND] for row in found], np.int64)
    passages = bench.exact.shape[1]
    return {"passages": passages, "recall_at_10": round(recall(numbers, bench.exact, FOUND), 4)}


def not_run(name: str, reason: str) -> dict[str, Any]:
    """Give the row of what was not measured."""
    return {"test": f"peer {name}", "not_run": reason}


def shell_interpreter(name: str, engine: Engine) -> Path:
    """Give the interpreter of an engine's environment, to which what the shell needs is added.

    Raises:
        NotRunError: something cannot be installed.
    """
    python = interpreter(ROOT, name, engine.environment)
    stamp = python.parent.parent / "shell.json"
    if not engine.environment.requirements or (stamp.exists() and json.loads(stamp.read_text()) == list(SHELL)):
        return python
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    ended = subprocess.run(
        [*pip, *engine.environment.requirements, *SHELL], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise NotRunError((ended.stderr.strip().splitlines() or ["installation failed"])[-1][:300])
    stamp.write_text(json.dumps(SHELL), encoding="utf-8")
    return python


def _good(ask: Asking, path: str, body: Any) -> Any:
    answer = ask("POST", path, body)
    if answer.status != 200:
        raise ValueError(f"{path} answered {answer.status}")
    return answer.json


if __name__ == "__main__":
    run(main)
