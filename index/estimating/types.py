"""The words of an estimate."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from index.types import Failure, Notice
from lfm2_colbert.encoders.base import Encoder


@dataclass(frozen=True, slots=True)
class Plan:
    """What an indexing run would be asked for; None: as for a new collection, or as the existing one was built.

    Attributes:
        collection: its name; where it exists, only what changed since is priced.
        home: where collections live.
        encoder: a name for `lfm2_colbert.load_encoder`, or a loaded encoder.
        codec: how vectors are stored.
        pool: factor by which vectors are pooled.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: of the encoder.
        prefix: put before document ids.
        text_field: field of a row that holds its text.
        seed: of the sample.
    """

    collection: str = "default"
    home: str | Path | None = None
    encoder: str | Encoder | None = None
    codec: str | None = None
    pool: int | None = None
    device: str = "auto"
    threads: int | None = None
    prefix: str = ""
    text_field: str = "text"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, and of all processors together."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def times(self, factor: float) -> "Cost":
        """Scale both."""
        return Cost(self.wall_s * factor, self.cpu_s * factor)


@dataclass(slots=True)
class Stopwatch:
    """Adds up what its blocks take in this process."""

    cost: Cost = field(default_factory=Cost)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the block."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.cost += Cost(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True, slots=True)
class Found:
    """What the run would read.

    Attributes:
        files: that would be read, by format.
        unsupported: files that no reader knows.
        failed: what would give no document, unsupported files among it.
        unchanged_files: that the collection holds as they are.
        unchanged_documents: of files that changed.
        documents: that would be encoded.
        characters: code points of these.
        languages: share of these characters, by the language of each document's beginning; most first.
        read_share: of the bytes of the files that would be read; below 1, documents, characters and languages are
            estimates.
    """

    files: Mapping[str, int]
    unsupported: int
    failed: tuple[Failure, ...]
    unchanged_files: int
    unchanged_documents: int
    documents: int
    characters: int
    languages: Mapping[str, float]
    read_share: float


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the figures rest on.

    Attributes:
        passages: that were encoded.
        characters: code points of the text that they were cut from.
        passages_per_s: encoded and stored.
        seed: of the choice.
    """

    passages: int
    characters: int
    passages_per_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What the run would take; `memory_bytes` at its peak."""

    reading: Cost
    encoding: Cost
    clustering: Cost
    memory_bytes: int

    @property
    def total(self) -> Cost:
        """All of it."""
        return self.reading + self.encoding + self.clustering


@dataclass(frozen=True, slots=True)
class Loss:
    """Mean of uncompressed vectors less mean of stored ones, over the same queries, with its interval of 95 %."""

    mean: float
    low: float
    high: float

    @property
    def is_seen(self) -> bool:
        """Whether the interval leaves zero out."""
        return not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to store vectors.

    Attributes:
        codec: its name.
        pool: factor by which vectors are pooled.
        disk_bytes: of all that the run would write.
        bytes_per_vector: of what is stored for each.
        recall_at_1: share of held-out sentences that found their own passage first.
        mrr_at_10: mean of 1 / rank of their own passage, 0 behind the tenth.
        recall_loss: of `recall_at_1`, to uncompressed vectors.
        mrr_loss: of `mrr_at_10`, likewise.
    """

    codec: str
    pool: int
    disk_bytes: int
    bytes_per_vector: float
    recall_at_1: float
    mrr_at_10: float
    recall_loss: Loss
    mrr_loss: Loss


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What an indexing run would read, take and leave.

    Attributes:
        found: what it would read.
        passages: that it would encode.
        tokens: of these, as the encoder counts them.
        vectors: that the encoder gives for these; a pooled collection stores fewer.
        sampled: what the figures rest on.
        costs: what it would take.
        codec: that it would use.
        pool: likewise.
        choices: every codec that can store such vectors, with every factor.
        queries: held-out sentences that the losses rest on.
        notices: what should be known besides.
    """

    found: Found
    passages: int
    tokens: int
    vectors: int
    sampled: Sampled
    costs: Costs
    codec: str
    pool: int
    choices: tuple[Choice, ...]
    queries: int
    notices: tuple[Notice, ...]

    @property
    def chosen(self) -> Choice | None:
        """The way that the run would take."""
        return next((each for each in self.choices if (each.codec, each.pool) == (self.codec, self.pool)), None)
