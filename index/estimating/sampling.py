"""Passages of a folder, each as likely as any other, without keeping more of its text than these.

Documents are taken whole, long ones in stretches of some passages; a reservoir (Vitter 1985, algorithm R) keeps some of
these, each with the same probability. So the sample has the mix of lengths, languages and formats that the whole has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.chunking import chunk
from index.types import Anchor, Document
from lfm2_colbert.encoders.base import Encoder

PASSAGES = 200
CODE_POINTS_OF_A_TOKEN = 8
"""More than any script has on average: a passage is hardly longer than that for each token that the encoder reads."""
PASSAGES_OF_A_STRETCH = 4
"""At least."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a document as a document of its own, with enough behind it for the passage that its end would cut.

    Attributes:
        document: the part.
        own: code points of it in which passages count that begin there.
    """

    document: Document
    own: int


class Reservoir:
    """Keeps up to so many of the stretches that it is offered."""

    def __init__(self, encoder: Encoder, rng: np.random.Generator, size: int = PASSAGES) -> None:
        """Keep none yet."""
        self._margin = CODE_POINTS_OF_A_TOKEN * encoder.max_document_tokens
        self._rng, self._size = rng, size
        self._kept: list[Stretch] = []
        self._offered = 0

    def offer(self, document: Document) -> None:
        """Consider all stretches of a document."""
        for start in range(0, len(document.text), PASSAGES_OF_A_STRETCH * self._margin):
            self._offered += 1
            if len(self._kept) < self._size:
                self._kept.append(_stretch(document, start, self._margin))
                continue
            place = int(self._rng.integers(self._offered))
            if place < self._size:
                self._kept[place] = _stretch(document, start, self._margin)

    def shuffled(self) -> Iterator[Stretch]:
        """Give what was kept, in random order."""
        return (self._kept[place] for place in self._rng.permutation(len(self._kept)))


@dataclass(frozen=True, slots=True)
class Sample:
    """Passages of the stretches that were drawn.

    Attributes:
        documents: stretches, up to where their last passage ends.
        passages: the text of each.
        tokens: of the passages, as the encoder counts them.
        characters: code points that the passages stand for.
    """

    documents: Sequence[Document]
    passages: Sequence[str]
    tokens: int
    characters: int


def drawn(reservoir: Reservoir, encoder: Encoder, n_passages: int = PASSAGES) -> Sample:
    """Cut stretches into passages until there are enough of these.

    Those that begin in a stretch are taken to their end: were the last one left out, long ones would be missed more
    often than short ones.
    """
    documents: list[Document] = []
    passages: list[str] = []
    tokens = characters = 0
    for stretch in reservoir.shuffled():
        if len(passages) >= n_passages:
            break
        text = stretch.document.text
        cut = chunk(text, encoder)
        own = [passage for passage in cut if passage.start < stretch.own]
        following = cut[len(own) :]
        characters += following[0].start if following else len(text)
        if own:
            documents.append(_named(stretch.document, text[: own[-1].end] if following else text, len(documents)))
        passages += [text[passage.start : passage.end] for passage in own]
        tokens += sum(passage.tokens for passage in own)
    return Sample(documents, passages, tokens, characters)


def _stretch(document: Document, start: int, margin: int) -> Stretch:
    own = min(PASSAGES_OF_A_STRETCH * margin, len(document.text) - start)
    end = start + own + margin
    anchors = tuple(Anchor(max(each.start - start, 0), each.place) for each in _within(document.anchors, start, end))
    part = Document(document.id, document.text[start:end], document.metadata, anchors)
    return Stretch(part, own)


def _within(anchors: Sequence[Anchor], start: int, end: int) -> list[Anchor]:
    """Give the anchors from the one that reaches into a stretch."""
    begun = [each for each in anchors if each.start <= start]
    return begun[-1:] + [each for each in anchors if start < each.start < end]


def _named(document: Document, text: str, number: int) -> Document:
    anchors = tuple(each for each in document.anchors if each.start < len(text))
    return replace(document, id=str(number), text=text, anchors=anchors)
