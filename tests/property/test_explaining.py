"""Matches and highlights: the definition, graphemes, words, and order."""

import numpy as np
import regex
from hypothesis import given
from hypothesis import strategies as st

from index.characters import CLASSES, Characters, Kind
from index.explain import LEAST_SHARE, AskedTokens, Explained, PassageTokens, explain, highlight
from index.scoring import products
from index.types import Highlight, Match, Span
from lfm2_colbert.encoders.hashing import HashingEncoder

ENCODER = HashingEncoder(max_document_tokens=400, max_query_tokens=400)
VISIBLE = regex.compile(r"[\p{L}\p{N}\p{So}]")
SPACED = regex.compile(CLASSES[Kind.SPACED], regex.V1)
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


def explained(query: str, *passages: str, with_matches: bool = True, start: int = 0) -> list[Explained]:
    asked = AskedTokens.of(ENCODER.encode_queries([query])[0], ENCODER.query_spans(query), query)
    vectors = ENCODER.encode_documents(passages)
    tokens = [
        PassageTokens(text, start, products(asked.vectors, own), ENCODER.document_spans(text))
        for text, own in zip(passages, vectors, strict=True)
    ]
    return explain(asked, tokens, with_matches=with_matches)


def by_definition(query: str, passage: str) -> tuple[list[tuple[Span, float]], list[Highlight]]:
    """One token after the other: its best visible one and what is shown of it; then the words of the strong ones."""
    asked = AskedTokens.of(ENCODER.encode_queries([query])[0], ENCODER.query_spans(query), query)
    cosines = products(asked.vectors, ENCODER.encode_documents([passage])[0])
    visible = [n for n, (a, b) in enumerate(ENCODER.document_spans(passage)) if a >= 0 and VISIBLE.search(passage[a:b])]
    if not visible:
        return [], []
    best = [max(visible, key=lambda n: row[n]) for row in cosines]
    shown = [_in_clusters(passage, *ENCODER.document_spans(passage)[n].tolist()) for n in best]
    scores = [float(row[n]) for row, n in zip(cosines, best, strict=True)]
    found = list(zip(shown, scores, strict=True))
    strong = [(span, score) for span, score in found if score >= LEAST_SHARE * max(*scores, 0.0)]
    return found, _joined([(*_whole_word(passage, span), score) for span, score in strong], passage)


def _in_clusters(text: str, start: int, end: int) -> Span:
    clusters = [m.span() for m in regex.finditer(r"\X", text) if m.start() < end and m.end() > start]
    start, end = clusters[0][0], clusters[-1][1]
    stretch = text[start:end]
    return Span(end - len(stretch.lstrip()), start + len(stretch.rstrip()))


def _whole_word(text: str, span: Span) -> tuple[int, int]:
    start, end = span.start, span.end
    while start > 0 and SPACED.match(text[start]) and SPACED.match(text[start - 1]):
        start -= 1
    while end < len(text) and SPACED.match(text[end - 1]) and SPACED.match(text[end]):
        end += 1
    return start, end


def _joined(words: list[tuple[int, int, float]], text: str) -> list[Highlight]:
    merged: list[Highlight] = []
    for start, end, score in sorted(words):
        if merged and (start <= merged[-1].end or text[merged[-1].end : start].isspace()):
            last = merged.pop()
            merged.append(Highlight(last.start, max(last.end, end), max(last.score, score)))
        else:
            merged.append(Highlight(start, end, score))
    return merged


def boundaries(text: str) -> set[int]:
    return {0, *(match.end() for match in regex.finditer(r"\X", text))}


@given(texts=st.lists(texts | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=4))
def test_where_characters_are_said_to_part_clusters_do(texts: list[str]) -> None:
    characters = Characters.of(texts)
    for text, start in zip(texts, characters.starts.tolist(), strict=True):
        said = {place for place in range(len(text) + 1) if characters.parts[start + place]}
        assert {0, len(text)} <= said <= boundaries(text)


def test_every_plain_character_parts_from_every_kind_of_its_like() -> None:
    plain = regex.findall(CLASSES[Kind.PLAIN], "".join(chr(i) for i in range(0x10000) if not 0xD800 <= i < 0xE000))
    kinds = "a1 -éΩяאعڤกาあア漢한힣가"
    assert len(plain) > 30_000
    for kind in kinds:
        text = kind.join(plain)
        assert boundaries(text) == set(range(len(text) + 1))


@given(query=texts, passages=st.lists(texts, min_size=1, max_size=4))
def test_a_page_is_explained_as_each_passage_by_the_definition(query: str, passages: list[str]) -> None:
    for found, passage in zip(explained(query, *passages), passages, strict=True):
        matches, words = by_definition(query, passage)
        assert [(match.passage, match.score) for match in found.matches] == matches
        assert list(found.highlights) == words


