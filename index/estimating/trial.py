"""A sample through the very run that indexes, into a collection that is thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from index.collection import Collection
from index.estimating.sampling import Sample
from index.estimating.types import Cost, Stopwatch
from index.home import STORE_FILE
from lfm2_colbert.encoders.base import Encoder

NAME = "trial"
WARMING_PASSAGES = 8


@dataclass(frozen=True, slots=True)
class Trial:
    """What the sample took.

    Attributes:
        cost: of storing, cutting, encoding and publishing it.
        lengths: ``(n_passages,)``, vectors that the encoder gives for each.
        database_bytes: that it added.
        words_bytes: of its postings.
        peak_bytes: of this process so far.
    """

    cost: Cost
    lengths: NDArray[np.int64]
    database_bytes: int
    words_bytes: int
    peak_bytes: int


def tried(sample: Sample, encoder: Encoder, codec: str, pool: int) -> Trial:
    """Index the sample once, with a warm encoder."""
    encoder.encode_documents(sample.passages[:WARMING_PASSAGES])
    watch = Stopwatch()
    with TemporaryDirectory(prefix="lfm2-colbert-trial-") as home:
        folder = Path(home) / NAME
        with Collection.open(NAME, create=True, encoder=encoder, codec=codec, pool=pool, home=home) as collection:
            empty = (folder / STORE_FILE).stat().st_size
            with watch.running():
                collection.add(sample.documents)
        database = (folder / STORE_FILE).stat().st_size - empty
        words = sum(file.stat().st_size for file in folder.rglob("*.words"))
    return Trial(watch.cost, _lengths(sample.passages, encoder), database, words, peak_bytes())


def peak_bytes() -> int:
    """Give the most memory that this process has had in use, as Linux counts it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _lengths(passages: Sequence[str], encoder: Encoder) -> NDArray[np.int64]:
    return np.array([len(encoder.document_spans(text)) for text in passages], np.int64)
