"""What a score means: from MaxSim to how likely such a match answers a question, measured on the collection itself.

Each encoder and collection has its own level of MaxSim that means nothing. Two kinds of questions tell it: some that
have an answer there, and some that have none; a logistic curve over MaxSim per query vector and the query's length
parts them, as if both were asked equally often (Platt, 1999).

*With an answer:* stretches of stored passages, encoded as queries. A passage that holds the very words is found more
easily than one that answers a question in other words, so in every second case the words are taken away: MaxSim over
the other vectors of the passage (as in the inverse cloze task; Lee et al., ACL 2019).

*Without:* questions about a dozen unlike matters (`index.strangers`), and nonsense of phrases from passages that have
nothing to do with each other. Each counts with the best passage that a search finds for it, since that is what a person
sees. Stretches are not scored with the passages of others: in many collections these are copies, translations, or
answers as well. So the figures hold for questions that are beside the collection; one that is near its matter without
an answer in it scores higher.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from index.codecs.base import Codec, Precision
from index.effort import Effort
from index.native.base import Rows
from index.pooling import pooled_count
from index.records import CALIBRATION
from index.search import search_snapshot
from index.snapshot import Part, View, load_snapshot
from index.store import Store
from index.strangers import questions_in
from lfm2_colbert.config import from_mapping
from lfm2_colbert.encoders.base import Encoder, Spans

LEAST_PASSAGES = 50
N_STRETCHES = 160
STRETCH_TOKENS = (6, 20)
N_NONSENSE = 120
PHRASES, PHRASE_TOKENS = 4, 3
THRESHOLD = 0.5
"""Where an answer and none are equally likely."""
LEAST_ACCURACY = 0.65
"""Of held-out questions; a curve that parts them worse says nothing, as where vectors are not this encoder's."""
RIDGE = 1e-2
NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Calibration:
    """The curve of a collection, and how well it parts questions that had no part in making it.

    Attributes:
        level: log-odds where MaxSim is 0.
        slope: log-odds for MaxSim per query vector.
        length: log-odds for the logarithm of the number of query vectors.
        threshold: of the score; where the best hit is below, "nothing relevant" is likely.
        false_positive_rate: share of questions without an answer whose best hit reaches the threshold.
        false_negative_rate: share of those with one whose own passage does not.
        questions: held out, of both kinds.
        encoder: fingerprint of the encoder.
        codec: of the collection.
        passages: in the collection at that time.
    """

    level: float
    slope: float
    length: float
    threshold: float
    false_positive_rate: float
    false_negative_rate: float
    questions: int
    encoder: str
    codec: str
    passages: int

    def score(self, maxsim: float, n_vectors: int) -> float:
        """Give the likelihood, 0..1, that a passage of this MaxSim answers a query of so many vectors."""
        odds = self.level + self.slope * maxsim / n_vectors + self.length * math.log(n_vectors)
        return 1 / (1 + math.exp(-min(max(odds, -50.0), 50.0)))


def stored_calibration(store: Store) -> Calibration | None:
    """Give the calibration that was kept, if it is of this encoder and codec."""
    note = store.note(CALIBRATION)
    if note is None:
        return None
    found = from_mapping(Calibration, note)
    fits = (found.encoder, found.codec) == (store.settings.fingerprint, store.settings.codec)
    return found if fits else None


def calibrate(store: Store, codec: Codec, encoder: Encoder, seed: int = 0) -> Calibration | None:
    """Measure what scores mean, and keep that with the collection.

    Args:
        store: open for writing.
        codec: of the collection.
        encoder: of the collection.
        seed: of sampling; even questions make the curve, odd ones are held out.

    Returns:
        None, and nothing is kept, where there are fewer than 50 passages or the curve tells nothing.
    """
    with store.snapshot():
        view = View(load_snapshot(store, store.segments_folder), codec)
        if view.snapshot.n_live_passages() < LEAST_PASSAGES:
            return None
        samples = _Sampling(store, view, encoder, np.random.default_rng(seed)).run()
    found = fitted(samples, store, view.snapshot.n_live_passages())
    if found is not None:
        with store.transaction():
            store.set_note(CALIBRATION, asdict(found))
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """A question: MaxSim per query vector of its best match, its vectors, whether that answers it, and its weight."""

    maxsim: float
    n_vectors: int
    is_answer: bool
    weight: float = 1.0


