"""What each token is to become: a teacher's state, centred, turned to its main directions, cut to the student's width.

``t = normalise(PCA(h − mean) · S^−0.35)``: axes with little variance are raised, since cosines between raw states say
mostly what all texts have in common. What is kept is ``h − mean`` itself in int8, each state scaled to its largest
value, which no cosine notices: targets are projected from it batch by batch, and the teacher's scores are of all of it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lfm2_colbert.training.archive import read_archive, write_archive
from lfm2_colbert.training.corpus import Corpus
from lfm2_colbert.training.teacher import MARKERS, Teacher, texts_of

STATES, TEXTS, PROJECTION, DONE = "states.npy", "dense.npy", "projection.npz", "done.json"
SCALE = 127
WHITENING = -0.35
SAMPLE_TEXTS = 4000
SAMPLED_OF_BATCH, BATCHES_PER_NOTE = 16, 50
TOKENS_PER_BATCH = {"cpu": 8192, "cuda": 131072}
"""By the kind of device."""

OnTexts = Callable[[int, int], None]
"""Told how many batches of texts the teacher has read, of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The teacher's part in training.

    Attributes:
        states: ``(n_ids, size)`` int8, a row for each id of the corpus, centred; those of markers are 0.
        texts: ``(n_texts, size)`` float16, unit norm: the teacher's mean over tokens.
        axes: ``(size, dim)`` float32, from states to targets but for their length.
    """

    states: NDArray[np.int8]
    texts: NDArray[np.float16]
    axes: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """From a teacher's states to targets: ``mean`` ``(size,)`` and ``axes`` ``(size, dim)``, already scaled."""

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]


def fitted(states: NDArray[np.float32], dim: int) -> Projection:
    """Find mean and main directions of ``(n, size)`` states."""
    mean = states.mean(axis=0)
    centred = states - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-variances)[:dim]
    scales = np.sqrt(np.maximum(variances[order], 1e-9)) ** WHITENING
    return Projection(mean.astype(np.float32), (directions[:, order] * scales).astype(np.float32))


def write_targets(
    folder: Path, corpus: Corpus, teacher: Teacher, dim: int, rng: np.random.Generator, on_texts: OnTexts
) -> Targets:
    """Let the teacher read all texts, unless it has; a run that was killed goes on where it was.

    Args:
        folder: for the files.
        corpus: whose texts are read.
        teacher: reads.
        dim: of targets.
        rng: of the sample that the projection is fitted on.
        on_texts: told of progress.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches = list(_batches(corpus, TOKENS_PER_BATCH[teacher.device.type]))
    projection = _projection(folder, corpus, batches, teacher, dim, rng)
    done = json.loads((folder / DONE).read_text(encoding="utf-8")) if (folder / DONE).exists() else 0
    mode = "r+" if done else "w+"
    targets = Targets(
        np.lib.format.open_memmap(folder / STATES, mode, np.int8, (int(corpus.offsets[-1]), teacher.size)),
        np.lib.format.open_memmap(folder / TEXTS, mode, np.float16, (corpus.n_texts, teacher.size)),
        projection.axes,
    )
    mean = torch.from_numpy(projection.mean).to(teacher.device)
    for number, batch in enumerate(batches[done:], start=done + 1):
        _read(batch, corpus, teacher, mean, targets)
        if number % BATCHES_PER_NOTE == 0 or number == len(batches):
            (folder / DONE).write_text(json.dumps(number), encoding="utf-8")
            on_texts(number, len(batches))
    return targets


def read_targets(folder: Path) -> Targets:
    """Map what `write_targets` wrote."""
    axes = read_archive(folder / PROJECTION)["axes"]
    # Mode c, as torch takes no array that cannot be written to.
    return Targets(np.load(folder / STATES, mmap_mode="c"), np.load(folder / TEXTS, mmap_mode="c"), axes)


def no_targets(corpus: Corpus, dim: int) -> Targets:
    """Stand for a teacher where a recipe has none; nothing may be learned from it."""
    nothing = np.zeros((int(corpus.offsets[-1]), 1), np.int8)
    return Targets(nothing, np.zeros((corpus.n_texts, 1), np.float16), np.zeros((1, dim), np.float32))


def _read(batch: NDArray[np.int64], corpus: Corpus, teacher: Teacher, mean: Tensor, targets: Targets) -> None:
    states = _states(batch, corpus, teacher)
    places = corpus.offsets[batch][:, None] + MARKERS + np.arange(states.shape[1])
    targets.states[places] = _whole(states - mean).cpu().numpy()
    targets.texts[batch] = torch.nn.functional.normalize(states.mean(1), dim=-1).cpu().numpy()


def _states(batch: NDArray[np.int64], corpus: Corpus, teacher: Teacher) -> Tensor:
    texts = texts_of(corpus.ids, corpus.offsets[batch], int(corpus.lengths_of(batch[0])))
    return teacher.states(texts, int(corpus.roles[batch[0]]))


def _whole(states: Tensor) -> Tensor:
    """Scale each state to its largest value, and round."""
    largest = states.abs().amax(-1, keepdim=True).clamp(min=1e-6)
    return (states * (SCALE / largest)).round().to(torch.int8)


def _batches(corpus: Corpus, n_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Group texts of one role and length, so that nothing is padded; texts of markers alone say nothing."""
    lengths = corpus.lengths
    order = np.lexsort((lengths, corpus.roles))
    order = order[lengths[order] > MARKERS]
    keys = np.stack([corpus.roles[order], lengths[order]])
    groups = np.split(order, np.flatnonzero((keys[:, 1:] != keys[:, :-1]).any(axis=0)) + 1) if len(order) else []
    for group in groups:
        size = max(n_tokens // int(lengths[group[0]]), 1)
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _projection(
    folder: Path,
    corpus: Corpus,
    batches: list[NDArray[np.int64]],
    teacher: Teacher,
    dim: int,
    rng: np.random.Generator,
) -> Projection:
    """Fit the projection on a sample, or read the one that was fitted."""
    path = folder / PROJECTION
    if not path.exists():
        found = Projection(np.zeros(teacher.size, np.float32), np.eye(teacher.size, dim, dtype=np.float32))
        if not teacher.is_space:
            found = fitted(_sample(corpus, batches, teacher, rng), dim)
        write_archive(path, {"mean": found.mean, "axes": found.axes})
    kept = read_archive(path)
    return Projection(kept["mean"], kept["axes"])


def _sample(
    corpus: Corpus, batches: list[NDArray[np.int64]], teacher: Teacher, rng: np.random.Generator
) -> NDArray[np.float32]:
    states: list[NDArray[np.float32]] = []
    n_texts = 0
    for place in rng.permutation(len(batches)):
        own = _states(batches[place][:SAMPLED_OF_BATCH], corpus, teacher)
        n_texts += len(own)
        states.append(own.flatten(0, 1).cpu().numpy())
        if n_texts >= SAMPLE_TEXTS:
            break
    return np.concatenate(states)
