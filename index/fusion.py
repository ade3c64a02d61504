"""How a search weighs what a passage means against the words that stand in it."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

WEIGHT = 0.944
"""Of MaxSim in a convex combination; BM25 has the rest. Chosen on one half of the queries of benchmarks/hybrid.py."""
RANK_OFFSET = 60
"""Of reciprocal rank fusion (Cormack et al., SIGIR 2009)."""
WORD_POOL = 200
"""So many passages of the word index get MaxSim, at least, whatever their vectors promise."""


class Mode(StrEnum):
    """What a search goes by: meaning, words, or both."""

    HYBRID = "hybrid"
    SEMANTIC = "semantic"
    LEXICAL = "lexical"


class Fusion(StrEnum):
    """How both are put together: by scores, or by ranks alone."""

    CONVEX = "convex"
    RRF = "rrf"


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Two measures of the same passages.

    Attributes:
        maxsim: ``(n,)`` float32; −inf for a passage without vectors.
        words: ``(n,)`` float32, BM25.
        n_vectors: of the query: what MaxSim cannot exceed.
        attainable: what BM25 cannot exceed; 0 where no word of the query stands anywhere.
        known: share of the query's words, by weight, that stand anywhere (`index.lexical.bm25.WordScores`).
    """

    maxsim: NDArray[np.float32]
    words: NDArray[np.float32]
    n_vectors: int
    attainable: float
    known: float


def fused(evidence: Evidence, fusion: Fusion) -> NDArray[np.float32]:
    """Give one score of at most 1 to each passage; −inf where there is no MaxSim."""
    return {Fusion.CONVEX: _convex, Fusion.RRF: _reciprocal}[fusion](evidence)


def _convex(evidence: Evidence) -> NDArray[np.float32]:
    """Weigh MaxSim over the number of query vectors with BM25 over its root; give the share of what is attainable.

    The norms depend on the query alone, so a passage's score does not on the others (Bruch et al., TOIS 2023). BM25 is
    not divided by what it can attain, and counts the less the fewer of the query's words are known: where a question
    meets passages of another language, a name may be all that both share, and must not count as much as a whole
    question of shared words.
    """
    trust = (1 - WEIGHT) * evidence.known / math.sqrt(evidence.n_vectors)
    most = WEIGHT + trust * evidence.attainable
    meaning = evidence.maxsim / np.float32(evidence.n_vectors)
    return np.float32(WEIGHT / most) * meaning + np.float32(trust / most) * evidence.words


def _reciprocal(evidence: Evidence) -> NDArray[np.float32]:
    """The sum of ``1 / (60 + rank)``, as a share of the largest there can be; without a word of the query none."""
    found = np.where(evidence.words > 0, 1 / (RANK_OFFSET + _ranks(evidence.words)), 0)
    share = (1 / (RANK_OFFSET + _ranks(evidence.maxsim)) + found) * ((RANK_OFFSET + 1) / 2)
    return np.where(np.isneginf(evidence.maxsim), -np.inf, share).astype(np.float32)


def _ranks(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rank from 1; equal scores have equal ranks."""
    return 1 + np.searchsorted(np.sort(-scores), -scores)
