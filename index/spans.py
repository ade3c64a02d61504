"""Spans as segments keep them: of each vector, which stretch of its passage it stands for.

They are the encoder's `document_spans`, found once when a passage is encoded: a search that shows ten hits would else
tokenise ten passages, which takes longer than finding them.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from index.pooling import Pooled
from lfm2_colbert.encoders.base import Spans

BYTES = 4
"""Of a vector's span."""
NOWHERE = 2**16 - 1
"""Start and end where a vector stands for no text."""

StoredSpans = NDArray[np.uint16]
"""``(n, 2)``, code points from the passage's beginning."""


def stored(spans: Sequence[Spans], pooled: Pooled) -> StoredSpans | None:
    """Give the spans of stored vectors; None if a passage is too long for 16 bits, or has other vectors than spans.

    Args:
        spans: the encoder's, of each passage.
        pooled: the vectors of the same passages.
    """
    if pooled.origins is not None:
        origins = (pooled.origins[first:last] for first, last in pairwise(pooled.vectors.offsets.tolist()))
        spans = [own[places] for own, places in zip(spans, origins, strict=True)]
    if [len(own) for own in spans] != pooled.vectors.lengths.tolist():
        return None
    flat = np.concatenate([np.empty((0, 2), np.int64), *spans])
    if flat.max(initial=0) >= NOWHERE:
        return None
    return np.where(flat < 0, NOWHERE, flat).astype(np.uint16)


def read(stored_spans: StoredSpans) -> Spans:
    """Give them as the encoder does."""
    spans = stored_spans.astype(np.int64)
    spans[spans == NOWHERE] = -1
    return spans
