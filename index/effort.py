"""How hard a search looks: the three presets, and what they mean."""

from dataclasses import dataclass, replace
from enum import StrEnum

EXHAUSTIVE_TOKENS = 250_000
"""Up to here scoring every passage with coarse codes costs no more than choosing candidates."""


def pays_to_choose(n_tokens: int) -> bool:
    """Whether a collection of so many tokens is large enough for centroids."""
    return n_tokens > EXHAUSTIVE_TOKENS


FEW_TOKENS = 60_000
"""Behind a filter that leaves no more than these, every passage it leaves is scored. That is less than above, since
they lie scattered: 15 to 55 nanoseconds a token, as the processor has it, where choosing costs some 4 milliseconds."""
RANKED_TOKENS = 4_000_000
"""Behind a filter that leaves up to so many, the centroids of every passage are looked at: that costs about half a
nanosecond a token, and no good passage is missed because its list is far down."""
MOST_PROBED = 4
"""Times the usual lists that are looked up behind a filter that leaves more."""
FILTERED_MARGIN = 0.5
"""Added to the margin behind a filter: the best of what it leaves lie deeper. On 10,531 passages it keeps recall@10 at
or above that without a filter for a tenth to three quarters left, at no more than 1.1 times the cost."""

USUAL_PASSAGES = 25_000
"""Up to so many the budgets stand as they are; growing further with the cube root was chosen at 580,000."""


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
        n_candidates: passages that get a score from the centroids of all their tokens, at least.
        n_fine: passages of these that get MaxSim over all bits, at least.
        margin: how far above what its centroids promise a passage's coarse MaxSim is expected to lie, in standard
            deviations: what cannot come among the `n_fine` best even so is not scored (index/promise.py).
    """

    n_probe: int
    n_candidates: int
    n_fine: int
    margin: float

    def grown(self, k: int, n_passages: int) -> "Budget":
        """Grow with the hits wanted, and slowly with the collection: good passages have more that look like them."""
        n_candidates = int(self.n_candidates * max(n_passages / USUAL_PASSAGES, 1.0) ** (1 / 3))
        return replace(self, n_candidates=max(n_candidates, 24 * k), n_fine=max(self.n_fine, k + k // 4))

    def behind_filter(self, share: float) -> "Budget":
        """Look up more lists where a filter leaves a `share` of what they hold, and trust promises less."""
        n_probe = int(self.n_probe * min(1 / max(share, 1e-9), MOST_PROBED))
        return replace(self, n_probe=n_probe, margin=self.margin + FILTERED_MARGIN)


BUDGETS = {
    Effort.FAST: Budget(n_probe=12, n_candidates=1536, n_fine=32, margin=1.5),
    Effort.BALANCED: Budget(n_probe=24, n_candidates=3072, n_fine=40, margin=2.25),
}
"""Chosen on queries of the same collections as those that benchmarks/results/engine.json reports, but not on them."""
