"""Making a collection faster without changing what it holds: small segments merged, centroids trained, recall measured.

Codes are copied, never decoded and coded again. The old state serves until the new one is committed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.calibration import calibrate
from index.codebook import SAMPLES_PER_CENTROID, Codebook, directions, n_centroids_for, train
from index.codecs.base import Codec
from index.drift import similarity
from index.effort import Effort, pays_to_choose
from index.lists import write_lists
from index.merging import merge_all
from index.records import DRIFT, RECALL, TRAINED, ListsInfo
from index.search import Names, search_snapshot
from index.segment import Segment
from index.snapshot import Part, Snapshot, View, load_snapshot
from index.store import Store
from index.words import complete_words

OUTGROWN = 4
"""Centroids are trained anew when there are so many times the tokens they were trained for."""
DECODED_TOKENS = 65_536
N_RECALL_QUERIES = 25
RECALL_QUERY_TOKENS = 16
RECALL_AT = 10


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What an optimisation did.

    Attributes:
        segments_before: before it.
        segments_after: after it.
        centroids: trained; 0 where the collection is small enough to be searched whole.
        recall_at_10: of the balanced effort against exact search, if measured.
        calibrated: whether scores have a meaning now.
    """

    segments_before: int
    segments_after: int
    centroids: int
    recall_at_10: float | None
    calibrated: bool = False


OnClustered = Callable[[int, int], None]
"""Told how many tokens have found their centroid, of how many."""


def _ignore(done: int, total: int) -> None:
    """Show no progress."""


def needs_optimize(store: Store) -> bool:
    """Whether a collection that profits from centroids has a third of its tokens without, or has outgrown them.

    Asked after every addition, so it looks at the segments and not at their passages.
    """
    with store.snapshot():
        segments, listed = store.segments(), {info.segment for info in store.lists()}
        trained = store.note(TRAINED)
    total = sum(info.n_tokens for info in segments)
    clustered = sum(info.n_tokens for info in segments if info.number in listed)
    if not pays_to_choose(total):
        return False
    return trained is None or clustered < total * 2 // 3 or total >= OUTGROWN * trained["tokens"]


def optimize(store: Store, codec: Codec, seed: int = 0, on_clustered: OnClustered = _ignore) -> OptimizeReport:
    """Merge small segments and dead rows away, train centroids on what is there, and measure recall.

    Args:
        store: open for writing.
        codec: of the collection.
        seed: of sampling and training; recorded with the result.
        on_clustered: called while tokens are given their centroids, which takes most of the time.
    """
    rng = np.random.default_rng(seed)
    n_before = len(store.segments())
    merge_all(store, codec)
    complete_words(store)
    segments = store.segments()
    pays = pays_to_choose(sum(info.n_tokens for info in segments))
    codebook = train_codebook(store, codec, rng, on_clustered) if pays else None
    recall = measure_recall(store, codec, rng) if codebook else None
    calibration = calibrate(store, codec, rng)
    n_centroids = len(codebook.levels) if codebook else 0
    return OptimizeReport(n_before, len(segments), n_centroids, recall, calibration is not None)


def train_codebook(
    store: Store, codec: Codec, rng: np.random.Generator, on_clustered: OnClustered = _ignore
) -> Codebook:
    """Train centroids on a sample of the stored tokens and give every token its centroid; vectors are not touched."""
    with store.snapshot():
        snapshot = load_snapshot(store, store.segments_folder)
    n_tokens = snapshot.n_tokens
    n_centroids = n_centroids_for(n_tokens)
    sample = _sampled(snapshot.parts, codec, n_centroids * SAMPLES_PER_CENTROID / n_tokens, rng)
    clusters = train(sample, n_centroids, seed=int(rng.integers(2**31)))
    del sample
    codebook = Codebook.of(store.next_codebook_number(), clusters)
    info = codebook.write(store.segment_files)
    fit = similarity(codebook, [part.segment for part in snapshot.parts], codec, rng)
    progress = _Progress(on_clustered, n_tokens)
    lists = [_clustered(store, part.segment, codec, codebook, progress) for part in snapshot.parts]
    with store.transaction():
        store.add_codebook(info)
        store.add_lists(lists)
        store.set_note(TRAINED, {"tokens": n_tokens, "similarity": fit})
        store.forget_note(DRIFT)
    store.clean()
    return codebook


