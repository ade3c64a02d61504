"""What each token is to become: a teacher's state, centred, turned to its main directions, cut to the student's width.

``t = normalise(PCA(h − mean) · S^−0.35)``: axes with little variance are raised, since cosines between raw states say
mostly what all texts have in common. Targets lie in one mapped file of int8, 127 times their value.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.training.corpus import Corpus
from lfm2_colbert.training.teacher import MARKERS, Teacher

TOKENS, TEXTS, PROJECTION, DONE = "targets.npy", "dense.npy", "projection.npz", "done.json"
SCALE = 127
WHITENING = -0.35
SAMPLE_TEXTS = 4000
TOKENS_PER_BATCH = 8192
SAMPLED_OF_BATCH, BATCHES_PER_NOTE = 16, 50

OnTexts = Callable[[int, int], None]
"""Told how many texts the teacher has read, of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The teacher's part in training.

    Attributes:
        tokens: ``(n_ids, dim)`` int8, a row for each id of the corpus; those of markers are 0.
        texts: ``(n_texts, size)`` float16, unit norm: the teacher's mean over tokens.
    """

    tokens: NDArray[np.int8]
    texts: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """From a teacher's states to targets: ``mean`` ``(size,)`` and ``axes`` ``(size, dim)``, already scaled."""

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def targets(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project ``(n, size)`` states to unit vectors ``(n, dim)``."""
        found = (states - self.mean) @ self.axes
        unit: NDArray[np.float32] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
        return unit


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
    batches = list(_batches(corpus))
    projection = _projection(folder, corpus, batches, teacher, dim, rng)
    done = json.loads((folder / DONE).read_text(encoding="utf-8")) if (folder / DONE).exists() else 0
    mode = "r+" if done else "w+"
    targets = Targets(
        np.lib.format.open_memmap(folder / TOKENS, mode, np.int8, (int(corpus.offsets[-1]), dim)),
        np.lib.format.open_memmap(folder / TEXTS, mode, np.float16, (corpus.n_texts, teacher.size)),
    )
    for number, batch in enumerate(batches[done:], start=done + 1):
        _read(batch, corpus, teacher, projection, targets)
        if number % BATCHES_PER_NOTE == 0 or number == len(batches):
            (folder / DONE).write_text(json.dumps(number), encoding="utf-8")
            on_texts(number, len(batches))
    return targets


def _read(batch: list[int], corpus: Corpus, teacher: Teacher, projection: Projection, targets: Targets) -> None:
    found = teacher.states([corpus.text(text) for text in batch], int(corpus.roles[batch[0]]))
    for text, states in zip(batch, found, strict=True):
        first = corpus.offsets[text] + MARKERS
        targets.tokens[first : first + len(states)] = np.rint(projection.targets(states) * SCALE).astype(np.int8)
        dense = states.mean(axis=0)
        targets.texts[text] = dense / max(float(np.linalg.norm(dense)), 1e-6)


def no_targets(corpus: Corpus, dim: int) -> Targets:
    """Stand for a teacher where a recipe has none; nothing may be learned from it."""
    return Targets(np.zeros((int(corpus.offsets[-1]), dim), np.int8), np.zeros((corpus.n_texts, 1), np.float16))


def read_targets(folder: Path) -> Targets:
    """Map what `write_targets` wrote."""
    return Targets(np.load(folder / TOKENS, mmap_mode="r"), np.load(folder / TEXTS, mmap_mode="r"))


def _batches(corpus: Corpus) -> Iterator[list[int]]:
    """Group texts of one role and length, so that nothing is padded."""
    lengths, roles = corpus.lengths, corpus.roles
    batch: list[int] = []
    for text in np.lexsort((lengths, roles)).tolist():
        same = batch and (roles[text], lengths[text]) == (roles[batch[0]], lengths[batch[0]])
        if batch and (not same or (len(batch) + 1) * lengths[text] > TOKENS_PER_BATCH):
            yield batch
            batch = []
        if lengths[text] > MARKERS:
            batch.append(text)
    if batch:
        yield batch


def _projection(
    folder: Path, corpus: Corpus, batches: list[list[int]], teacher: Teacher, dim: int, rng: np.random.Generator
) -> Projection:
    """Fit the projection on a sample, or read the one that was fitted."""
    path = folder / PROJECTION
    if teacher.is_space:
        return Projection(np.zeros(dim, np.float32), np.eye(dim, dtype=np.float32))
    if not path.exists():
        states: list[NDArray[np.float32]] = []
        for place in rng.permutation(len(batches)):
            batch = batches[place][:SAMPLED_OF_BATCH]
            states += teacher.states([corpus.text(text) for text in batch], int(corpus.roles[batch[0]]))
            if len(states) >= SAMPLE_TEXTS:
                break
        found = fitted(np.concatenate(states), dim)
        np.savez(path, mean=found.mean, axes=found.axes)
    with np.load(path) as kept:
        return Projection(kept["mean"], kept["axes"])