def fitted(samples: Sequence[Sample], store: Store, passages: int) -> Calibration | None:
    """Fit the curve on every second question of each kind and measure it on the others; None if it tells nothing."""
    kinds = [[each for each in samples if each.is_answer is kind] for kind in (True, False)]
    if min(map(len, kinds)) < 2:
        return None
    learned, held_out = [each for kind in kinds for each in kind[::2]], [kind[1::2] for kind in kinds]
    level, slope, length = logistic(learned)
    settings = store.settings
    found = Calibration(
        level, slope, length, THRESHOLD, 0, 0, sum(map(len, held_out)), settings.fingerprint, settings.codec, passages
    )
    missed, risen = (_share_reaching(found, kind) for kind in held_out)
    missed = 1 - missed
    if slope <= 0 or (missed + risen) / 2 > 1 - LEAST_ACCURACY:
        return None
    return from_mapping(Calibration, asdict(found) | {"false_positive_rate": risen, "false_negative_rate": missed})


def _share_reaching(calibration: Calibration, samples: Sequence[Sample]) -> float:
    total = sum(each.weight for each in samples)
    reaching = [
        each
        for each in samples
        if calibration.score(each.maxsim * each.n_vectors, each.n_vectors) >= calibration.threshold
    ]
    return sum(each.weight for each in reaching) / total


