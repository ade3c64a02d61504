"""The stored vectors of passages that a search found, each with the place in the text it stands for.

Whoever holds a sentence against a passage needs them; to encode the passage again would cost more than the search did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.coding import Coding
from index.pooling import spans_of_vectors
from index.records import StoredPassage
from index.snapshot import Snapshot
from index.store import Store
from index.types import Hit
from lfm2_colbert.encoders.base import Encoder, Spans


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A passage's vectors and their places.

    Attributes:
        vectors: ``(n, dim)`` float32.
        spans: ``(n, 2)``, code points into the passage's text; (-1, -1) for vectors without text.
    """

    vectors: NDArray[np.float32]
    spans: Spans


def stored_evidence(
    hits: Sequence[Hit], snapshot: Snapshot, store: Store, coding: Coding, encoder: Encoder
) -> list[Evidence | None]:
    """Read the vectors of passages in a state.

    Args:
        hits: of an answer to the same collection.
        snapshot: the present state, held by the caller.
        store: of the collection.
        coding: how its vectors are coded.
        encoder: of the collection.

    Returns:
        In the order of the hits; None where the passage has changed since, or gone.
    """
    parts = {part.segment.info.number: part.segment for part in snapshot.parts}
    found: list[Evidence | None] = []
    for hit in hits:
        stored = _stored(hit, store)
        segment = parts.get(stored.segment) if stored else None
        if stored is None or segment is None:
            found.append(None)
            continue
        row = slice(*segment.offsets[stored.row : stored.row + 2])
        vectors = coding.required().decode({name: array[row] for name, array in segment.arrays.items()})
        spans = segment.spans_of(stored.row, hit.text)
        if spans is not None:
            found.append(Evidence(vectors, spans))
        else:
            found.append(_placed(vectors, segment.places(stored.row), hit.text, encoder, store.settings.pool))
    return found


def encoded_evidence(text: str, encoder: Encoder) -> Evidence:
    """Encode a passage anew."""
    (vectors,) = encoder.encode_documents([text])
    return Evidence(vectors.astype(np.float32, copy=False), encoder.document_spans(text))


def _stored(hit: Hit, store: Store) -> StoredPassage | None:
    """Look a hit's passage up; None if it holds other words now."""
    key = store.document_key(hit.document_id)
    stored = None if key is None else store.passage(key, hit.passage)
    return stored if stored is not None and stored.text == hit.text else None


def _placed(vectors: NDArray[np.float32], places: NDArray[np.intp], text: str, encoder: Encoder, pool: int) -> Evidence:
    spans = spans_of_vectors(encoder.document_spans(text), places, pool)
    return encoded_evidence(text, encoder) if spans is None else Evidence(vectors, spans)