def _sampled(parts: Sequence[Part], codec: Codec, share: float, rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw tokens of all parts in any order; their directions, as a large collection's vectors are a gigabyte."""
    sizes = [part.segment.info.n_tokens for part in parts]
    drawn = [np.sort(rng.choice(size, min(size, int(size * share) + 1), replace=False)) for size in sizes]
    sample = np.empty((sum(map(len, drawn)), parts[0].segment.info.dim), np.int8)
    filled = 0
    for part, chosen in zip(parts, drawn, strict=True):
        for start in range(0, len(chosen), DECODED_TOKENS):
            block = chosen[start : start + DECODED_TOKENS]
            vectors = codec.decode({name: array[block] for name, array in part.segment.arrays.items()})
            sample[filled : filled + len(block)] = directions(vectors)
            filled += len(block)
            part.segment.release()
    rng.shuffle(sample)
    return sample


@dataclass(slots=True)
class _Progress:
    """Adds up over segments."""

    told: OnClustered
    total: int
    done: int = 0

    def add(self, n_tokens: int) -> None:
        self.done += n_tokens
        self.told(self.done, self.total)


def _clustered(store: Store, segment: Segment, codec: Codec, codebook: Codebook, progress: _Progress) -> ListsInfo:
    codes = np.empty(segment.info.n_tokens, np.uint32)
    for start in range(0, len(codes), DECODED_TOKENS):
        block = slice(start, start + DECODED_TOKENS)
        codes[block] = codebook.nearest(codec.decode({name: array[block] for name, array in segment.arrays.items()}))
        segment.release()
        progress.add(len(codes[block]))
    number, n_centroids = segment.info.number, len(codebook.levels)
    return write_lists(store.segment_files, number, codebook.number, n_centroids, codes, segment.offsets)


def measure_recall(store: Store, codec: Codec, rng: np.random.Generator) -> float:
    """Compare balanced with exact search on queries made of stored tokens, and keep the figure with the collection."""
    with store.snapshot():
        snapshot = load_snapshot(store, store.segments_folder)
        queries = list(_queries(snapshot, codec, rng))
        exact = exactly(queries, View(snapshot, codec), store.document_ids)
        found = [_balanced(query, View(snapshot, codec), store.document_ids) for query in queries]
    shares = [len(own & best) / max(len(best), 1) for own, best in zip(found, exact, strict=True)]
    recall = float(np.mean(shares))
    with store.transaction():
        store.set_note(RECALL, {"recall_at_10": recall, "effort": Effort.BALANCED, "queries": len(shares)})
    return recall


def _balanced(query: NDArray[np.float32], view: View, names: Names) -> set[str]:
    found = set(_documents(query, view, Effort.BALANCED, names))
    for part in view.snapshot.parts:
        part.release()
    return found


def exactly(queries: Sequence[NDArray[np.float32]], view: View, names: Names) -> list[set[str]]:
    """Give the ten documents that exact search finds for each query, a segment at a time: one is held, and not all."""
    best: list[dict[str, float]] = [{} for _ in queries]
    for part in view.snapshot.parts:
        alone = replace(view, snapshot=replace(view.snapshot, parts=(part,)))
        for own, query in zip(best, queries, strict=True):
            for document_id, score in _documents(query, alone, Effort.EXACT, names).items():
                own[document_id] = max(score, own.get(document_id, score))
        part.release()
    return [set(sorted(own, key=lambda each: (-own[each], each))[:RECALL_AT]) for own in best]


def _documents(query: NDArray[np.float32], view: View, effort: Effort, names: Names) -> dict[str, float]:
    """Give the best documents of a query with their MaxSim."""
    found, _ = search_snapshot(query, view, effort, RECALL_AT, names)
    return {hit.document_id: hit.raw_score for hit in found}


def _queries(snapshot: Snapshot, codec: Codec, rng: np.random.Generator) -> Iterator[NDArray[np.float32]]:
    """Stretches of tokens out of random passages, as a person quotes half-remembered words."""
    rows = [np.flatnonzero(part.live & (np.diff(part.segment.offsets) > 0)) for part in snapshot.parts]
    firsts = np.cumsum([0, *map(len, rows)])
    for choice in rng.choice(int(firsts[-1]), min(N_RECALL_QUERIES, int(firsts[-1])), replace=False):
        n = int(np.searchsorted(firsts, choice, side="right")) - 1
        part, row = snapshot.parts[n], int(rows[n][choice - firsts[n]])
        first, last = (int(x) for x in part.segment.offsets[row : row + 2])
        start = int(rng.integers(first, max(last - RECALL_QUERY_TOKENS, first) + 1))
        block = slice(start, min(start + RECALL_QUERY_TOKENS, last))
        yield codec.decode({name: array[block] for name, array in part.segment.arrays.items()})
