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
    for place, batch in enumerate(batches):
        expected = ENCODER.encode_queries(batch)
        if place % 2:
            found = remembering.encode_queries(batch)
            np.testing.assert_array_equal(found.offsets, expected.offsets)
            np.testing.assert_array_equal(found.vectors, expected.vectors)
            continue
        for text, question, vectors in zip(batch, remembering.questions(batch), expected, strict=True):
            (window,) = question.windows
            assert (question.text, window.text, question.encoder) == (text, text, ENCODER.fingerprint)
            np.testing.assert_array_equal(window.vectors, vectors)
            assert window.spans is not None
            np.testing.assert_array_equal(window.spans, ENCODER.query_spans(text))


def test_what_was_asked_last_is_not_asked_again() -> None:
    behind = Counting()
    remembering = RememberingEncoder(behind, queries=2)
    for text in ("a", "b", "a", "c", "a", "b"):  # b is the one that went when c came
        remembering.questions([text])
    assert behind.asked == {"a": 1, "b": 2, "c": 1}
    remembering.encode_queries(["a", "b"])
    assert behind.asked == {"a": 1, "b": 2, "c": 1}
    assert remembering.remembered("a") is not None
    assert remembering.remembered("c") is None


def test_a_long_query_is_remembered_with_all_its_windows() -> None:
    behind = Counting()
    remembering, text = RememberingEncoder(behind), " ".join(f"Hund{n} 東京{n}" for n in range(400))
    (first,), (again,) = remembering.questions([text]), remembering.questions([text])
    assert first is again
    assert [window.text for window in first.windows] == list(behind.asked)
    assert len(first.windows) > 1
    np.testing.assert_array_equal(remembering.encode_queries([text])[0], ENCODER.encode_queries([text])[0])