@given(query=texts, passages=st.lists(texts, max_size=3), start=st.integers(0, 2**40))
def test_highlights_are_the_same_alone_and_beside_matches_and_count_in_the_document(
    query: str, passages: list[str], start: int
) -> None:
    alone = explained(query, *passages, with_matches=False, start=start)
    beside = explained(query, *passages)
    for moved, found in zip(alone, beside, strict=True):
        assert moved.matches == ()
        assert moved.highlights == tuple(Highlight(start + h.start, start + h.end, h.score) for h in found.highlights)


@given(query=texts, passage=texts)
def test_each_match_is_the_best_passage_token_of_its_query_token(query: str, passage: str) -> None:
    queries, documents = ENCODER.encode_queries([query])[0][1:], ENCODER.encode_documents([passage])[0][1:]
    query_spans, spans = ENCODER.query_spans(query)[1:], ENCODER.document_spans(passage)[1:]
    visible = [bool(VISIBLE.search(passage[start:end])) for start, end in spans]
    asked = [i for i, (start, end) in enumerate(query_spans) if VISIBLE.search(query[start:end])]
    found = explained(query, passage)[0].matches
    if not any(visible):
        assert found == ()
        return
    best = [np.max(documents[visible] @ queries[i]) for i in asked]
    assert np.allclose([match.score for match in found], best, atol=1e-6)
    assert [match.query for match in found] == [_in_clusters(query, *query_spans[i].tolist()) for i in asked]


@given(query=texts, passage=texts)
def test_highlights_lie_on_grapheme_boundaries_in_order_and_apart(query: str, passage: str) -> None:
    ends = boundaries(passage)
    position = -1
    for stretch in explained(query, passage)[0].highlights:
        assert stretch.start in ends
        assert stretch.end in ends
        assert position < stretch.start < stretch.end
        assert not passage[stretch.start : stretch.end][0].isspace()
        assert not passage[stretch.start : stretch.end][-1].isspace()
        position = stretch.end


@given(passage=st.lists(st.sampled_from(PIECES), min_size=1, unique=True).map(" ".join))
def test_passage_of_different_words_matches_itself_wherever_it_has_letters(passage: str) -> None:
    found = explained(passage, passage)[0].highlights
    covered = {i for stretch in found for i in range(stretch.start, stretch.end)}
    letters = {i for i, character in enumerate(passage) if regex.match(r"[\p{L}\p{N}]", character)}
    assert letters <= covered


def test_weak_matches_are_not_shown() -> None:
    text = "alpha beta gamma"
    asked = AskedTokens.of(np.ones((2, 1), np.float32), np.array([[0, 1], [2, 3]]), "a g")
    for weak, shown in ((0.8 * LEAST_SHARE - 0.01, [(0, 5)]), (0.8 * LEAST_SHARE + 0.01, [(0, 5), (11, 16)])):
        cosines = np.array([[0.8, 0, 0], [0, 0, weak]], np.float32)
        tokens = PassageTokens(text, 0, cosines, np.array([[0, 5], [6, 10], [11, 16]]))
        (found,) = explain(asked, [tokens], with_matches=True)
        assert [(h.start, h.end) for h in found.highlights] == shown
        assert [match.score for match in found.matches] == [np.float32(0.8), np.float32(weak)]


def test_a_passage_of_which_nobody_knows_the_tokens_has_nothing_to_show() -> None:
    asked = AskedTokens.of(np.ones((1, 1), np.float32), np.array([[0, 5]]), "alpha")
    known = PassageTokens("alpha", 3, np.array([[0.9]], np.float32), np.array([[0, 5]]))
    unknown = PassageTokens("beta", 0, np.empty((1, 0), np.float32), np.empty((0, 2), np.int64))
    score = float(np.float32(0.9))
    expected = Explained((Match(Span(0, 5), Span(3, 8), score),), (Highlight(3, 8, score),))
    assert explain(asked, [unknown, known, unknown], with_matches=True) == [Explained(), expected, Explained()]
    assert explain(asked, [unknown], with_matches=True) == [Explained()]


def test_piece_of_a_word_lights_the_word_where_spaces_part_words() -> None:
    german, japanese = "die entzündungshemmende Wirkung", "日本の首都は東京です"
    assert [german[h.start : h.end] for h in highlight([Match(Span(0, 1), Span(6, 10), 1.0)], german, 0)] == [
        "entzündungshemmende"
    ]
    (shown,) = highlight([Match(Span(0, 1), Span(103, 105), 1.0)], japanese, 100)
    assert japanese[shown.start - 100 : shown.end - 100] == "首都"
    assert highlight([], german, 0) == ()


def test_neighbours_join_over_white_space_with_the_better_score() -> None:
    text = "red  blue, green"
    found = highlight(
        [Match(Span(0, 1), Span(*span), score) for span, score in (((0, 3), 0.9), ((5, 9), 1.0), ((11, 16), 0.95))],
        text,
        0,
    )
    assert [(text[h.start : h.end], h.score) for h in found] == [("red  blue", 1.0), ("green", 0.95)]