def logistic(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Fit log-odds of an answer: level, slope of MaxSim, slope of the logarithm of the length. Both kinds weigh alike.

    By Newton's method, with a small ridge on standardised slopes, so that there is one solution also where the kinds
    do not overlap.
    """
    raw = np.array([[each.maxsim, math.log(each.n_vectors)] for each in samples])
    is_answer = np.array([each.is_answer for each in samples])
    weights = np.array([each.weight for each in samples])
    for kind in (True, False):
        weights[is_answer == kind] /= weights[is_answer == kind].sum()
    mean, spread = raw.mean(axis=0), raw.std(axis=0) + 1e-6
    features = np.column_stack([np.ones(len(raw)), (raw - mean) / spread])
    slopes = _newton(features, is_answer.astype(np.float64), weights)
    maxsim, length = slopes[1:] / spread
    return float(slopes[0] - maxsim * mean[0] - length * mean[1]), float(maxsim), float(length)


def _newton(
    features: NDArray[np.float64], wanted: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    ridge = np.diag([0.0, *[RIDGE] * (features.shape[1] - 1)])
    slopes = np.zeros(features.shape[1])
    for _ in range(NEWTON_STEPS):
        found = 1 / (1 + np.exp(-np.clip(features @ slopes, -30, 30)))
        gradient = features.T @ (weights * (found - wanted)) + ridge @ slopes
        curvature = (features * (weights * found * (1 - found))[:, None]).T @ features + ridge
        slopes = slopes - np.linalg.solve(curvature + 1e-9 * np.eye(len(slopes)), gradient)
    return slopes


@dataclass(frozen=True, slots=True, eq=False)
class _Passage:
    """A stored passage, its text and where its tokens stand in that."""

    part: Part
    row: int
    text: str
    language: str
    spans: Spans

    def stretch(self, rng: np.random.Generator, n_tokens: int) -> tuple[int, int]:
        """Choose a stretch of so many tokens, or all there are: code points."""
        n_tokens = min(n_tokens, len(self.spans))
        first = int(rng.integers(0, len(self.spans) - n_tokens + 1))
        return int(self.spans[first, 0]), int(self.spans[first + n_tokens - 1, 1])


class _Sampling:
    """Asks questions of both kinds."""

    def __init__(self, store: Store, view: View, encoder: Encoder, rng: np.random.Generator) -> None:
        self._store, self._view, self._encoder, self._rng = store, view, encoder, rng

    def run(self) -> list[Sample]:
        passages = list(self._passages())
        return [*self._answered(passages), *self._unanswered(passages)] if passages else []

    def _passages(self) -> Iterator[_Passage]:
        parts = self._view.snapshot.parts
        places = [(part, row) for part in parts for row in np.flatnonzero(part.live).tolist()]
        chosen = self._rng.choice(len(places), min(2 * N_STRETCHES, len(places)), replace=False)
        for part, row in (places[int(place)] for place in chosen):
            stored = self._store.passage(int(part.documents[row]), int(part.ordinals[row]))
            if stored is not None:
                spans = self._encoder.token_spans([stored.text])[0][: self._encoder.max_document_tokens]
                if len(spans) >= STRETCH_TOKENS[0]:
                    yield _Passage(part, row, stored.text, stored.passage.language, spans)

    def _answered(self, passages: Sequence[_Passage]) -> Iterator[Sample]:
        used = passages[:N_STRETCHES]
        stretches = [each.stretch(self._rng, int(self._rng.integers(*STRETCH_TOKENS))) for each in used]
        texts = [each.text[start:end] for each, (start, end) in zip(used, stretches, strict=True)]
        vectors = self._encoder.encode_queries(texts)
        for place, (passage, stretch) in enumerate(zip(used, stretches, strict=True)):
            query = vectors[place].astype(np.float32)
            is_without = place % 4 >= 2  # halves of both among the even and the odd
            maxsim = self._without(query, passage, stretch) if is_without else self._own(query, passage)
            if maxsim is not None:
                yield Sample(maxsim / len(query), len(query), is_answer=True)

    def _own(self, query: NDArray[np.float32], passage: _Passage) -> float | None:
        codec, segment = self._view.codec, passage.part.segment
        rows = Rows(segment.offsets, np.array([passage.row], np.int64))
        found = float(codec.scores(codec.question(query), segment.arrays, rows, Precision.FULL)[0])
        return found if math.isfinite(found) else None

    def _without(self, query: NDArray[np.float32], passage: _Passage, stretch: tuple[int, int]) -> float | None:
        """MaxSim over the vectors of a passage that stand for other words than those of a stretch; None without any."""
        segment = passage.part.segment
        own = slice(*segment.offsets[passage.row : passage.row + 2])
        vectors = self._view.codec.decode({name: array[own] for name, array in segment.arrays.items()})
        spans, places = self._encoder.document_spans(passage.text), segment.places(passage.row)
        if len(vectors) != pooled_count(len(spans), self._store.settings.pool) or places.max(initial=-1) >= len(spans):
            return None
        shown = spans[places]
        others = vectors[(shown[:, 0] >= stretch[1]) | (shown[:, 1] <= stretch[0])]
        return float((query @ others.T).max(axis=1).sum()) if len(others) > STRETCH_TOKENS[0] else None

    def _unanswered(self, passages: Sequence[_Passage]) -> Iterator[Sample]:
        languages = [each.language for each in passages]
        common = {each for each in languages if languages.count(each) * 20 >= len(languages)}
        strange, nonsense = questions_in(common), [self._nonsense(passages) for _ in range(N_NONSENSE)]
        yield from self._best(strange, 1 / len(strange))
        yield from self._best(nonsense, 1 / len(nonsense))

    def _nonsense(self, passages: Sequence[_Passage]) -> str:
        chosen = [passages[int(place)] for place in self._rng.integers(len(passages), size=PHRASES)]
        return " ".join(each.text[slice(*each.stretch(self._rng, PHRASE_TOKENS))].strip() for each in chosen)

    def _best(self, texts: Sequence[str], weight: float) -> Iterator[Sample]:
        vectors = self._encoder.encode_queries(texts)
        for place in range(len(texts)):
            query = vectors[place].astype(np.float32)
            found, _ = search_snapshot(query, self._view, Effort.BALANCED, 1, self._store.document_ids)
            for hit in found:
                yield Sample(hit.raw_score / len(query), len(query), is_answer=False, weight=weight)
