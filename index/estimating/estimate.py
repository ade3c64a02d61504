"""What indexing folders and files would take, without a write to any collection."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from index.codecs import CODECS
from index.collection import DEFAULT_CODEC, DEFAULT_ENCODER, Collection
from index.estimating.clustering import Clustering, clustering
from index.estimating.known import Known
from index.estimating.losses import Cloze, Comparison, Measured, OnChoice, compared, found_first, loss, reciprocal
from index.estimating.sampling import Reservoir, Sample, drawn
from index.estimating.survey import Survey, Surveyor
from index.estimating.trial import Trial, tried
from index.estimating.types import Choice, CostEstimate, Costs, Plan, Sampled
from index.home import is_collection, new_collection_folder
from index.indexing import CHARACTERS_PER_BATCH, PASSAGES_PER_SEGMENT
from index.intake import OnFile
from index.pooling import pooled_count, require_factor
from index.reading.base import ReadOptions
from index.store import Store
from index.types import Notice
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.registry import lookup

COPIES = 2
"""Of the vectors of a batch: as they come from the encoder, and joined."""
OFFSET_BYTES = 8
"""Of a passage, where its vectors begin."""
UNSTORABLE = "codec_unfit"


def _ignore(*progress: object) -> None:
    """Show no progress."""


def estimate(
    paths: Sequence[str | Path], plan: Plan | None = None, *, on_file: OnFile = _ignore, on_choice: OnChoice = _ignore
) -> CostEstimate:
    """Say what a run over folders and files would read, take, and leave on disk, and what each codec would lose.

    All files are read, up to a minute's worth; some 200 passages are encoded twice. Memory counts this process with
    what it had before, so a fresh one tells most.

    Args:
        paths: as for `Collection.add_files`.
        plan: what the run would be asked for; None: a new collection ``default`` of the usual choices.
        on_file: called after each file.
        on_choice: called after each way to store vectors that was tried.

    Raises:
        NotFoundError: there is nothing at a path.
        ModelMismatchError: the collection exists and was built with another encoder.
        InvalidArgumentError: it was built with another codec or pooling factor, or there is no such factor.
        UnknownNameError: there is no such encoder or codec.
    """
    plan = plan or Plan()
    with ExitStack() as opened:
        target = _Target.of(plan, opened)
        survey, sample, rng = _surveyed(paths, plan, target, on_file)
        return _Pricing(plan, target, survey, sample, rng).estimate(on_choice)


class _Target:
    """What the run would write to: an existing collection, or one that would be made."""

    def __init__(self, encoder: Encoder, codec: str, pool: int, store: Store | None) -> None:
        self.encoder, self.codec, self.pool, self.store = encoder, codec, pool, store

    @classmethod
    def of(cls, plan: Plan, opened: ExitStack) -> "_Target":
        folder = new_collection_folder(plan.home, plan.collection)
        if is_collection(folder):
            collection = opened.enter_context(
                Collection.open(
                    plan.collection, encoder=plan.encoder, codec=plan.codec, pool=plan.pool, home=plan.home,
                    device=plan.device, threads=plan.threads,
                )
            )  # fmt: skip
            store = opened.enter_context(Store.open(folder, writable=False))
            return cls(collection.encoder, collection.settings.codec, collection.settings.pool, store)
        codec, pool, encoder = plan.codec or DEFAULT_CODEC, plan.pool or 1, plan.encoder or DEFAULT_ENCODER
        lookup(CODECS, codec, "codec")
        require_factor(pool)
        if isinstance(encoder, str):
            encoder = load_encoder(encoder, device=plan.device, threads=plan.threads)
        return cls(encoder, codec, pool, None)


def _surveyed(
    paths: Sequence[str | Path], plan: Plan, target: _Target, on_file: OnFile
) -> tuple[Survey, Sample, np.random.Generator]:
    rng = np.random.default_rng(plan.seed)
    reservoir = Reservoir(target.encoder, rng)
    surveyor = Surveyor(ReadOptions(plan.text_field), plan.prefix, reservoir, rng)
    for path in map(Path, paths):
        surveyor.look_at(path, Known(target.store, path, plan.prefix), on_file)
    return surveyor.survey, drawn(reservoir, target.encoder), rng


class _Pricing:
    """From the sample to the whole."""

    def __init__(self, plan: Plan, target: _Target, survey: Survey, sample: Sample, rng: np.random.Generator) -> None:
        self._plan, self._target, self._survey, self._sample, self._rng = plan, target, survey, sample, rng
        self._found = survey.found()
        self._scale = self._found.characters / max(sample.characters, 1)

    def estimate(self, on_choice: OnChoice) -> CostEstimate:
        """Try the sample, and scale."""
        sample, target = self._sample, self._target
        cloze = Cloze.of(sample.passages)
        trial = tried(sample, target.encoder, target.codec, target.pool)
        comparison = compared(cloze, target.encoder, on_choice)
        centroids = {
            factor: clustering(self._vectors(trial, factor), comparison.vectors, self._rng)
            for factor in {each.pool for each in comparison.measured} | {target.pool}
        }
        choices = [self._choice(trial, each, comparison, centroids[each.pool]) for each in comparison.measured]
        rate = len(sample.passages) / trial.cost.wall_s if trial.cost.wall_s else 0.0
        return CostEstimate(
            found=self._found,
            passages=round(self._scale * len(sample.passages)),
            tokens=round(self._scale * sample.tokens),
            vectors=self._vectors(trial, 1),
            sampled=Sampled(len(sample.passages), sample.characters, rate, self._plan.seed),
            costs=self._costs(trial, centroids[target.pool]),
            codec=target.codec,
            pool=target.pool,
            choices=tuple(choices),
            queries=len(cloze.queries),
            notices=(*self._survey.all_notices(), *(Notice(UNSTORABLE, each) for each in comparison.refusals)),
        )

    def _vectors(self, trial: Trial, factor: int) -> int:
        """Give how many vectors the collection would store."""
        return round(self._scale * sum(pooled_count(int(length), factor) for length in trial.lengths))

    def _costs(self, trial: Trial, centroids: Clustering) -> Costs:
        """Give time and memory: what the trial took, and on top what encoding a whole segment or clustering takes."""
        per_vector = COPIES * self._target.encoder.dim * np.dtype(np.float32).itemsize
        batch = self._vectors(trial, 1) * min(1.0, CHARACTERS_PER_BATCH / max(self._found.characters, 1))
        tried = int(trial.lengths.sum())
        segment = min(batch, PASSAGES_PER_SEGMENT * tried / max(len(trial.lengths), 1))
        encoding = per_vector * max(segment - tried, 0)
        return Costs(
            self._survey.whole_cost(),
            trial.cost.times(self._scale),
            centroids.cost,
            round(trial.peak_bytes + max(encoding, centroids.memory_bytes)),
        )

    def _choice(self, trial: Trial, way: Measured, comparison: Comparison, centroids: Clustering) -> Choice:
        n_passages = self._scale * len(self._sample.passages)
        texts = self._scale * (trial.database_bytes + trial.words_bytes) + OFFSET_BYTES * n_passages
        stored = way.bytes_per_vector * self._vectors(trial, way.pool)
        first, exact_first = found_first(way.ranks), found_first(comparison.exact)
        near, exact_near = reciprocal(way.ranks), reciprocal(comparison.exact)
        return Choice(
            way.codec,
            way.pool,
            round(stored + texts + centroids.disk_bytes),
            way.bytes_per_vector,
            float(first.mean()) if len(first) else 0.0,
            float(near.mean()) if len(near) else 0.0,
            loss(exact_first, first),
            loss(exact_near, near),
        )
