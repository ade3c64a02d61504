"""How true are stored codes to the vectors, and what do rotation and centring do for them? Every codec there is.

`python -m benchmarks.codecs SETS` writes ``results/codecs.json``: all reported queries against passages drawn from the
set, each scored by its codes and by exact MaxSim. Where a codec turns vectors, several turns are drawn and the means of
their figures kept; `recall_at_10_spread` is the largest less the smallest, so that differences below it mean nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine import PASSAGES
from benchmarks.engine_measures import best_passages, digest, exact_scores, recall, recall_among
from benchmarks.engine_vectors import EngineSet, engine_set
from benchmarks.results_file import ROOT, measured, measured_commit, write
from index.codecs import CODECS
from index.codecs.base import Codec, Precision
from index.codecs.frame import SAMPLE_TOKENS, Frame
from index.native.base import Rows
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

SEED = 0
N_PASSAGES = 6000
N_TURNS = 3
CANDIDATES = (16, 32)
PROBE_PASSAGES = 8
BLOCK_TOKENS = 65_536
NONE = "none"

CodecOf = Callable[[Frame], Codec]
Arrays = dict[str, NDArray[Any]]


class OrthogonalFrame(Frame):
    """A frame whose rotation is a random orthogonal matrix at every width."""

    __slots__ = ()

    def rotation(self) -> NDArray[np.float32]:
        """Give a matrix ``(dim, dim)`` that is uniform among the orthogonal ones (Mezzadri 2007)."""
        dim = len(self.mean)
        orthogonal, upper = np.linalg.qr(np.random.default_rng(self.seed).standard_normal((dim, dim)))
        return np.asarray(orthogonal * np.sign(np.diag(upper)), np.float32)

    def rotate(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn ``(n, dim)`` vectors."""
        return np.asarray(np.einsum("nd,ed->ne", vectors, self.rotation()), np.float32)

    def turn_back(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo it."""
        return np.asarray(np.einsum("ne,ed->nd", vectors, self.rotation()), np.float32)


ROTATIONS: Mapping[str, type[Frame]] = {"hadamard": Frame, "orthogonal": OrthogonalFrame}


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is coded, and what is to be found.

    Attributes:
        passages: those drawn, float32.
        queries: float32.
        exact: ``(n_queries, n_passages)`` exact MaxSim.
        means: what may be taken off before coding, by name, each ``(dim,)`` float32.
    """

    passages: MultiVectors
    queries: MultiVectors
    exact: NDArray[np.float32]
    means: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """A codec in one kind of frame; `turns` holds it once for each rotation drawn."""

    rotation: str
    centring: str
    turns: Sequence[Codec]


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, allow_dirty: bool) -> None:
    """Measure on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    data = engine_set(sets, ROOT / "data", seed=SEED)
    name = digest(ROOT / "data" / "engine", PASSAGES)
    material = drawn(data, exact_scores(data.queries, data.passages, data.queries_folder, name))
    rows = []
    for name in CODECS:
        for row in rows_of(name, lookup(CODECS, name, "codec"), material):
            rows.append(row)
            click.echo(row)
    click.echo(
        write(measured("codecs", rows, commit=commit, command=command_line("benchmarks.codecs"), seed=SEED), ROOT)
    )


def drawn(data: EngineSet, exact: NDArray[np.float32]) -> Material:
    """Draw the passages, and the tokens whose mean is taken off, from all languages alike."""
    rng = np.random.default_rng(SEED)
    passages = data.passages
    chosen = np.sort(rng.choice(len(passages), min(N_PASSAGES, len(passages)), replace=False))
    taken = passages.take(chosen)
    sample = rng.choice(len(passages.vectors), min(SAMPLE_TOKENS, len(passages.vectors)), replace=False)
    means = {
        "mean": Frame.measured(passages.vectors[np.sort(sample)].astype(np.float32)).mean,
        NONE: np.zeros(passages.dim, np.float32),
    }
    return Material(
        MultiVectors(taken.vectors.astype(np.float32), taken.offsets), data.queries, exact[:, chosen], means
    )


def rows_of(name: str, codec_of: CodecOf, material: Material) -> Iterator[dict[str, Any]]:
    """Measure a codec in every frame that makes a difference to it, at each precision."""
    # Centred, since a kernel reads the means of vectors that are not centred too, though they are all zero.
    centred = codec_of(Frame(material.means["mean"]))
    for variant in variants(codec_of, material):
        coded = [encoded(codec, material.passages.vectors) for codec in variant.turns]
        for precision in Precision:
            figures = [
                fidelity(scores_of(codec, arrays, material, precision), material)
                for codec, arrays in zip(variant.turns, coded, strict=True)
            ]
            yield {
                "codec": name,
                "rotation": variant.rotation,
                "centring": variant.centring,
                "precision": str(precision),
                "passages": len(material.passages),
                "tokens": len(material.passages.vectors),
                "queries": len(material.queries),
                "rotations": len(figures),
                **over_turns(figures),
                "memory_bytes_per_token": touched_bytes(centred, material, precision),
                "disk_bytes_per_token": sum(a.nbytes for a in coded[0].values()) / len(material.passages.vectors),
            }


def variants(codec_of: CodecOf, material: Material) -> Iterator[Variant]:
    """Make a codec in each rotation and centring, leaving out those that its codes do not depend on."""
    probe, mean = _probe(material.passages).vectors, material.means["mean"]
    usual = codec_of(Frame(mean))
    rotates = differ(usual, codec_of(OrthogonalFrame(mean)), probe)
    centres = differ(usual, codec_of(Frame(material.means[NONE])), probe)
    for rotation in ROTATIONS if rotates else (NONE,):
        for centring in material.means if centres else (NONE,):
            frame, taken_off = ROTATIONS.get(rotation, Frame), material.means[centring]
            turns = [codec_of(frame(taken_off, seed)) for seed in range(N_TURNS if rotates else 1)]
            yield Variant(rotation, centring, turns)


def differ(codec: Codec, other: Codec, vectors: NDArray[np.float32]) -> bool:
    """Whether two codecs give other codes for ``(n, dim)`` vectors."""
    codes, others = codec.encode(vectors), other.encode(vectors)
    return any(not np.array_equal(array, others[name]) for name, array in codes.items())


def encoded(codec: Codec, vectors: NDArray[Any]) -> Arrays:
    """Code ``(n, dim)`` vectors, a block at a time."""
    blocks = [codec.encode(vectors[start : start + BLOCK_TOKENS]) for start in range(0, len(vectors), BLOCK_TOKENS)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def scores_of(codec: Codec, arrays: Arrays, material: Material, precision: Precision) -> NDArray[np.float32]:
    """Score all passages by their codes, ``(n_queries, n_passages)``."""
    rows = Rows(material.passages.offsets, np.arange(len(material.passages)))
    return np.stack([codec.scores(codec.question(query), arrays, rows, precision) for query in _each(material.queries)])


def fidelity(scores: NDArray[np.float32], material: Material) -> dict[str, float]:
    """Compare scores with the exact ones.

    `score_error_sd` is the standard deviation of a score's error, for each token of the query, among the passages of a
    query, mean over queries: what all passages have in common changes no ranking.
    """
    best, exact = best_passages(scores, 100), material.exact
    errors = (scores - exact) / material.queries.lengths[:, None]  # (n_queries, n_passages)
    return {
        "recall_at_10": recall(best, exact, 10),
        "recall_at_100": recall(best, exact, min(100, exact.shape[1])),
        **{f"recall_at_10_in_{m}": recall_among(best[:, :m], exact, 10) for m in CANDIDATES},
        "score_error_sd": float(errors.std(axis=1).mean()),
    }


def over_turns(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Give the mean of each figure, and how far apart the largest and the smallest recall@10 are."""
    means = {name: round(float(np.mean([each[name] for each in figures])), 5) for name in figures[0]}
    recalls = [each["recall_at_10"] for each in figures]
    return means | {"recall_at_10_spread": round(max(recalls) - min(recalls), 5)}


def touched_bytes(codec: Codec, material: Material, precision: Precision) -> float:
    """Count the bytes a token of the arrays that scores depend on: those that change a score when their rows do."""
    probe, question = _probe(material.passages), codec.question(next(_each(material.queries)))
    rows, arrays = Rows(probe.offsets, np.arange(len(probe))), codec.encode(probe.vectors)
    expected = codec.scores(question, arrays, rows, precision)
    touched = [
        array
        for name, array in arrays.items()
        if not np.array_equal(codec.scores(question, arrays | {name: array[::-1].copy()}, rows, precision), expected)
    ]
    return sum(array.nbytes for array in touched) / len(probe.vectors)


def _probe(passages: MultiVectors) -> MultiVectors:
    """Give a few passages."""
    offsets = passages.offsets[: PROBE_PASSAGES + 1]
    return MultiVectors(passages.vectors[: offsets[-1]], offsets)


def _each(queries: MultiVectors) -> Iterator[NDArray[np.float32]]:
    return (np.asarray(query, np.float32) for query in queries)


if __name__ == "__main__":
    run(main)
