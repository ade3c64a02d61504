"""Passages of a folder, each as likely as any other, without keeping more of its text than these.

Documents are parted into stretches of a few passages; a reservoir (Vitter 1985, algorithm R) keeps some of these, each
with the same probability. So the sample has the mix of lengths, languages and formats that the whole has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.chunking import chunk
from index.types import Anchor, Document
from lfm2_colbert.encoders.base import Encoder

PASSAGES = 200
CODE_POINTS_OF_A_TOKEN = 8
"""Of a stretch for each token that the encoder reads: more than any script has on average."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a document as a document of its own; `is_last`: the document ends with it."""

    document: Document
    is_last: bool


class Reservoir:
    """Keeps up to so many of the stretches that it is offered."""

    def __init__(self, encoder: Encoder, rng: np.random.Generator, size: int = PASSAGES) -> None:
        """Keep none yet."""
        self._length = CODE_POINTS_OF_A_TOKEN * encoder.max_document_tokens
        self._rng, self._size = rng, size
        self._kept: list[Stretch] = []
        self._offered = 0

    def offer(self, document: Document) -> None:
        """Consider all stretches of a document."""
        for start in range(0, len(document.text), self._length):
            self._offered += 1
            if len(self._kept) < self._size:
                self._kept.append(_stretch(document, start, self._length))
                continue
            place = int(self._rng.integers(self._offered))
            if place < self._size:
                self._kept[place] = _stretch(document, start, self._length)

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

    Where a stretch ends and its document does not, the last passage is cut short, so it is left out with its text.
    """
    documents: list[Document] = []
    passages: list[str] = []
    tokens = characters = 0
    for stretch in reservoir.shuffled():
        if len(passages) >= n_passages:
            break
        text = stretch.document.text
        cut = chunk(text, encoder)
        is_short = len(cut) > 1 and not stretch.is_last
        characters += cut.pop().start if is_short else len(text)
        documents.append(_named(stretch.document, text[: cut[-1].end] if is_short else text, len(documents)))
        passages += [text[passage.start : passage.end] for passage in cut]
        tokens += sum(passage.tokens for passage in cut)
    return Sample(documents, passages, tokens, characters)


def _stretch(document: Document, start: int, length: int) -> Stretch:
    end = start + length
    anchors = tuple(Anchor(max(each.start - start, 0), each.place) for each in _within(document.anchors, start, end))
    part = Document(document.id, document.text[start:end], document.metadata, anchors)
    return Stretch(part, end >= len(document.text))


def _within(anchors: Sequence[Anchor], start: int, end: int) -> list[Anchor]:
    """Give the anchors from the one that reaches into a stretch."""
    begun = [each for each in anchors if each.start <= start]
    return begun[-1:] + [each for each in anchors if start < each.start < end]


def _named(document: Document, text: str, number: int) -> Document:
    anchors = tuple(each for each in document.anchors if each.start < len(text))
    return replace(document, id=str(number), text=text, anchors=anchors)
