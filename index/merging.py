"""Many small segments become few large ones, and dead rows go. Codes are copied, never decoded and coded again.

Segments of about the same size are merged when there are eight of them, so a token is copied once for each factor of
eight that its collection grows (size-tiered, as log-structured stores do).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.arrays import Pieces
from index.codebook import Codebook
from index.codecs.base import Codec
from index.lexical.postings import merged as merged_words
from index.lexical.postings import write_words
from index.lists import write_lists
from index.native.base import Rows
from index.records import ListsInfo, SegmentInfo, WordsInfo
from index.segment import common, write_encoded
from index.snapshot import Part, View, load_parts
from index.store import Store

FAN_IN = 8
"""Segments of a tier that are merged, and how many times larger those of the next tier are."""
SMALLEST_TIER_TOKENS = 4096
MERGED_TOKENS = 4_000_000
"""Segments are merged up to about this size."""
COPIED_PASSAGES = 1024
"""Held at once while their tokens are copied."""
WASTEFUL = 0.2
"""Share of dead rows from which a segment is written again without them."""


@dataclass(frozen=True, slots=True)
class Sized:
    """A segment and how many of its rows are dead."""

    info: SegmentInfo
    n_dead: int

    @property
    def n_live_tokens(self) -> int:
        """Tokens of live rows, about."""
        return self.info.n_tokens * (self.info.n_passages - self.n_dead) // max(self.info.n_passages, 1)

    @property
    def is_wasteful(self) -> bool:
        """Whether it is worth writing again by itself."""
        return self.n_dead > WASTEFUL * self.info.n_passages

    @property
    def tier(self) -> int:
        """Power of `FAN_IN` that its size has reached."""
        return int(np.log(max(self.n_live_tokens / SMALLEST_TIER_TOKENS, 1)) / np.log(FAN_IN))


def merge_tiers(store: Store, codec: Codec) -> int:
    """Merge what has become many or wasteful, if anything has; count the segments that went."""
    groups = list(_due(_sized(store)))
    return _merge(store, codec, groups) if groups else 0


def merge_all(store: Store, codec: Codec) -> int:
    """Merge all segments into as few as their greatest size allows; count the segments that went."""
    groups = [group for group in _neighbours(_sized(store)) if len(group) > 1 or group[0].is_wasteful]
    return _merge(store, codec, groups) if groups else 0


def _sized(store: Store) -> list[Sized]:
    with store.snapshot():
        dead = store.dead_rows()
        return [Sized(info, dead.get(info.number, 0)) for info in store.segments()]


def _due(segments: Sequence[Sized]) -> Iterator[list[Sized]]:
    """Whole tiers of eight or more, and by themselves the wasteful ones among the others."""
    tiers: dict[int, list[Sized]] = {}
    for each in segments:
        tiers.setdefault(each.tier, []).append(each)
    for tier in tiers.values():
        if len(tier) >= FAN_IN:
            yield from (group for group in _neighbours(tier) if len(group) > 1)
        else:
            yield from ([each] for each in tier if each.is_wasteful)


def _neighbours(segments: Sequence[Sized]) -> Iterator[list[Sized]]:
    """Segments in their order that together stay within the size of a merged one."""
    group: list[Sized] = []
    size = 0
    for each in segments:
        if group and size + each.n_live_tokens > MERGED_TOKENS:
            yield group
            group, size = [], 0
        group.append(each)
        size += each.n_live_tokens
    if group:
        yield group


@dataclass(slots=True)
class _Merged:
    """What a merge publishes: segments, what lies beside them, and where rows went: new segment, old one, its rows."""

    segments: list[SegmentInfo]
    lists: list[ListsInfo]
    words: list[WordsInfo]
    moved: list[tuple[int, Sequence[tuple[int, NDArray[np.int64]]]]]

    def moves(self) -> Iterator[tuple[int, int, int, int]]:
        """Give for each row the new segment and row, and the old ones; one by one, as they are as many as passages."""
        for number, origins in self.moved:
            new = 0
            for segment, rows in origins:
                for row in rows.tolist():
                    yield number, new, segment, row
                    new += 1


def _merge(store: Store, codec: Codec, groups: Sequence[Sequence[Sized]]) -> int:
    old = [each.info for group in groups for each in group]
    with store.snapshot():
        snapshot = load_parts(store, store.segments_folder, {info.number for info in old})
    parts = {part.segment.info.number: part for part in snapshot.parts}
    merged = _Merged([], [], [], [])
    for group in groups:
        _write(store, View(snapshot, codec), [parts[each.info.number] for each in group], merged)
    with store.transaction():
        store.replace_segments([info.number for info in old], merged.segments, merged.moves())
        store.add_lists(merged.lists)
        store.add_words(merged.words)
    store.clean()
    return len(old)


def _write(store: Store, view: View, group: Sequence[Part], merged: _Merged) -> None:
    """Write the live rows of a group as one segment, and their centroids as its lists."""
    rows = [np.flatnonzero(part.live) for part in group]
    if not any(map(len, rows)):
        return
    number, first = store.next_segment_number(), group[0].segment
    offsets = _offsets(np.diff(part.segment.offsets)[own] for part, own in zip(group, rows, strict=True))
    arrays = _gathered(group, rows, int(offsets[-1]))
    info = write_encoded(store.segment_files, number, first.info.codec, first.info.dim, arrays, offsets)
    merged.segments.append(info)
    merged.lists += _lists(store, view, group, rows, number)
    merged.words += _words(store, group, rows, number)
    merged.moved.append((number, [(part.segment.info.number, own) for part, own in zip(group, rows, strict=True)]))
    for part in group:
        part.release()


def _gathered(group: Sequence[Part], rows: Sequence[NDArray[np.int64]], n_tokens: int) -> Mapping[str, Pieces]:
    """Take the tokens of live rows, one part after the other; they are read when they are written.

    What not all parts have goes: it is found again from the texts.
    """

    def array(name: str) -> Pieces:
        example = group[0].segment.token_arrays[name]
        return Pieces(example.dtype, (n_tokens, *example.shape[1:]), lambda: _stretches(name, group, rows))

    return {name: array(name) for name in common(part.segment for part in group)}


def _stretches(name: str, group: Sequence[Part], rows: Sequence[NDArray[np.int64]]) -> Iterator[NDArray[Any]]:
    """Give an array of the tokens of live rows, some thousand passages at a time."""
    for part, own in zip(group, rows, strict=True):
        array = part.segment.token_arrays[name]
        for start in range(0, len(own), COPIED_PASSAGES):
            yield array[Rows(part.segment.offsets, own[start : start + COPIED_PASSAGES]).tokens()]
        part.segment.release()


def _lists(
    store: Store, view: View, group: Sequence[Part], rows: Sequence[NDArray[np.int64]], number: int
) -> list[ListsInfo]:
    """Write the merged lists, if there is a codebook; a passage's centroids do not change by moving."""
    codebook = view.snapshot.codebook
    if codebook is None:
        return []
    found = [_centroids(part, own, view.codec, codebook) for part, own in zip(group, rows, strict=True)]
    codes, offsets = np.concatenate([each.codes for each in found]), _offsets(each.lengths for each in found)
    return [write_lists(store.segment_files, number, codebook.number, len(codebook.levels), codes, offsets)]


