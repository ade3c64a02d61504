"""An encoder that remembers says what the one behind it says, and asks it less."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors
from service.engine.encoding import ForwardingEncoder, RememberingEncoder

ENCODER = HashingEncoder()
TEXTS = ("Wo ist der Hund?", "首都は東京", "서울의 인구", "أين القطة", "แมว", "e\u0301te\u0301 👩‍👧", "")


class Counting(ForwardingEncoder):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(ENCODER)
        self.asked: Counter[str] = Counter()

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        self.asked.update(texts)
        return super().encode_queries(texts)


@settings(max_examples=50, deadline=None)
@given(batches=st.lists(st.lists(st.sampled_from(TEXTS), max_size=5), max_size=6), capacity=st.integers(0, 8))
def test_queries_are_those_of_the_encoder_however_few_are_remembered(batches: list[list[str]], capacity: int) -> None:
    remembering = RememberingEncoder(Counting(), queries=capacity)
    for batch in batches:
        found, expected = remembering.encode_queries(batch), ENCODER.encode_queries(batch)
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        np.testing.assert_array_equal(found.offsets, expected.offsets)


def test_what_was_asked_last_is_not_asked_again() -> None:
    behind = Counting()
    remembering = RememberingEncoder(behind, queries=2)
    for text in ("a", "b", "a", "c", "a", "b"):  # b is the one that went when c came
        remembering.encode_queries([text])
    assert behind.asked == {"a": 1, "b": 2, "c": 1}
    assert remembering.remembers("a")
    assert not remembering.remembers("c")
