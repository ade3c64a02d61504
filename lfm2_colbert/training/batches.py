"""Which pairs or lists make a step: of one kind and like lengths, pairs often of like meaning, in a seed's order.

Step i is the same whoever computes it and wherever a run begins again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lfm2_colbert.backbone import Masks
from lfm2_colbert.training.corpus import Corpus
from lfm2_colbert.training.lists import standardised
from lfm2_colbert.training.targets import SCALE, Targets
from lfm2_colbert.training.teacher import MARKERS

ANCHORS = 256
"""Documents that others are gathered around, for batches whose documents are hard to tell apart."""
WINDOW = 2048
"""Pairs that are sorted together, by length or by anchor."""
MULTIPLE = 8
"""Lengths are padded to a multiple, so that few shapes occur."""

LISTS = 1
"""Stands beside a seed, so that the order of lists is another than that of pairs."""

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What makes a step: rows of `Corpus.pairs`, or of `Corpus.lists`."""

    rows: Rows
    are_lists: bool

    def n_tokens(self, corpus: Corpus) -> int:
        """Count the tokens, without padding."""
        texts = corpus.lists[self.rows] if self.are_lists else corpus.pairs[self.rows, :2]
        return int(corpus.lengths[texts].sum())


@dataclass(frozen=True, slots=True)
class Side:
    """The queries or the documents of a batch, padded on the right.

    Attributes:
        ids: ``(B, T)`` int64.
        present: ``(B, T)`` bool.
        targets: ``(B, T, dim)`` float32, unit norm, 0 where there is none.
        taught: ``(B, T)`` bool: where there is a target.
        dense: ``(B, size)`` float32: the teacher's vectors of whole texts.
    """

    ids: Tensor
    present: Tensor
    targets: Tensor
    taught: Tensor
    dense: Tensor

    @property
    def masks(self) -> Masks:
        """What the backbone reads."""
        return Masks(self.present, self.present)


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """Pairs of a step: row i of both sides is a pair; `same` is ``(B, B)`` bool, where documents are equal."""

    queries: Side
    documents: Side
    same: Tensor

    @property
    def n_tokens(self) -> int:
        """Count the tokens, without padding."""
        return int(self.queries.present.sum() + self.documents.present.sum())


@dataclass(frozen=True, slots=True)
class ListBatch:
    """Lists of a step: query i has the n documents from i·n on; `scores` ``(B, n)`` are standardised within a list."""

    queries: Side
    documents: Side
    scores: Tensor

    @property
    def n_tokens(self) -> int:
        """Count the tokens, without padding."""
        return int(self.queries.present.sum() + self.documents.present.sum())


def batches_of(corpus: Corpus, targets: Targets, tokens_per_step: int, seed: int, number: int) -> list[Chosen]:
    """Give the batches of an epoch, of pairs and of lists."""
    pairs = [Chosen(rows, False) for rows in epoch(corpus, targets, tokens_per_step, seed, number)]
    if not len(corpus.lists):
        return pairs
    rng = np.random.default_rng([seed, number, LISTS])
    found = [*pairs, *(Chosen(rows, True) for rows in _lists(corpus, tokens_per_step, rng))]
    return [found[i] for i in rng.permutation(len(found))]


def made(corpus: Corpus, targets: Targets, chosen: Chosen) -> TrainingBatch | ListBatch:
    """Put a step together."""
    make = make_list_batch if chosen.are_lists else make_batch
    return make(corpus, targets, chosen.rows)


def epoch(corpus: Corpus, targets: Targets, tokens_per_step: int, seed: int, number: int) -> list[Rows]:
    """Give the batches of pairs of an epoch, each the rows in `Corpus.pairs`."""
    rng = np.random.default_rng([seed, number])
    found: list[Rows] = []
    for kind in range(len(corpus.kinds)):
        rows = np.flatnonzero(corpus.pairs[:, 2] == kind).astype(np.int32)
        order = rng.permutation(rows)
        for place, start in enumerate(range(0, len(order), WINDOW)):
            window = _sorted(corpus, targets, order[start : start + WINDOW], rng, by_anchor=place % 2 == 1)
            found += list(_cut(corpus, window, tokens_per_step))
    return [found[i] for i in rng.permutation(len(found))]


