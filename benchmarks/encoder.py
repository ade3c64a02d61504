"""How fast is the encoder, and how exact? Each way to run it in a process of its own, against torch in fp32.

`python -m benchmarks.encoder` writes ``results/encoder.json``: the bundled encoder, whose weights of 8 bits are what
torch multiplies with, too; and drawn weights in the shape of LFM2-ColBERT-350M, whose times are those of trained ones,
against torch over what they were before they were rounded. These are drawn twice: as transformers begins a model, and
with a gain of 1 in each product, so that what rounding changes in a layer grows in all that follow. Two other shapes
stand beside them (`encoders_beside.py`). Rows that were measured on other processors are kept.
"""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.encoder_timing import TIMED_CALLS, cpu_seconds, peak_rss_mb, warm_up
from benchmarks.encoders_beside import SHAPES, time_beside
from benchmarks.results_file import ROOT, measured, measured_commit, processor, rows_of_others, write
from lfm2_colbert.encoders import ENCODERS
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.encoders.loading import BUNDLED, NANO
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.export.onnx import Precision, export_folder
from lfm2_colbert.registry import lookup

LIBRARIES = ("torch", "onnx", "openvino")
SEED = 0
TEXTS = ROOT / "examples" / "documents"
N_TEXTS = 16
THREADS = (1, 2)
DRAWN_GAIN_1, DRAWN = "350M, drawn", "350M, drawn by transformers"
CONV, ATTENTION = "conv", "full_attention"
LAYERS_OF_350M = tuple(ATTENTION if i in (2, 5, 8, 10, 12, 14) else CONV for i in range(16))
ROWS_OF_350M = 64_402
TOKENS = {"query": 32, "document": 178}
"""Vectors of a text, begin token and marker included."""


@dataclass(frozen=True, slots=True)
class Job:
    """One way to run an encoder on one kind of text.

    Attributes:
        encoder: its name.
        backend: name in `lfm2_colbert.encoders.ENCODERS`.
        precision: of the weights.
        location: folder of the model.
        kind: ``query`` or ``document``.
        threads: of a forward pass.
        texts: all of the same number of tokens.
        vectors: file of the reference vectors; the process of the reference itself writes it.
    """

    encoder: str
    backend: str
    precision: str
    location: Path
    kind: str
    threads: int
    texts: tuple[str, ...]
    vectors: Path


@dataclass(frozen=True, slots=True)
class Measured:
    """An encoder, and the ways to run it: backend, precision of the weights, folder; the reference first."""

    name: str
    ways: tuple[tuple[str, str, Path], ...]


@click.command()
@click.option("--large/--no-large", "with_large", default=True, help="Measure the 350M, too: takes minutes more.")
@allow_dirty
def main(with_large: bool, allow_dirty: bool) -> int:
    """Time the bundled encoder, then one of 350 million weights."""
    commit = measured_commit(allow_dirty=allow_dirty)
    cpu = processor()
    kept, rows = rows_of_others("encoder", cpu), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as folder:
        for encoder in (bundled, *((large_of_gain_1, large) if with_large else ())):
            for job in jobs(encoder(Path(folder)), Path(folder)):
                rows.append(apart(time_encoder, job))
                click.echo("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    rows += [
        apart(time_beside, name, kind, n, threads)
        for name in SHAPES
        for kind, n in TOKENS.items()
        for threads in THREADS
    ]
    rows = [row | {"cpu": cpu, "commit": commit} for row in rows]
    command = command_line("benchmarks.encoder")
    path = write(measured("encoder", kept + rows, commit=commit, command=command, seed=SEED, libraries=LIBRARIES))
    click.echo(f"{len(rows)} rows in {path.relative_to(ROOT)}")
    return 0


def bundled(_: Path) -> Measured:
    """Name the ways to run the bundled encoder."""
    return Measured(NANO, tuple((backend, "int8", BUNDLED) for backend in ("torch", "onnx", "openvino")))


def large(folder: Path) -> Measured:
    """Draw 350M weights as transformers begins a model: each with a standard deviation of .02."""
    return drawn_350m(DRAWN, lambda _: 0.02, folder)


def large_of_gain_1(folder: Path) -> Measured:
    """Draw 350M weights by the number of what is summed, so that states keep their size."""
    return drawn_350m(DRAWN_GAIN_1, lambda n_columns: n_columns**-0.5, folder)


