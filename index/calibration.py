"""What a score means: from MaxSim to how likely a passage belongs to a question, measured on the collection itself.

Each encoder and collection has its own level of MaxSim that means nothing. Stored vectors tell it, without an encoder:
a stretch of a passage is asked as a query, of the rest of that passage, whose words are others (inverse cloze; Lee et
al., ACL 2019), and of random other passages, of which the best counts, since that is what a person sees. A logistic
curve over MaxSim per query vector parts both, as if both were equally frequent (Platt, 1999). Every second query makes
the curve; the others are held out, and tell how often it errs.

Stored vectors are those of documents: an encoder that treats queries otherwise gives questions another level than these
have, so the figures hold for texts like those of the collection. They do not hold across languages, where what answers
has the MaxSim of what means nothing within a language (`SURE`): whoever shows scores asks for the languages first.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from index.codecs.base import Codec, Precision
from index.native.base import Rows
from index.records import CALIBRATION
from index.snapshot import Part, Snapshot, load_snapshot
from index.store import Store
from index.types import Notice
from lfm2_colbert.config import from_mapping

NOTHING_RELEVANT = "nothing_relevant"
LEAST_PASSAGES = 50
N_QUERIES = 200
N_OTHERS = 200
STRETCH_TOKENS = (6, 20)
LEAST_REST = 6
"""Vectors of a passage beside the stretch; shorter passages are not asked for."""
THRESHOLD = 0.03
"""Far below where belonging and not belonging are equally likely, since questions reach less than the stored vectors
that the curve is made of. Of 200 questions of XQuAD (en, de) with an answer, some 5 of 100 have their best hit below
(at 0.5 it was 45 of 100); of 160 questions of other sets 62 to 99 of 100. Chosen on these very questions."""
SURE = 0.5
"""Scores from here on are believed whatever the languages. Of 150 questions of XQuAD in Arabic, English, Spanish or
Chinese over German passages, 66 to 99 of 100 would else be told that nothing is relevant."""
LEAST_ACCURACY = 0.65
"""Of held-out queries; a curve that parts them worse says nothing."""
RIDGE = 1e-3
NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Calibration:
    """The curve of a collection, and how well it parts queries that had no part in making it.

    Attributes:
        level: log-odds where MaxSim is 0.
        slope: log-odds for MaxSim per query vector.
        threshold: of the score; where the best hit is below, "nothing relevant" is likely.
        false_positive_rate: share of queries whose own passage is below the threshold: "nothing relevant" would be
            said wrongly.
        false_negative_rate: share of queries for which the best of random passages is not below it.
        queries: held out.
        encoder: fingerprint of the encoder.
        codec: of the collection.
    """

    level: float
    slope: float
    threshold: float
    false_positive_rate: float
    false_negative_rate: float
    queries: int
    encoder: str
    codec: str

    def score(self, maxsim: float, n_vectors: int) -> float:
        """Give the likelihood, 0..1, that a passage of this MaxSim belongs to a query of so many vectors."""
        odds = self.level + self.slope * maxsim / n_vectors
        return 1 / (1 + math.exp(-min(max(odds, -50.0), 50.0)))

    def nothing_relevant(self, best: float) -> Notice:
        """Say that the best score is so low that probably nothing answers."""
        message = (
            f"nothing relevant is likely: the best score is {best:.2f}, below {self.threshold:.2f}; measured on "
            f"{self.queries} texts of this collection, that is wrong for {self.false_positive_rate:.0%} of those that "
            "have something relevant"
        )
        return Notice(NOTHING_RELEVANT, message)


def stored_calibration(store: Store) -> Calibration | None:
    """Give the calibration that was kept, if it is of this encoder and codec."""
    note = store.note(CALIBRATION)
    if note is None:
        return None
    found = from_mapping(Calibration, note)
    fits = (found.encoder, found.codec) == (store.settings.fingerprint, store.settings.codec)
    return found if fits else None


def calibrate(store: Store, codec: Codec, rng: np.random.Generator) -> Calibration | None:
    """Measure what scores mean, and keep that with the collection.

    Args:
        store: open for writing.
        codec: of the collection.
        rng: of sampling.

    Returns:
        None, and nothing is kept, where there are fewer than 50 passages or the curve tells nothing.
    """
    with store.snapshot():
        snapshot = load_snapshot(store, store.segments_folder)
    pairs = list(_pairs(snapshot, codec, rng)) if snapshot.n_live_passages() >= LEAST_PASSAGES else []
    found = fitted(np.array(pairs).reshape(-1, 2), store)
    with store.transaction():
        if found is None:
            store.forget_note(CALIBRATION)
        else:
            store.set_note(CALIBRATION, asdict(found))
    return found


def fitted(pairs: NDArray[np.float64], store: Store) -> Calibration | None:
    """Fit the curve on every second query and measure it on the others; None if it tells nothing.

    Args:
        pairs: ``(n, 2)``, MaxSim per query vector of the own passage and of the best other one.
        store: whose encoder and codec it is of.
    """
    learned, held_out = pairs[::2], pairs[1::2]
    if len(held_out) < 2:
        return None
    level, slope = logistic(learned[:, 0], learned[:, 1])
    own, other = level + slope * held_out.T
    if slope <= 0 or (np.mean(own < 0) + np.mean(other >= 0)) / 2 > 1 - LEAST_ACCURACY:
        return None
    edge, settings = math.log(THRESHOLD / (1 - THRESHOLD)), store.settings
    missed, reached = float(np.mean(own < edge)), float(np.mean(other >= edge))
    return Calibration(
        level, slope, THRESHOLD, missed, reached, len(held_out), settings.fingerprint, settings.codec
    )  # fmt: skip


def logistic(belonging: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Fit log-odds of belonging: level and slope. Both kinds weigh alike.

    By Newton's method, with a small ridge on the standardised slope, so that there is one solution also where the kinds
    do not overlap.
    """
    raw = np.concatenate([belonging, other])
    is_belonging = np.repeat([1.0, 0.0], [len(belonging), len(other)])
    mean, spread = raw.mean(), raw.std() + 1e-6
    features = np.column_stack([np.ones(len(raw)), (raw - mean) / spread])
    ridge, slopes = np.diag([1e-9, RIDGE]), np.zeros(2)
    for _ in range(NEWTON_STEPS):
        found = 1 / (1 + np.exp(-np.clip(features @ slopes, -30, 30)))
        gradient = features.T @ (found - is_belonging) / len(raw) + ridge @ slopes
        curvature = (features * (found * (1 - found))[:, None]).T @ features / len(raw) + ridge
        slopes = slopes - np.linalg.solve(curvature, gradient)
    slope = slopes[1] / spread
    return float(slopes[0] - slope * mean), float(slope)


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A passage: where its vectors lie."""

    part: Part
    row: int

    @property
    def document(self) -> int:
        return int(self.part.documents[self.row])

    def vectors(self, codec: Codec) -> NDArray[np.float32]:
        own = slice(*self.part.segment.offsets[self.row : self.row + 2])
        return codec.decode({name: array[own] for name, array in self.part.segment.arrays.items()})


def _pairs(snapshot: Snapshot, codec: Codec, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Ask stretches of passages; give MaxSim per vector of the rest of the passage, and of the best of others."""
    least = STRETCH_TOKENS[0] + LEAST_REST
    rows = [np.flatnonzero(part.live & (np.diff(part.segment.offsets) >= least)) for part in snapshot.parts]
    firsts = np.cumsum([0, *map(len, rows)])

    def place(number: int) -> _Place:
        n = int(np.searchsorted(firsts, number, side="right")) - 1
        return _Place(snapshot.parts[n], int(rows[n][number - firsts[n]]))

    others = [place(number) for number in rng.permutation(int(firsts[-1]))[:N_OTHERS]]
    for choice in rng.permutation(int(firsts[-1]))[:N_QUERIES]:
        asked = place(choice)
        vectors = asked.vectors(codec)
        n_tokens = min(int(rng.integers(*STRETCH_TOKENS)), len(vectors) - LEAST_REST)
        first = int(rng.integers(0, len(vectors) - n_tokens + 1))
        query, rest = vectors[first : first + n_tokens], np.delete(vectors, slice(first, first + n_tokens), axis=0)
        best = _best([other for other in others if other.document != asked.document], query, codec)
        if best is not None:
            yield float((query @ rest.T).max(axis=1).mean()), best / n_tokens


def _best(places: Sequence[_Place], query: NDArray[np.float32], codec: Codec) -> float | None:
    """Give the best MaxSim of some passages; None without any."""
    question, found = codec.question(query), []
    for part in {id(place.part): place.part for place in places}.values():
        rows = np.array([place.row for place in places if place.part is part], np.int64)
        scores = codec.scores(question, part.segment.arrays, Rows(part.segment.offsets, rows), Precision.FULL)
        found.append(float(scores.max()))
    return max(found, default=None)
