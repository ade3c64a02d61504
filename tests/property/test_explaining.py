"""Matches and highlights: the definition, graphemes, words, and order."""

import numpy as np
import regex
from hypothesis import given
from hypothesis import strategies as st

from index.explain import LEAST_SHARE, PLAIN, AskedTokens, highlight, match_tokens
from index.scoring import products
from index.types import Match, Span
from lfm2_colbert.encoders.hashing import HashingEncoder

ENCODER = HashingEncoder(max_document_tokens=400, max_query_tokens=400)
PIECES = [
    "Hund",
    "cafe\u0301",
    "日本",
    "の首都",
    "한국",
    "กรุงเทพ",
    "مدينة",
    "👨‍👩‍👧",
    "e\u0301\u0323",
    "é",
    "x1",
    "-",
    ".",
    "\n",
    " ",
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=25).map(" ".join) | st.text(max_size=40)


def matches(query: str, passage: str) -> tuple[Match, ...]:
    asked = AskedTokens.of(ENCODER.encode_queries([query])[0], ENCODER.query_spans(query), query)
    return match_tokens(
        asked,
        products(asked.vectors, ENCODER.encode_documents([passage])[0]),
        ENCODER.document_spans(passage),
        passage,
    )


def boundaries(text: str) -> set[int]:
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


@given(text=texts | st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_where_two_plain_characters_meet_clusters_part(text: str) -> None:
    plain = {i for i in range(1, len(text)) if PLAIN.match(text, i - 1, i + 1)}
    assert plain <= boundaries(text)


def test_every_plain_character_parts_from_every_kind_of_its_like() -> None:
    plain = [chr(i) for i in range(0x10000) if not 0xD800 <= i < 0xE000 and PLAIN.match(chr(i) * 2)]
    kinds = "a1 -éΩяאعڤกาあア漢한힣가"
    assert len(plain) > 30_000
    for kind in kinds:
        text = kind.join(plain)
        assert boundaries(text) == set(range(len(text) + 1))


@given(query=texts, passage=texts)
def test_each_match_is_the_best_passage_token_of_its_query_token(query: str, passage: str) -> None:
    queries, documents = ENCODER.encode_queries([query])[0][1:], ENCODER.encode_documents([passage])[0][1:]
    query_spans, spans = ENCODER.query_spans(query)[1:], ENCODER.document_spans(passage)[1:]
    visible = [bool(regex.search(r"[\p{L}\p{N}\p{So}]", passage[start:end])) for start, end in spans]
    asked = [i for i, (start, end) in enumerate(query_spans) if regex.search(r"[\p{L}\p{N}\p{So}]", query[start:end])]
    found = matches(query, passage)
    if not any(visible):
        assert found == ()
        return
    best = [np.max(documents[visible] @ queries[i]) for i in asked]
    assert np.allclose([match.score for match in found], best, atol=1e-6)


@given(query=texts, passage=texts)
def test_highlights_lie_on_grapheme_boundaries_in_order_and_apart(query: str, passage: str) -> None:
    found = highlight(matches(query, passage), passage)
    ends = boundaries(passage)
    position = -1
    for stretch in found:
        assert stretch.start in ends
        assert stretch.end in ends
        assert position < stretch.start < stretch.end
        assert not passage[stretch.start : stretch.end][0].isspace()
        assert not passage[stretch.start : stretch.end][-1].isspace()
        position = stretch.end


@given(passage=st.lists(st.sampled_from(PIECES), min_size=1, unique=True).map(" ".join))
def test_passage_of_different_words_matches_itself_wherever_it_has_letters(passage: str) -> None:
    found = highlight(matches(passage, passage), passage)
    covered = {i for stretch in found for i in range(stretch.start, stretch.end)}
    letters = {i for i, character in enumerate(passage) if regex.match(r"[\p{L}\p{N}]", character)}
    assert letters <= covered


def test_weak_matches_are_not_shown() -> None:
    text = "alpha beta gamma"
    strong, weak = Match(Span(0, 1), Span(0, 5), 0.8), Match(Span(2, 3), Span(11, 16), 0.8 * LEAST_SHARE - 0.01)
    assert [(h.start, h.end) for h in highlight([strong, weak], text)] == [(0, 5)]


def test_piece_of_a_word_lights_the_word_where_spaces_part_words() -> None:
    german, japanese = "die entzündungshemmende Wirkung", "日本の首都は東京です"
    assert [german[h.start : h.end] for h in highlight([Match(Span(0, 1), Span(6, 10), 1.0)], german)] == [
        "entzündungshemmende"
    ]
    assert [japanese[h.start : h.end] for h in highlight([Match(Span(0, 1), Span(3, 5), 1.0)], japanese)] == ["首都"]


def test_neighbours_join_over_white_space_with_the_better_score() -> None:
    text = "red  blue, green"
    found = highlight(
        [Match(Span(0, 1), Span(*span), score) for span, score in (((0, 3), 0.9), ((5, 9), 1.0), ((11, 16), 0.95))],
        text,
    )
    assert [(text[h.start : h.end], h.score) for h in found] == [("red  blue", 1.0), ("green", 0.95)]
