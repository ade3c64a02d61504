"""How hard a search looks: the three presets, and what they mean."""

from dataclasses import dataclass
from enum import StrEnum

EXHAUSTIVE_TOKENS = 250_000
"""Up to here scoring every passage with coarse codes costs no more than choosing candidates."""


def pays_to_choose(n_tokens: int) -> bool:
    """Whether a collection of so many tokens is large enough for centroids."""
    return n_tokens > EXHAUSTIVE_TOKENS


class Effort(StrEnum):
    """`exact` scores every passage with every stored bit; the others let centroids choose."""

    FAST = "fast"
    BALANCED = "balanced"
    EXACT = "exact"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a preset spends on a query.

    Attributes:
        n_probe: centroids looked up for each token of the query.
        n_candidates: passages that get a score from the centroids of all their tokens.
        n_coarse: passages of these that get MaxSim over 4-bit codes, at least.
        n_fine: passages of these that get MaxSim over all bits, at least.
    """

    n_probe: int
    n_candidates: int
    n_coarse: int
    n_fine: int


BUDGETS = {
    Effort.FAST: Budget(n_probe=12, n_candidates=1536, n_coarse=256, n_fine=32),
    Effort.BALANCED: Budget(n_probe=24, n_candidates=3072, n_coarse=512, n_fine=48),
}
"""Chosen on the queries that benchmarks/results/engine.json reports; they grow where more hits are asked for."""
