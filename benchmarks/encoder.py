"""How fast is the encoder, and how exact? Each way to run it in a process of its own, against torch in fp32.

`python -m benchmarks.encoder CHECKPOINT` writes ``results/encoder.json``.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.results_file import ROOT, measured, measured_commit, write
from lfm2_colbert.encoders import ENCODERS
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.encoders.loading import BUNDLED, NANO
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.export.onnx import Precision, export_folder
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

LIBRARIES = ("torch", "onnx")
SEED = 0
TEXTS = ROOT / "examples" / "documents"
N_TEXTS = 64
THREADS = (1, 2)
WARM_UP_SECONDS = 0.5
TIMED_CALLS = {"query": 200, "document": 60}
TOKENS = {"query": 32, "document": 178}
"""Vectors of a text, begin token and marker included."""


@dataclass(frozen=True, slots=True)
class Job:
    """One way to run the encoder on one kind of text.

    Attributes:
        backend: name in `lfm2_colbert.encoders.ENCODERS`.
        precision: of the weights.
        location: folder of the model.
        kind: ``query`` or ``document``.
        threads: of a forward pass.
        texts: all of the same number of tokens.
        vectors: file of the reference vectors; the process of the reference itself writes it.
    """

    backend: str
    precision: str
    location: Path
    kind: str
    threads: int
    texts: tuple[str, ...]
    vectors: Path


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(checkpoint: Path, allow_dirty: bool) -> int:
    """Time the bundled encoder and the CHECKPOINT that it was exported from."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs(checkpoint, Path(folder)):
            rows.append(apart(job))
            click.echo("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    command = command_line("benchmarks.encoder")
    path = write(measured("encoder", rows, commit=commit, command=command, seed=SEED, libraries=LIBRARIES))
    click.echo(f"{len(rows)} rows in {path.relative_to(ROOT)}")
    return 0


def jobs(checkpoint: Path, folder: Path) -> Iterator[Job]:
    """List what to measure, the reference first: it leaves its vectors for the others in `folder`."""
    unquantised = folder / "fp32"
    export_folder(checkpoint, unquantised, f"{NANO}-fp32", Precision.FP32)
    encoder = cast(Encoder, lookup(ENCODERS, "onnx", "encoder")(str(BUNDLED), LoadOptions()))
    for kind in TOKENS:
        texts = texts_of_length(encoder, kind)
        for backend, precision, location in (
            ("torch", "fp32", checkpoint),
            ("onnx", "fp32", unquantised),
            ("onnx", "int8", BUNDLED),
        ):
            for threads in THREADS:
                yield Job(backend, precision, location, kind, threads, texts, folder / f"{kind}.npy")


def apart(job: Job) -> dict[str, Any]:
    """Measure in a fresh process, so that memory is that of this encoder alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(time_encoder, job).result()


def time_encoder(job: Job) -> dict[str, Any]:
    """Load the encoder, time it, and compare its vectors with the reference: a row of results."""
    options = LoadOptions(device="cpu", threads=job.threads)
    encoder = cast(Encoder, lookup(ENCODERS, job.backend, "encoder", extra="torch")(str(job.location), options))
    encode = encoder.encode_queries if job.kind == "query" else encoder.encode_documents
    _warm_up(encode, job.texts)
    single = [_cpu_seconds(encode, [job.texts[i % len(job.texts)]]) for i in range(TIMED_CALLS[job.kind])]
    many = [_cpu_seconds(encode, job.texts) for _ in range(3)]
    peak = _peak_rss_mb()
    vectors = encode(job.texts).vectors
    if not job.vectors.exists():
        np.save(job.vectors, vectors)
    return {
        "encoder": NANO,
        "backend": job.backend,
        "precision": job.precision,
        "kind": job.kind,
        "tokens": TOKENS[job.kind],
        "threads": job.threads,
        "cpu_ms_p50": round(1000 * float(np.median(single)), 2),
        "texts_per_cpu_s": round(len(job.texts) / float(np.median(many)), 1),
        "max_abs_error": float(f"{np.abs(vectors - np.load(job.vectors)).max():.1e}"),
        "peak_rss_mb": round(peak),
    }


def texts_of_length(encoder: Encoder, kind: str) -> tuple[str, ...]:
    """Cut `N_TEXTS` texts of exactly `TOKENS` vectors out of the example documents, languages in turn.

    Raises:
        InvalidArgumentError: the examples do not give so many.
    """
    sources = [sorted(folder.iterdir()) for folder in sorted(TEXTS.iterdir())]
    in_turn = [paths[i] for i in range(max(map(len, sources))) for paths in sources if i < len(paths)]
    texts = []
    for path in in_turn:
        text = _first_tokens(encoder, path.read_text(encoding="utf-8"), TOKENS[kind])
        encode = encoder.encode_queries if kind == "query" else encoder.encode_documents
        if len(encode([text]).vectors) == TOKENS[kind]:
            texts.append(text)
        if len(texts) == N_TEXTS:
            return tuple(texts)
    raise InvalidArgumentError(f"only {len(texts)} examples have {TOKENS[kind]} tokens", help="add longer examples")


def _first_tokens(encoder: Encoder, text: str, n_vectors: int) -> str:
    spans = encoder.token_spans([text])[0][: n_vectors - 2]  # begin token and marker come on top
    return text[: int(spans[-1, 1])]


def _warm_up(encode: Callable[[Sequence[str]], MultiVectors], texts: Sequence[str]) -> None:
    end = time.process_time() + WARM_UP_SECONDS
    encode(texts)
    while time.process_time() < end:
        encode(texts[:1])


def _cpu_seconds(encode: Callable[[Sequence[str]], MultiVectors], texts: Sequence[str]) -> float:
    before = time.process_time()  # of all threads
    encode(texts)
    return time.process_time() - before


def _peak_rss_mb() -> float:
    # Not getrusage: a process that was started by another inherits that one's peak there.
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    if peak is None:
        raise InvalidArgumentError("this system does not tell a process's peak of memory", help="measure on Linux")
    return int(peak[1]) / 1024


if __name__ == "__main__":
    run(main)
