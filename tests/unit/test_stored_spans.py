"""Spans are kept with vectors, pooled or not, and what cannot be kept is left out whole."""

import numpy as np
import pytest

from index.pooling import pool
from index.spans import read, stored
from lfm2_colbert.encoders.hashing import HashingEncoder

ENCODER = HashingEncoder()
TEXTS = ["日本の首都は東京です。人口は約千四百万人です。", "", "👨‍👩‍👧 cafe\u0301 🎉 party", "قطط وكلاب وطيور وأسماك"]


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_each_stored_vector_keeps_the_span_of_the_token_it_stands_for(factor: int) -> None:
    pooled = pool(ENCODER.encode_documents(TEXTS), factor)
    spans = [ENCODER.document_spans(text) for text in TEXTS]
    kept = stored(spans, pooled)
    assert kept is not None
    offsets = pooled.vectors.offsets
    for number, own in enumerate(spans):
        row = slice(*offsets[number : number + 2])
        expected = own if pooled.origins is None else own[pooled.origins[row]]
        np.testing.assert_array_equal(read(kept[row]), expected)


def test_a_passage_beyond_sixteen_bits_or_with_other_vectors_keeps_none() -> None:
    pooled = pool(ENCODER.encode_documents(["a b"]), 1)
    (spans,) = [ENCODER.document_spans("a b")]
    assert stored([spans], pooled) is not None
    far = spans.copy()
    far[-1] = 2**16 - 2, 2**16 - 1
    assert stored([far], pooled) is None
    far[-1] = 2**16 - 3, 2**16 - 2
    assert stored([far], pooled) is not None
    assert stored([spans[:-1]], pooled) is None


def test_no_passage_keeps_nothing() -> None:
    kept = stored([], pool(ENCODER.encode_documents([]), 1))
    assert kept is not None
    assert kept.shape == (0, 2)
