"""The characters of several texts at once: what kind each is, where clusters and words begin and end.

A page of ten passages is looked at with some twenty array operations in place of some hundreds of pattern matches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import regex
from numpy.typing import NDArray

Bounds = NDArray[np.int64]
"""``(n, 2)``, code points ``start:end``."""


class Kind(IntFlag):
    """What a character may be."""

    VISIBLE = 1
    SPACED = 2
    PLAIN = 4
    WHITE = 8


CLASSES = {
    Kind.VISIBLE: r"[\p{L}\p{N}\p{So}]",
    # Letters of scripts that set spaces between words; in the others a token is shown as it is.
    Kind.SPACED: r"[\p{L}\p{M}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hangul}]]",
    # Of two such neighbours neither begins, joins nor ends a cluster of several.
    Kind.PLAIN: (
        r"[\x20-\x7e\u00a1-\u00ac\u00b0-\u02ff\u0391-\u03ff\u0410-\u044f\u05d0-\u05ea\u0620-\u064a\u0671-\u06d3"
        r"\u0e01-\u0e30\u0e32\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]"
    ),
}
PATTERNS = {kind: regex.compile(f"{pattern}+", regex.V1) for kind, pattern in CLASSES.items()}
GRAPHEME = regex.compile(r"\X")
BETWEEN = "\n"
"""Stands before, between and behind texts; it is of no kind that a word or a token has."""
BLOCK = 256
CODE_POINTS = 0x110000


class _Kinds:
    """Kinds of all code points, found out for a block of them when one is met first."""

    def __init__(self) -> None:
        self._kinds = np.zeros(CODE_POINTS, np.uint8)
        self._known = np.zeros(CODE_POINTS // BLOCK, np.bool_)

    def of(self, code_points: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """Give the kinds of characters, `Kind` joined by or."""
        blocks = code_points // BLOCK
        if not self._known[blocks].all():
            for block in np.unique(blocks[~self._known[blocks]]).tolist():
                self._learn(block)
        return self._kinds[code_points]

    def _learn(self, block: int) -> None:
        """Fill a block in; two threads that do so at once write the same."""
        text = "".join(map(chr, range(block * BLOCK, (block + 1) * BLOCK)))
        own = self._kinds[block * BLOCK : (block + 1) * BLOCK]
        own |= np.array([Kind.WHITE * each.isspace() for each in text], np.uint8)
        for kind, pattern in PATTERNS.items():
            for match in pattern.finditer(text):
                own[match.start() : match.end()] |= np.uint8(kind)
        self._known[block] = True


KINDS = _Kinds()


@dataclass(frozen=True, slots=True, eq=False)
class Characters:
    """Texts one behind the other; bounds count from the beginning of all of them.

    Attributes:
        texts: as they were given.
        starts: ``(n_texts,)``, where each begins; added to bounds within a text.
        kinds: ``(n,)`` uint8, of each character.
        parts: ``(n + 1,)``, whether clusters surely part before a character. Most do where both neighbours are plain.
    """

    texts: Sequence[str]
    starts: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    parts: NDArray[np.bool_]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Characters":
        """Look at texts."""
        joined = BETWEEN.join(("", *texts, ""))
        code_points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds = KINDS.of(code_points)
        lengths = np.array([len(text) for text in texts], np.int64)
        ends = np.cumsum(lengths + len(BETWEEN))
        plain = kinds & Kind.PLAIN > 0
        parts = np.zeros(len(kinds) + 1, np.bool_)
        parts[1:] = code_points == ord(BETWEEN)  # always behind a new line, so where a text begins, too
        parts[1:-1] |= plain[:-1] & plain[1:]
        parts[ends] = True
        return cls(texts, ends - lengths, kinds, parts)

    def have(self, kind: Kind, bounds: Bounds) -> NDArray[np.bool_]:
        """Say whether stretches have a character of a kind, ``(n,)``."""
        before = np.concatenate([[0], np.cumsum(self.kinds & kind > 0)])
        found: NDArray[np.bool_] = before[bounds[:, 1]] > before[bounds[:, 0]]
        return found

    def whole(self, bounds: Bounds) -> Bounds:
        """Widen stretches to clusters, and take white space off their ends; each has a character that is not white."""
        wide = bounds.copy()
        for place in np.flatnonzero(~self.parts[bounds].all(axis=1)).tolist():
            wide[place] = self._widened(*bounds[place].tolist())
        ink = np.flatnonzero(self.kinds & Kind.WHITE == 0)
        first, last = np.searchsorted(ink, wide[:, 0]), np.searchsorted(ink, wide[:, 1]) - 1
        return np.stack([ink[first], ink[last] + 1], axis=1)

    def words(self, bounds: Bounds) -> Bounds:
        """Widen stretches to whole words, where words have spaces between them; none is empty."""
        spaced = self.kinds & Kind.SPACED > 0
        gaps, (starts, ends) = np.flatnonzero(~spaced), bounds.T
        before, behind = gaps[np.searchsorted(gaps, starts) - 1] + 1, gaps[np.searchsorted(gaps, ends)]
        return np.stack([np.where(spaced[starts], before, starts), np.where(spaced[ends - 1], behind, ends)], axis=1)

    def _widened(self, start: int, end: int) -> tuple[int, int]:
        """Widen one stretch to clusters, which are counted from the nearest place that surely is between two."""
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        text, shift = self.texts[number], int(self.starts[number])
        first, last = start, end
        for cluster in GRAPHEME.finditer(text, self._parted_before(start) - shift):
            if cluster.start() + shift >= end:
                break
            if cluster.end() + shift > start:
                first, last = min(first, cluster.start() + shift), max(last, cluster.end() + shift)
        return first, last

    def _parted_before(self, place: int) -> int:
        while not self.parts[place]:
            place -= 1
        return place
