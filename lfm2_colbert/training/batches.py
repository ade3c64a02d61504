"""Which pairs or lists make a step: of one kind and like lengths, pairs often of like meaning, in a seed's order.

Step i is the same whoever computes it and wherever a run begins again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lfm2_colbert.backbone import Masks
from lfm2_colbert.training.corpus import Corpus
from lfm2_colbert.training.targets import Targets
from lfm2_colbert.training.teacher import MARKERS

ANCHORS = 256
"""Documents that others are gathered around, for batches whose documents are hard to tell apart."""
WINDOW = 64
"""Steps whose pairs are sorted together, by length or by anchor."""
STAGES = 10
"""Windows of each kind that a curriculum has at least."""
MULTIPLE = 8
"""Lengths are padded to a multiple, so that few shapes occur."""

LARGEST_COMPARISON = 400_000_000
"""Pairs of a query's token and a document's that a step compares at most, padding included."""

TRANSLATIONS, QUESTIONS, CLOZE = "parallel", "queries", "cloze"
"""Kinds: pairs whose texts say the same; questions that have no passage; passages whose first sentence asks."""

LISTS = 1
"""Stands beside a seed, so that the order of lists is another than that of pairs."""

Rows = NDArray[np.int32]
Places = NDArray[np.int32]
"""Of each pair among those of its kind, from easy to hard (`curriculum.py`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What makes a step: rows of `Corpus.pairs`, or of `Corpus.lists`."""

    rows: Rows
    are_lists: bool

    def n_tokens(self, corpus: Corpus) -> int:
        """Count the tokens, without padding."""
        texts = corpus.lists[self.rows] if self.are_lists else corpus.pairs[self.rows, :2]
        return int(corpus.lengths_of(texts).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What batches are made of, where they are learned from.

    Attributes:
        corpus: texts, pairs and lists.
        dense: ``(n_texts, size)``, the teacher's vectors of whole texts, in main memory.
        ids: ``(n_ids,)`` int32.
        states: ``(n_ids, size)`` int8.
        texts: ``(n_texts, size)`` float16.
        axes: ``(size, dim)`` float32.
    """

    corpus: Corpus
    dense: NDArray[np.float16]
    ids: Tensor
    states: Tensor
    texts: Tensor
    axes: Tensor

    @classmethod
    def on(cls, device: torch.device, corpus: Corpus, targets: Targets) -> "Material":
        """Put it on a device; in main memory it stays mapped."""
        ids = torch.from_numpy(corpus.ids.astype(np.int32))
        tensors = (torch.from_numpy(array) for array in (targets.states, targets.texts, targets.axes))
        return cls(corpus, targets.texts, ids.to(device), *(tensor.to(device) for tensor in tensors))


@dataclass(frozen=True, slots=True)
class Side:
    """The queries or the documents of a batch, padded on the right.

    Attributes:
        ids: ``(B, T)`` int64.
        present: ``(B, T)`` bool.
        taught: ``(B, T)`` bool: where there is a target.
        states: ``(B, T, size)`` float32: the teacher's, centred, unit norm; meaningless where nothing is taught.
        targets: ``(B, T, dim)`` float32: the same in the student's space.
        dense: ``(B, size)`` float32: the teacher's vectors of whole texts.
    """

    ids: Tensor
    present: Tensor
    taught: Tensor
    states: Tensor
    targets: Tensor
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
    are_translations: bool


@dataclass(frozen=True, slots=True)
class ListBatch:
    """Lists of a step: query i has the n documents from i·n on; `scores` ``(B, n)`` are standardised within a list."""

    queries: Side
    documents: Side
    scores: Tensor


def batches_of(
    material: Material, tokens_per_step: int, seed: int, number: int, places: Places | None = None
) -> list[Chosen]:
    """Give the batches of an epoch, of pairs and of lists; with `places`, lists stand anywhere among pairs in order."""
    corpus = material.corpus
    pairs = [Chosen(rows, False) for rows in epoch(material, tokens_per_step, seed, number, places)]
    if not len(corpus.lists):
        return pairs
    rng = np.random.default_rng([seed, number, LISTS])
    found = [*pairs, *(Chosen(rows, True) for rows in _lists(corpus, tokens_per_step, rng))]
    order = rng.permutation(len(found))
    if places is not None:
        order[order < len(pairs)] = np.arange(len(pairs))
    return [found[i] for i in order]


def made(material: Material, chosen: Chosen) -> TrainingBatch | ListBatch:
    """Put a step together."""
    return (_lists_made if chosen.are_lists else _pairs_made)(material, chosen.rows)


def epoch(material: Material, tokens_per_step: int, seed: int, number: int, places: Places | None = None) -> list[Rows]:
    """Give the batches of pairs of an epoch, each the rows in `Corpus.pairs`.

    With `places`, windows go from easy to hard, those of all kinds side by side, and their steps in any order; what is
    less than a window apart changes places from epoch to epoch, so that other pairs meet.
    """
    corpus, rng = material.corpus, np.random.default_rng([seed, number])
    found: list[Rows] = []
    begins: list[float] = []
    ends: list[float] = []
    for kind in range(len(corpus.kinds)):
        order = rng.permutation(np.flatnonzero(corpus.pairs[:, 2] == kind).astype(np.int32))
        size = _window_size(corpus.lengths_of(corpus.pairs[order, :2]).sum(axis=1), tokens_per_step)
        if places is not None:
            size = min(size, max(len(order) // STAGES, 2))
            order = order[np.argsort(places[order] + size * rng.random(len(order)))]
        for place, own in enumerate(_windows(order, size)):
            window = _sorted(material, own, rng, by_anchor=place % 2 == 1)
            cut = list(_cut(corpus.lengths_of(corpus.pairs[window, :2]), window, tokens_per_step))
            found += cut
            begins += [place * size / len(order)] * len(cut)
            ends += [(place + 1) * size / len(order)] * len(cut)
    steps = rng.permutation(len(found)) if places is None else np.argsort(rng.uniform(begins, ends))
    return [found[i] for i in steps]


def _pairs_made(material: Material, rows: Rows) -> TrainingBatch:
    pairs = material.corpus.pairs[rows]
    documents = _placed(pairs[:, 1], material.ids.device)
    is_translation = material.corpus.kinds[pairs[0, 2]] == TRANSLATIONS
    same = documents[:, None] == documents[None, :]
    return TrainingBatch(_side(material, pairs[:, 0]), _side(material, pairs[:, 1]), same, is_translation)


def _lists_made(material: Material, rows: Rows) -> ListBatch:
    lists = material.corpus.lists[rows]
    scores = _placed(material.corpus.list_scores[rows], material.ids.device)
    deviation = scores.std(1, correction=0, keepdim=True)
    standardised = torch.where(deviation > 0, (scores - scores.mean(1, keepdim=True)) / deviation, 0)
    return ListBatch(_side(material, lists[:, 0]), _side(material, lists[:, 1:].ravel()), standardised)


def _lists(corpus: Corpus, tokens_per_step: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Cut lists of like lengths where the padded batch would exceed its tokens; one list alone may."""
    queries, documents = corpus.lengths_of(corpus.lists[:, 0]), corpus.lengths_of(corpus.lists[:, 1:]).max(axis=1)
    n, order = corpus.list_scores.shape[1], rng.permutation(len(corpus.lists)).astype(np.int32)
    for own in _windows(order, _window_size((queries + n * documents)[order], tokens_per_step)):
        window = own[np.argsort(documents[own], kind="stable")]
        first = 0
        for place in range(1, len(window)):
            rows = window[first : place + 1]
            if len(rows) * int(queries[rows].max() + n * documents[rows[-1]]) > tokens_per_step:
                yield window[first:place]
                first = place
        yield window[first:]


def _window_size(n_tokens: NDArray[np.int64], tokens_per_step: int) -> int:
    """Count the rows, of `n_tokens` each, that some `WINDOW` steps hold."""
    return max(int(WINDOW * tokens_per_step / max(n_tokens.mean(), 1)), 2) if len(n_tokens) else 1


def _windows(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _sorted(material: Material, rows: Rows, rng: np.random.Generator, *, by_anchor: bool) -> Rows:
    documents = material.corpus.pairs[rows, 1]
    lengths = material.corpus.lengths_of(documents)
    if not by_anchor:
        return rows[np.argsort(lengths, kind="stable")]
    dense = material.dense[np.sort(np.unique(documents))].astype(np.float32)
    anchors = dense[rng.choice(len(dense), min(ANCHORS, len(dense)), replace=False)]
    nearest = np.argmax(material.dense[documents].astype(np.float32) @ anchors.T, axis=1)
    return rows[np.lexsort((lengths, nearest))]


def _cut(lengths: NDArray[np.int64], rows: Rows, tokens_per_step: int) -> Iterator[Rows]:
    """Cut pairs where the padded batch would hold too many tokens, or compare too many.

    A pair alone teaches no ranking: what has no other at the end is left, and two go together whatever their lengths.

    Args:
        lengths: ``(n, 2)`` of queries and documents.
        rows: ``(n,)``, in the order in which they are cut.
        tokens_per_step: padding included.
    """
    first = 0
    while len(rows) - first > 1:
        longest = np.maximum.accumulate(lengths[first:], axis=0)
        n = np.arange(1, len(longest) + 1)
        fits = (n * longest.sum(axis=1) <= tokens_per_step) & (n * n * longest.prod(axis=1) <= LARGEST_COMPARISON)
        taken = max(int(np.argmin(fits)) if not fits.all() else len(n), 2)
        yield rows[first : first + taken]
        first += taken


def _side(material: Material, texts: Rows) -> Side:
    lengths = material.corpus.lengths_of(texts)
    longest = -(-int(lengths.max()) // MULTIPLE) * MULTIPLE
    device = material.ids.device
    own, firsts, numbers = (
        _placed(x, device) for x in (lengths, material.corpus.offsets[texts], texts.astype(np.int64))
    )
    positions = torch.arange(longest, device=device)
    present = positions < own[:, None]
    places = (firsts[:, None] + positions).clamp(max=len(material.ids) - 1)  # (B, T)
    ids = torch.where(present, material.ids[places].long(), 0)
    taught = present & (positions >= MARKERS)
    states = functional.normalize(material.states[places].float(), dim=-1)  # (B, T, size)
    targets = functional.normalize(states @ material.axes, dim=-1)
    return Side(ids, present, taught, states, targets, material.texts[numbers].float())


def _placed(array: NDArray[Any], device: torch.device) -> Tensor:
    """Put an array on a device; from pinned memory a GPU takes it without stopping the program until it has done so."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