def make_batch(corpus: Corpus, targets: Targets, rows: Rows) -> TrainingBatch:
    """Put the pairs of a step together."""
    queries, documents = corpus.pairs[rows, 0], corpus.pairs[rows, 1]
    same = torch.from_numpy(documents[:, None] == documents[None, :])
    return TrainingBatch(_side(corpus, targets, queries), _side(corpus, targets, documents), same)


def make_list_batch(corpus: Corpus, targets: Targets, rows: Rows) -> ListBatch:
    """Put the lists of a step together."""
    queries, documents = corpus.lists[rows, 0], corpus.lists[rows, 1:].ravel()
    scores = np.stack([standardised(own) for own in corpus.list_scores[rows]])
    return ListBatch(_side(corpus, targets, queries), _side(corpus, targets, documents), torch.from_numpy(scores))


def _lists(corpus: Corpus, tokens_per_step: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Cut lists of like lengths where the padded batch would exceed its tokens; one list alone may."""
    queries, documents = corpus.lengths[corpus.lists[:, 0]], corpus.lengths[corpus.lists[:, 1:]].max(axis=1)
    n, order = corpus.list_scores.shape[1], rng.permutation(len(corpus.lists)).astype(np.int32)
    for start in range(0, len(order), WINDOW):
        window = order[start : start + WINDOW]
        window = window[np.argsort(documents[window], kind="stable")]
        first = 0
        for place in range(1, len(window)):
            rows = window[first : place + 1]
            if len(rows) * int(queries[rows].max() + n * documents[rows[-1]]) > tokens_per_step:
                yield window[first:place]
                first = place
        yield window[first:]


def _sorted(corpus: Corpus, targets: Targets, rows: Rows, rng: np.random.Generator, *, by_anchor: bool) -> Rows:
    documents = corpus.pairs[rows, 1]
    lengths = corpus.lengths[documents]
    if not by_anchor:
        return rows[np.argsort(lengths, kind="stable")]
    dense = targets.texts[np.sort(np.unique(documents))].astype(np.float32)
    anchors = dense[rng.choice(len(dense), min(ANCHORS, len(dense)), replace=False)]
    nearest = np.argmax(targets.texts[documents].astype(np.float32) @ anchors.T, axis=1)
    return rows[np.lexsort((lengths, nearest))]


def _cut(corpus: Corpus, rows: Rows, tokens_per_step: int) -> Iterator[Rows]:
    """Cut sorted pairs where the padded batch would exceed its tokens; a pair alone teaches no ranking and is left."""
    lengths = corpus.lengths
    first, longest = 0, [0, 0]
    for place, row in enumerate(rows.tolist()):
        grown = [max(longest[side], int(lengths[corpus.pairs[row, side]])) for side in (0, 1)]
        if (place + 1 - first) * sum(grown) > tokens_per_step and place - first > 1:
            yield rows[first:place]
            first, grown = place, [int(lengths[corpus.pairs[row, side]]) for side in (0, 1)]
        longest = grown
    if len(rows) - first > 1:
        yield rows[first:]


def _side(corpus: Corpus, targets: Targets, texts: NDArray[np.int32]) -> Side:
    lengths = corpus.lengths[texts]
    longest = -(-int(lengths.max()) // MULTIPLE) * MULTIPLE
    shape = (len(texts), longest)
    ids, taught = np.zeros(shape, np.int64), np.zeros(shape, bool)
    wanted = np.zeros((*shape, targets.tokens.shape[1]), np.float32)
    for row, (text, length) in enumerate(zip(texts.tolist(), lengths.tolist(), strict=True)):
        first = corpus.offsets[text]
        ids[row, :length] = corpus.ids[first : first + length]
        wanted[row, :length] = targets.tokens[first : first + length] / np.float32(SCALE)
        taught[row, MARKERS:length] = True
    present = torch.from_numpy(np.arange(longest) < lengths[:, None])
    norms = np.maximum(np.linalg.norm(wanted, axis=2, keepdims=True), 1e-6)
    return Side(
        torch.from_numpy(ids),
        present,
        torch.from_numpy(wanted / norms),
        torch.from_numpy(taught),
        torch.from_numpy(targets.texts[texts].astype(np.float32)),
    )
