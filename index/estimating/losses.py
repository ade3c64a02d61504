"""What each way to store vectors loses on the texts at hand: sentences have to find where they were taken from.

A sentence is asked among passages of which its own no longer holds it (the inverse cloze task; Lee et al., ACL 2019):
that has to be found by what stands around the sentence. The same queries are asked of uncompressed vectors, and ranks
are compared query by query.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.codecs import CODECS
from index.codecs.base import Codec, Precision
from index.codecs.frame import Frame
from index.estimating.types import Loss
from index.native.base import Rows
from index.pooling import FACTORS, Pooled, pool
from index.scoring import passage_scores
from index.sentences import Sentence, sentences
from index.spans import BYTES as SPAN_BYTES
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

LEAST_CODE_POINTS = 12
"""Of a sentence that is asked; shorter ones are headings, dates and names."""
MOST_SHARE = 0.6
"""Of a passage that its sentence may be, so that something is left to be found by."""
DEEPEST = 10
NORMAL_95 = 1.96

OnChoice = Callable[[int, int], None]
"""Told how many ways to store vectors have been tried, of how many."""


@dataclass(frozen=True, slots=True)
class Cloze:
    """Passages, those that have a sentence to ask without it.

    Attributes:
        passages: as they are searched.
        queries: the sentences that were taken out.
        owners: the place of each query's passage.
    """

    passages: list[str]
    queries: list[str]
    owners: list[int]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Cloze":
        """Take a sentence near the middle out of each text that has one."""
        cloze = cls([], [], [])
        for place, text in enumerate(texts):
            sentence = held_out(text)
            if sentence is None:
                cloze.passages.append(text)
                continue
            cloze.passages.append(f"{text[: sentence.start].rstrip()} {text[sentence.end :].lstrip()}".strip())
            cloze.queries.append(text[sentence.start : sentence.end])
            cloze.owners.append(place)
        return cloze


def held_out(text: str) -> Sentence | None:
    """Choose the sentence nearest to the middle that is long enough and leaves enough; None where there is none.

    Example:
        >>> text = "有給休暇は二十日あります。病気のときは上司に電話で連絡してください。年末は休みです。"
        >>> found = held_out(text)
        >>> text[found.start : found.end]
        '病気のときは上司に電話で連絡してください。'
    """
    fitting = [each for each in sentences(text) if LEAST_CODE_POINTS <= each.end - each.start <= MOST_SHARE * len(text)]
    return min(fitting, key=lambda each: abs(each.start + each.end - len(text)), default=None)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A way to store vectors, and the rank of each query's own passage, ``(n_queries,)``, from 1."""

    codec: str
    pool: int
    bytes_per_vector: float
    ranks: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All ways that can store these vectors, beside the vectors themselves.

    Attributes:
        vectors: of the passages, uncompressed.
        exact: ranks by these.
        measured: by codecs and factors.
        refusals: why a codec cannot store such vectors.
    """

    vectors: MultiVectors
    exact: NDArray[np.int64]
    measured: list[Measured]
    refusals: list[str]


def compared(cloze: Cloze, encoder: Encoder, on_choice: OnChoice) -> Comparison:
    """Ask the queries of every codec with every factor."""
    vectors = encoder.encode_documents(cloze.passages)
    queries = [np.asarray(query, np.float32) for query in encoder.encode_queries(cloze.queries)]
    frame = Frame.measured(vectors.vectors) if encoder.mean is None else Frame(encoder.mean)
    measured, refusals, total = [], [], len(CODECS) * len(FACTORS)
    pooled = {factor: pool(vectors, factor) for factor in FACTORS}
    for place, (codec, factor) in enumerate(((codec, factor) for codec in CODECS for factor in FACTORS), start=1):
        try:
            made: Codec = lookup(CODECS, codec, "codec")(frame)
        except InvalidArgumentError as error:
            refusals.append(error.message)
        else:
            measured.append(_measured(made, factor, pooled[factor], queries, cloze.owners))
        on_choice(place, total)
    exact = _ranks((passage_scores(query, vectors.vectors, vectors.lengths) for query in queries), cloze.owners)
    return Comparison(vectors, exact, measured, list(dict.fromkeys(refusals)))


def _measured(
    codec: Codec, factor: int, pooled: Pooled, queries: Sequence[NDArray[np.float32]], owners: Sequence[int]
) -> Measured:
    vectors = pooled.vectors
    arrays = codec.encode(vectors.vectors.astype(np.float32, copy=False))
    rows = Rows(vectors.offsets, np.arange(len(vectors)))
    n_bytes = sum(array.nbytes for array in arrays.values()) + SPAN_BYTES * len(vectors.vectors)
    n_bytes += 0 if pooled.origins is None else pooled.origins.nbytes
    scores = (_scores(codec, query, arrays, rows) for query in queries)
    return Measured(codec.name, factor, n_bytes / max(len(vectors.vectors), 1), _ranks(scores, owners))


def _scores(
    codec: Codec, query: NDArray[np.float32], arrays: dict[str, NDArray[Any]], rows: Rows
) -> NDArray[np.float32]:
    return codec.scores(codec.question(query), arrays, rows, Precision.FULL)


def _ranks(scores: Iterator[NDArray[np.float32]], owners: Sequence[int]) -> NDArray[np.int64]:
    """Give the place of each query's own passage; of equal scores the earlier passage comes first."""
    ranks = [
        1 + np.count_nonzero(own > own[owner]) + np.count_nonzero(own[:owner] == own[owner])
        for own, owner in zip(scores, owners, strict=True)
    ]
    return np.array(ranks, np.int64)


def found_first(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give 1 for each query whose passage came first, else 0."""
    return np.equal(ranks, 1).astype(np.float64)


def reciprocal(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give 1 / rank, and 0 behind the tenth."""
    found: NDArray[np.float64] = np.where(ranks <= DEEPEST, 1 / ranks, 0.0)
    return found


def loss(exact: NDArray[np.float64], stored: NDArray[np.float64]) -> Loss:
    """Compare two measures of the same queries: mean difference with the interval of a normal distribution."""
    if len(exact) < 2:
        return Loss(0.0, -1.0, 1.0)
    differences = exact - stored
    mean, half = float(differences.mean()), NORMAL_95 * float(differences.std(ddof=1)) / len(differences) ** 0.5
    return Loss(mean, mean - half, mean + half)
