"""What a search process is asked and says is the same on the other side of the wire."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from index.queries import Question, Window
from index.recall_file import Estimate
from index.request import Request
from index.types import Around, Highlight, Hit, Match, Notice, SearchOptions, SearchResult, Span
from lfm2_colbert.errors import CorruptionError, InvalidFilterError, Lfm2ColbertError
from service.engine.messages import LENGTHS, Answered, Asked, of_answered, of_asked, read_answered, read_asked

text = st.text(st.characters(exclude_categories=[]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
spans = st.builds(Span, st.integers(0, 99), st.integers(0, 99))
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(text, jsons, max_size=3)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    n, dim, seed = draw(st.integers(0, 4)), draw(st.sampled_from([1, 8])), draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    spans = rng.integers(-1, 99, (n, 2)) if draw(st.booleans()) else None
    return Window(draw(text), draw(st.integers(0, 99)), vectors, spans)


questions = st.builds(Question, text, st.lists(windows(), max_size=3).map(tuple), text)
requests = st.builds(
    Request, st.integers(1, 1000), text, text, text, st.none() | text | objects, st.booleans(),
    st.builds(SearchOptions, text, st.integers(1, 9), st.none() | finite, st.booleans(), st.none() | text),
    st.booleans(),
)  # fmt: skip
hits = st.builds(
    Hit, rank=st.integers(1, 9), document_id=text, passage=st.integers(0, 9), score=finite, raw_score=finite, text=text,
    span=spans, language=text, metadata=objects, anchor=objects,
    highlights=st.lists(st.builds(Highlight, st.integers(0, 9), st.integers(0, 9), finite), max_size=2).map(tuple),
    matches=st.lists(st.builds(Match, spans, spans, finite), max_size=2).map(tuple),
    around=st.none() | st.builds(Around, st.integers(0, 9), st.integers(0, 9), text),
)  # fmt: skip
results = st.builds(
    SearchResult, text, st.lists(hits, max_size=3).map(tuple),
    st.lists(st.builds(Notice, text, text), max_size=2).map(tuple),
    st.dictionaries(text, st.floats(0, 1e6).map(lambda ms: round(ms, 3)), max_size=2),
    st.dictionaries(text, st.integers(0, 99), max_size=2), text, st.none() | text,
)  # fmt: skip


def unpacked(message: bytes) -> tuple[bytes, bytes]:
    n_body, n_vectors = LENGTHS.unpack_from(message)
    assert len(message) == LENGTHS.size + n_body + n_vectors
    return message[LENGTHS.size : LENGTHS.size + n_body], message[LENGTHS.size + n_body :]


@settings(max_examples=150, deadline=None)
@given(name=text, asked=st.lists(questions, max_size=3), request=st.none() | requests)
def test_what_is_asked(name: str, asked: list[Question], request: Request | None) -> None:
    found = read_asked(*unpacked(of_asked(Asked(name, asked, request))))
    assert (found.collection, found.request) == (name, request)
    for one, other in zip(found.questions, asked, strict=True):
        assert (one.text, one.encoder, len(one.windows)) == (other.text, other.encoder, len(other.windows))
        for own, window in zip(one.windows, other.windows, strict=True):
            assert (own.text, own.start, own.vectors.dtype.name) == (window.text, window.start, "float32")
            np.testing.assert_array_equal(own.vectors, window.vectors)
            assert (own.spans is None) == (window.spans is None)
            if own.spans is not None and window.spans is not None:
                np.testing.assert_array_equal(own.spans, window.spans)


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(results, max_size=3), recall=st.none() | st.builds(Estimate, finite, finite, finite, st.integers())
)
def test_what_is_said(found: list[SearchResult], recall: Estimate | None) -> None:
    body, _ = unpacked(of_answered(Answered(found, recall), "pets"))
    said = read_answered(body)
    assert said == Answered(found, recall)


def test_errors_keep_class_sentence_and_way_out() -> None:
    for kind in (InvalidFilterError, CorruptionError, Lfm2ColbertError):
        body, _ = unpacked(of_answered(Answered(error=kind("it's wrong: '東京'", help="do that")), "pets"))
        error = read_answered(body).error
        assert error is not None
        assert (type(error), error.message, error.help, error.code) == (
            kind,
            "it's wrong: '東京'",
            "do that",
            kind.code,
        )


def test_a_score_of_nothing_is_told_too() -> None:
    hit = Hit(1, "a", 0, 0.0, -math.inf, "", Span(0, 0), "de", {}, ())
    result = SearchResult("", (replace(hit, anchor={}),))
    body, _ = unpacked(of_answered(Answered([result]), "pets"))
    assert read_answered(body).results[0].hits[0].raw_score == -math.inf