def drawn_350m(name: str, spread: Callable[[int], float], folder: Path) -> Measured:
    """Draw weights in the shape of LFM2-ColBERT-350M over the bundled vocabulary, and export them in 8 bits.

    Args:
        name: the encoder's.
        spread: standard deviation of a matrix of so many columns.
        folder: for what is drawn and exported.
    """
    # Here, as what trains loads torch, which every measured process would else hold.
    from lfm2_colbert.training.checkpoints import read_start, write_folder
    from lfm2_colbert.training.recipe import ShapeConfig
    from lfm2_colbert.training.start import drawn

    shape = ShapeConfig(
        hidden_size=1024, feed_forward_size=4608, layer_types=LAYERS_OF_350M, n_heads=16, n_kv_heads=8, head_dim=64
    )
    nano = read_start("nano", None, np.random.default_rng(SEED))
    wide = replace(nano.config.backbone, vocab_size=ROWS_OF_350M, rope_theta=1e6)
    start = drawn(replace(nano.config, backbone=wide), nano.tokenizer, shape, np.random.default_rng(SEED))
    rng = np.random.default_rng(SEED)
    tensors = {
        key: value
        if "norm" in key
        else rng.standard_normal(value.shape, np.float32) * np.float32(spread(value.shape[-1]))
        for key, value in start.tensors.items()
    }
    checkpoint, int8, unquantised = (folder / f"{name}{part}" for part in ("", "-int8", "-fp32"))
    write_folder(start, tensors, checkpoint)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        peak = process.submit(exported, checkpoint, int8).result()
    click.echo(f"exporting {name} takes {peak:.0f} MB at most")
    export_folder(checkpoint, unquantised, unquantised.name, Precision.FP32)
    ways = (("torch", checkpoint), ("onnx", unquantised))
    return Measured(
        name,
        (
            *((backend, "fp32", location) for backend, location in ways),
            *((backend, "int8", int8) for backend in ("onnx", "openvino")),
        ),
    )


def exported(checkpoint: Path, destination: Path) -> float:
    """Export to int8; give the peak of memory, in MB."""
    export_folder(checkpoint, destination, destination.name, Precision.INT8)
    return peak_rss_mb()


def jobs(encoder: Measured, folder: Path) -> Iterator[Job]:
    """List what to measure, the reference first: it leaves its vectors for the others in `folder`."""
    counting = cast(Encoder, lookup(ENCODERS, "onnx", "encoder")(str(BUNDLED), LoadOptions()))
    for kind in TOKENS:
        texts = texts_of_length(counting, kind)
        for backend, precision, location in encoder.ways:
            for threads in THREADS:
                vectors = folder / f"{encoder.name}-{kind}.npy"
                yield Job(encoder.name, backend, precision, location, kind, threads, texts, vectors)


def apart(measure: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """Measure in a fresh process, so that memory is that of this encoder alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def time_encoder(job: Job) -> dict[str, Any]:
    """Load the encoder, time it, and compare its vectors with the reference: a row of results."""
    options = LoadOptions(device="cpu", threads=job.threads)
    encoder = cast(
        Encoder, lookup(ENCODERS, job.backend, "encoder", extra="train,openvino")(str(job.location), options)
    )
    encode = encoder.encode_queries if job.kind == "query" else encoder.encode_documents
    warm_up(encode, job.texts)
    single = [cpu_seconds(encode, [job.texts[i % len(job.texts)]]) for i in range(TIMED_CALLS[job.kind])]
    many = [cpu_seconds(encode, job.texts) for _ in range(3)]
    peak = peak_rss_mb()
    vectors = encode(job.texts).vectors
    if not job.vectors.exists():
        np.save(job.vectors, vectors)
    return {
        "encoder": job.encoder,
        "backend": job.backend,
        "precision": job.precision,
        "kind": job.kind,
        "tokens": TOKENS[job.kind],
        "threads": job.threads,
        "cpu_ms_p50": round(1000 * float(np.median(single)), 2),
        "texts_per_cpu_s": round(len(job.texts) / float(np.median(many)), 1),
        "max_abs_error": float(f"{np.abs(vectors - np.load(job.vectors)).max():.1e}"),
        "min_cosine": round(float((vectors * np.load(job.vectors)).sum(axis=1).min()), 4),
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


if __name__ == "__main__":
    run(main)
