"""Environments of the engines, and their processes: started with a stated number of threads, judged by how they end."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.changing import ChangesJob
from benchmarks.peers.protocol import Environment
from benchmarks.peers.worker import FOUND, RESULT, Job

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ".venv-peers"
INSTALLED = "installed.json"
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""Beside the cores that a process is bound to."""
LANCE_THREADS = {"LANCE_CPU_THREADS": "4"}
"""They share those cores; with fewer, LanceDB 0.40 waits for itself for ever on two cores or one (lancedb#3568)."""
WALL_SECONDS, WALL_SECONDS_PER_CPU_SECOND = 600, 3
"""After which a process is taken to wait for itself: machines are shared, and to open an index takes time too."""
FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Would hold NumPy back to an older processor's kernels."""


class NotRunError(Exception):
    """An engine could not be installed or run; its text is the row's reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a process of searches found, and its figures.

    Attributes:
        figures: by the names they have in results.
        versions: of the engine's libraries.
        queries: ``(n_asked,)`` int64, the numbers of the queries asked.
        passages: ``(n_asked, k)`` int64, −1 where fewer were found.
        scores: ``(n_asked, k)`` float32.
    """

    figures: dict[str, Any]
    versions: dict[str, str]
    queries: NDArray[np.int64]
    passages: NDArray[np.int64]
    scores: NDArray[np.float32]


def interpreter(root: Path, name: str, environment: Environment) -> Path:
    """Give the interpreter of an engine's environment, which is made if it is not there.

    Raises:
        NotRunError: its requirements cannot be installed.
    """
    if not environment.requirements:
        return Path(sys.executable)
    folder = root / ENVIRONMENTS / name
    wanted = json.dumps(asdict(environment))
    stamp, python = folder / INSTALLED, folder / "bin" / "python"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        _run([sys.executable, "-m", "pip", "--python", str(python), *install_arguments(folder, environment)])
        stamp.write_text(wanted, encoding="utf-8")
    return python


def install_arguments(folder: Path, environment: Environment) -> list[str]:
    """Write pip's arguments."""
    arguments = ["install", "--quiet", *environment.requirements]
    if environment.platforms:  # pip takes foreign wheels only into a folder it is told
        packages = next(folder.glob("lib/python*/site-packages"))
        arguments += ["--only-binary", ":all:", "--target", str(packages)]
        arguments += [f"--platform={each}" for each in environment.platforms]
    return arguments


def built(python: Path, job: Job) -> dict[str, Any]:
    """Build an index, unless it lies there with the figures of its build; give these.

    Raises:
        NotRunError: the build failed or took too long; what it left is removed, the reason kept for the next time.
    """
    index, result = Path(job.index), Path(job.result)
    reason = result / "not_run.txt"
    if reason.exists():
        raise NotRunError(reason.read_text(encoding="utf-8"))
    if not (result / RESULT).exists():
        shutil.rmtree(index, ignore_errors=True)
        index.mkdir(parents=True)
        try:
            _work(python, job)
        except NotRunError as error:
            shutil.rmtree(index)
            reason.write_text(str(error), encoding="utf-8")
            raise
    figures: dict[str, Any] = json.loads((result / RESULT).read_text(encoding="utf-8"))
    return figures


def searched(python: Path, job: Job) -> Answers:
    """Ask all queries with one setting.

    Raises:
        NotRunError: the search failed.
    """
    _work(python, job)
    result = Path(job.result)
    figures = json.loads((result / RESULT).read_text(encoding="utf-8"))
    with np.load(result / FOUND) as found:
        answers = Answers(figures, {}, found["queries"], found["passages"], found["scores"])
    return replace(answers, versions=figures.pop("versions"))


def process_environment(threads: int) -> dict[str, str]:
    """Give the environment variables of an engine's process: this process's own, with the threads stated."""
    kept = {key: value for key, value in os.environ.items() if key not in FORCED_KERNELS}
    return kept | dict.fromkeys(THREAD_VARIABLES, str(threads)) | LANCE_THREADS | {"PYTHONPATH": str(ROOT)}


def changed(python: Path, job: ChangesJob) -> list[dict[str, Any]]:
    """Build an index and change it; give a row for each kind of change.

    Raises:
        NotRunError: the process failed or took too long.
    """
    job_file = Path(job.result).with_suffix(".job.json")
    job_file.parent.mkdir(parents=True, exist_ok=True)
    job_file.write_text(json.dumps(asdict(job)), encoding="utf-8")
    _module(python, "benchmarks.peers.changing", job_file, job.cpu_seconds, 1)
    rows: list[dict[str, Any]] = json.loads(Path(job.result).read_text(encoding="utf-8"))
    return rows


def reason_of(status: int, errors: str, cpu_seconds: int, threads: int) -> str:
    """Say in a line why a process ended as it did: the time it had, or the first line of its last error."""
    if status == -signal.SIGXCPU:
        return f"stopped after {cpu_seconds} CPU seconds on {threads} thread(s)"
    if status == -signal.SIGKILL:
        return "killed, as when memory runs out"
    lines = [line for line in errors.splitlines() if line.strip() and not line.startswith((" ", "\t", "Traceback"))]
    return lines[-1].strip()[:300] if lines else f"ended with status {status}"


def _work(python: Path, job: Job) -> None:
    result = Path(job.result)
    result.mkdir(parents=True, exist_ok=True)
    (result / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
    _module(python, "benchmarks.peers.worker", result / "job.json", job.cpu_seconds, job.threads)


def _module(python: Path, module: str, job_file: Path, cpu_seconds: int, threads: int) -> None:
    """Run a module over a job file; what it wrote to stderr lies beside that file."""
    limit = WALL_SECONDS + WALL_SECONDS_PER_CPU_SECOND * cpu_seconds
    try:
        ended = _ended([str(python), "-m", module, str(job_file)], process_environment(threads), limit)
    except subprocess.TimeoutExpired as error:
        raise NotRunError(f"did not end within {limit} seconds") from error
    (job_file.parent / "errors.txt").write_text(ended.stderr, encoding="utf-8")
    if ended.returncode:
        raise NotRunError(reason_of(ended.returncode, ended.stderr, cpu_seconds, threads))


def _run(command: list[str]) -> None:
    ended = _ended(command)
    if ended.returncode:
        errors = [line for line in ended.stderr.splitlines() if "error" in line.lower()]
        raise NotRunError((errors or ended.stderr.splitlines() or ["installation failed"])[0].strip()[:300])


def _ended(
    command: list[str], environment: dict[str, str] | None = None, limit: int | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=ROOT, env=environment, timeout=limit, capture_output=True, encoding="utf-8", errors="replace"
    )
