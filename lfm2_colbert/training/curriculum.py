"""From easy to hard: pairs by how low the teacher ranks their own document (curriculum learning; Bengio et al., 2009).

A pair is easy where the teacher's vectors of whole texts find the own document before all others of a fixed random
sample, and by a wide margin; hard where many others come before it.
"""

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.training.corpus import Corpus

SAMPLE = 1024
"""Documents of a kind that a pair's own is ranked among."""
ROWS = 4096
"""Pairs that are compared with the sample at once."""
SCALE = 2048
"""Vectors are rounded to whole numbers over it: of unit norm, any sum of their products stays below 2²⁴ and is exact in
float32, so that the order is the same on every machine and with any number of threads."""
SAMPLED = 2
"""Stands beside a seed, so that the sample is drawn apart from the order of pairs."""


def places(corpus: Corpus, dense: NDArray[np.float16], seed: int) -> NDArray[np.int32]:
    """Give each pair its place from easy to hard among those of its kind, ``(n_pairs,)``, from 0.

    Pairs whose own document comes first are told apart by its lead over the second; copies of it are no others.

    Args:
        corpus: whose pairs are placed.
        dense: ``(n_texts, size)``, the teacher's vectors of whole texts.
        seed: of the sample, the same in every epoch.
    """
    found = np.empty(len(corpus.pairs), np.int32)
    for kind in range(len(corpus.kinds)):
        rows = np.flatnonzero(corpus.pairs[:, 2] == kind)
        rng = np.random.default_rng([seed, SAMPLED, kind])
        documents = np.unique(corpus.pairs[rows, 1])
        sample = rng.choice(documents, min(SAMPLE, len(documents)), replace=False) if len(documents) else documents
        before, lead = _ranks(corpus.pairs[rows, :2], dense, sample)
        found[rows[np.lexsort((-lead, before))]] = np.arange(len(rows))
    return found


def _ranks(
    pairs: NDArray[np.int32], dense: NDArray[np.float16], sample: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Count the others of a sample that score above a pair's own document, and measure its lead over the best."""
    before, lead = np.empty(len(pairs), np.int64), np.empty(len(pairs), np.float32)
    others = _whole(dense[sample])
    for start in range(0, len(pairs), ROWS):
        own = pairs[start : start + ROWS]
        queries, documents = (_whole(dense[own[:, side]]) for side in (0, 1))
        reached = (queries * documents).sum(axis=1, keepdims=True)
        scores = np.where(sample == own[:, 1:], -np.inf, queries @ others.T)  # (n, sample)
        before[start : start + ROWS] = (scores > reached).sum(axis=1)
        lead[start : start + ROWS] = reached[:, 0] - scores.max(axis=1)
    return before, lead


def _whole(dense: NDArray[np.float16]) -> NDArray[np.float32]:
    return np.rint(dense.astype(np.float32) * SCALE)
