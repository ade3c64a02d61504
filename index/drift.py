"""Do the centroids still fit? New texts may speak of what nothing was trained on.

The measure is the cosine between tokens and their nearest centroids, mean over a sample: noted when centroids are
trained, and measured again when much has come since. Where it has fallen, centroid lists promise less than they did.
"""

from dataclasses import asdict, dataclass

import numpy as np

from index.codebook import Codebook
from index.codecs.base import Codec
from index.records import DRIFT, TRAINED
from index.segment import Segment
from index.snapshot import load_codebook
from index.store import Store
from index.types import Notice

SAMPLED_TOKENS = 2000
CHECKED_AGAIN = 0.05
"""Growth since the last look from which another is taken."""
FALLEN = 0.03
"""So much lower a mean cosine says that centroids should be trained anew."""

DRIFTED = Notice(
    "centroids_drifted", "new texts are unlike those that centroids were trained on: `optimize` would find more of them"
)


@dataclass(frozen=True, slots=True)
class Drift:
    """Mean cosine to the nearest centroid when these were trained and now, and of how many tokens `now` is."""

    trained: float
    now: float
    tokens: int

    @property
    def has_drifted(self) -> bool:
        """Whether `optimize` should train centroids anew."""
        return self.trained - self.now > FALLEN


def similarity(codebook: Codebook, segments: list[Segment], codec: Codec, rng: np.random.Generator) -> float:
    """Give the mean cosine of a sample of all tokens with their nearest centroids."""
    sizes = np.array([segment.info.n_tokens for segment in segments])
    chosen = np.sort(rng.choice(sizes.sum(), min(SAMPLED_TOKENS, int(sizes.sum())), replace=False))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    cosines = []
    for segment, first, last in zip(segments, starts, starts[1:], strict=False):
        own = chosen[(chosen >= first) & (chosen < last)] - first
        if len(own):
            vectors = codec.decode({name: array[own] for name, array in segment.arrays.items()})
            cosines.append(codebook.cosines(vectors))
            segment.release()
    return float(np.concatenate(cosines).mean())


def look(store: Store, codec: Codec) -> Drift | None:
    """Measure drift where the collection has grown enough since the last look, and keep the figure; else None."""
    trained, last = store.note(TRAINED), store.note(DRIFT)
    n_tokens = sum(info.n_tokens for info in store.segments())
    if not trained or "similarity" not in trained:
        return None
    seen = last["tokens"] if last else trained["tokens"]
    if n_tokens < (1 + CHECKED_AGAIN) * seen:
        return None
    folder = store.segments_folder
    codebook = load_codebook(store, folder)
    if codebook is None:
        return None
    segments = [Segment.open(folder, info) for info in store.segments()]
    now = similarity(codebook, segments, codec, np.random.default_rng(n_tokens))
    drift = Drift(trained["similarity"], now, n_tokens)
    with store.transaction():
        store.set_note(DRIFT, asdict(drift))
    return drift


def drift_notices(store: Store, codec: Codec) -> list[Notice]:
    """Say that centroids should be trained anew, where a look finds that."""
    drift = look(store, codec)
    return [DRIFTED] if drift and drift.has_drifted else []
