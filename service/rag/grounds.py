"""A passage that an answer may rest on: its sentences, and the vectors that stand for the words of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from index.evidence import Evidence
from index.sentences import LETTER, Sentence, sentences
from index.types import Hit
from service.rag.answer import Citation

NO_MATCH = -1.0
"""Similarity to a sentence of which no vector is stored, as in pooled collections: below all that there is."""


@dataclass(frozen=True, eq=False)
class Ground:
    """A passage as it was found.

    Attributes:
        hit: the passage.
        evidence: its vectors.
    """

    hit: Hit
    evidence: Evidence

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Its sentences, counted from its start; one that holds all of it where there are none."""
        return sentences(self.hit.text) or [Sentence(0, len(self.hit.text))]

    @cached_property
    def words(self) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """The vectors of its words, sentence by sentence, ``(n, dim)``, and where each sentence's begin."""
        starts = np.array([each.start for each in self.sentences])
        shown = visible(self.evidence, self.hit.text)
        owners = np.searchsorted(starts, self.evidence.spans[shown, 0], side="right") - 1
        owners = np.maximum(owners, 0)  # what stands before the first sentence is read with it
        return self.evidence.vectors[shown], np.searchsorted(owners, np.arange(len(starts)))

    def best(self, asked: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the best similarity of each vector ``(n, dim)`` with any word of each sentence, ``(n, n_sentences)``."""
        vectors, firsts = self.words
        found = np.full((len(asked), len(self.sentences)), NO_MATCH, np.float32)
        filled = np.diff(firsts, append=len(vectors)) > 0
        if filled.any():
            # Not by BLAS: its threads would spin for milliseconds after a product of microseconds.
            similarities = np.einsum("qd,nd->qn", asked, vectors)
            found[:, filled] = np.maximum.reduceat(similarities, firsts[filled], axis=1)
        return found

    def citation(self, place: int) -> Citation:
        """Cite a sentence."""
        sentence, hit = self.sentences[place], self.hit
        first = hit.span.start
        return Citation(
            hit.document_id, hit.passage, first + sentence.start, first + sentence.end,
            hit.text[sentence.start : sentence.end],
        )  # fmt: skip


def visible(evidence: Evidence, text: str) -> NDArray[np.intp]:
    """Name the vectors that stand for a letter or digit, in reading order.

    Begin tokens, markers and full stops are alike in all texts: they would make everything look supported.
    """
    spans: Sequence[Sequence[int]] = evidence.spans.tolist()
    return np.array([i for i, (a, b) in enumerate(spans) if a >= 0 and LETTER.search(text, a, b)], np.intp)