@dataclass(frozen=True, slots=True, eq=False)
class _Centroids:
    """Of rows: ``codes``, uint32, row after row, ``lengths[i]`` of them for row ``i``."""

    codes: NDArray[np.uint32]
    lengths: NDArray[np.int64]


def _centroids(part: Part, rows: NDArray[np.int64], codec: Codec, codebook: Codebook) -> _Centroids:
    """Take the centroids of rows from the part's lists; a part that was too small for lists gets them now."""
    if part.lists:
        tokens = Rows(part.lists.offsets, rows).tokens()
        return _Centroids(part.lists.codes[tokens].astype(np.uint32), np.diff(part.lists.offsets)[rows])
    tokens = Rows(part.segment.offsets, rows).tokens()
    vectors = codec.decode({name: array[tokens] for name, array in part.segment.arrays.items()})
    return _Centroids(codebook.nearest(vectors), np.diff(part.segment.offsets)[rows])


def _words(store: Store, group: Sequence[Part], rows: Sequence[NDArray[np.int64]], number: int) -> list[WordsInfo]:
    """Write the merged words, if all of the group have some; `optimize` makes those of others from text."""
    words = [part.words for part in group if part.words]
    if len(words) < len(group):
        return []
    return [write_words(store.segment_files, number, merged_words(list(zip(words, rows, strict=True))))]


def _offsets(lengths: Iterator[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(np.concatenate(list(lengths)))]).astype(np.int64)
