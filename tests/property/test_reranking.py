"""Reranking equals its definition over whole passages, whatever the order and script of the texts."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from index import Ranked, rerank
from index.chunking import chunk
from index.maxsim import maxsim
from index.queries import MAX_QUERY_CHARACTERS, split
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import InvalidArgumentError, QueryTooLongError
from lfm2_colbert.multivectors import MultiVectors

ENCODER = HashingEncoder()
SMALL = HashingEncoder(max_query_tokens=4, max_document_tokens=6)
WORDS = [
    *("Hund", "Straße", "Über", "x1", "café", "cafe\u0301", "مدينة", "إجازة", "日本", "の首都", "東京", "北京"),
    *("한국", "휴가", "กรุงเทพ", "น้ำ", "👨‍👩‍👧", "🐈", "e\u0301\u0323", "-", "。", ".", "\n\n", "\u200b"),
]
texts = st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join)
queries = st.lists(st.sampled_from(WORDS[:19]), min_size=1, max_size=9).map(" ".join)
lists = st.lists(texts, max_size=8)


def by_definition(query: str, text: str, encoder: HashingEncoder) -> float:
    """Give the best MaxSim per query vector of all windows and passages, each encoded by itself; −inf without any."""
    windows = [encoder.encode_queries([query[start:end]])[0] for start, end in split(query, encoder)]
    passages = [encoder.encode_documents([text[own.start : own.end]])[0] for own in chunk(text, encoder)]
    return max((maxsim(w, p) / len(w) for w in windows for p in passages), default=-np.inf)


@given(query=queries, texts=lists)
def test_texts_of_one_passage_are_ordered_by_brute_force(query: str, texts: list[str]) -> None:
    vectors = ENCODER.encode_queries([query])[0]
    whole = [maxsim(vectors, ENCODER.encode_documents([text.strip()])[0]) if text.strip() else None for text in texts]
    found = rerank(query, texts, ENCODER)
    worth = [-np.inf if score is None else score for score in whole]
    assert [each.index for each in found] == sorted(range(len(texts)), key=lambda place: -worth[place])
    assert [each.raw_score for each in found] == pytest.approx([whole[each.index] or 0.0 for each in found], abs=1e-5)
    assert [each.score for each in found] == pytest.approx(
        [min(max(each.raw_score / len(vectors), 0.0), 1.0) for each in found]
    )


@given(query=queries, texts=lists)
def test_windows_and_passages_count_by_the_best(query: str, texts: list[str]) -> None:
    worth = [by_definition(query, text, SMALL) for text in texts]
    found = rerank(query, texts, SMALL)
    assert [each.index for each in found] == sorted(range(len(texts)), key=lambda place: -worth[place])
    assert [each.score for each in found] == pytest.approx(
        [min(max(worth[each.index], 0.0), 1.0) for each in found], abs=1e-6
    )


@given(query=queries, texts=lists, data=st.data())
def test_permuting_texts_permutes_what_is_found(query: str, texts: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    before = {each.index: each for each in rerank(query, texts, SMALL)}
    after = rerank(query, [texts[place] for place in order], SMALL)
    assert {order[each.index]: replace(each, index=order[each.index]) for each in after} == before


@given(query=queries, texts=lists, n=st.integers(1, 9))
def test_the_first_n_are_the_first_of_all(query: str, texts: list[str], n: int) -> None:
    assert rerank(query, texts, SMALL, top_n=n) == rerank(query, texts, SMALL)[:n]


@given(query=queries, texts=lists)
def test_highlights_lie_between_graphemes_of_the_whole_text(query: str, texts: list[str]) -> None:
    for each in rerank(query, texts, SMALL):
        text, position = texts[each.index], -1
        ends = {0, *(match.end() for match in regex.finditer(r"\X", text))}
        for word in each.highlights:
            assert {word.start, word.end} <= ends
            assert position < word.start < word.end <= len(text)
            assert text[word.start : word.end].strip() == text[word.start : word.end]
            position = word.end


@pytest.mark.parametrize(
    ("query", "text", "matched"),
    [
        ("wo schläft der Hund", "Im Garten. " * 40 + "Dort schläft der Hund.", "schläft der Hund"),
        ("首都", "東京は大きい。" * 30 + "日本の首都は東京です。", "首都"),
        ("휴가", "서울은 크다. " * 30 + "휴가는 24일이다.", "휴가"),
        ("北京", "我在上海。" * 30 + "他在北京。", "北京"),
        ("น้ำ", "กรุงเทพ " * 40 + "น้ำ", "น้ำ"),
        ("إجازة", "المدينة كبيرة. " * 40 + "لدي إجازة طويلة", "إجازة"),
        ("cafe\u0301", "Wasser. " * 60 + "Im cafe\u0301 👨‍👩‍👧", "cafe\u0301"),
        ("👨‍👩‍👧", "Wasser. " * 60 + "Im cafe\u0301 👨‍👩‍👧", "👨‍👩‍👧"),
    ],
)
def test_a_text_is_found_and_shown_by_its_last_passage(query: str, text: str, matched: str) -> None:
    other = text.replace(matched, "…")
    best, worse = rerank(query, [other, text], HashingEncoder(max_document_tokens=20))
    assert (best.index, worse.index) == (1, 0)
    assert matched in [text[word.start : word.end] for word in best.highlights]


def test_the_end_of_a_long_query_counts() -> None:
    query = "Bitte sag mir doch einmal genau und in aller Ruhe: wo schläft der Hund"
    found = rerank(query, ["Bitte.", "Dort schläft der Hund"], HashingEncoder(max_query_tokens=4))
    assert found[0].index == 1


def test_an_empty_text_stays_and_comes_last() -> None:
    found = rerank("Hund", ["", " \n\u3000", "ganz anderes", "Hund"], ENCODER)
    assert [each.index for each in found] == [3, 2, 0, 1]
    assert found[2:] == [Ranked(0, 0.0, 0.0, ()), Ranked(1, 0.0, 0.0, ())]


def test_equal_texts_keep_their_order_and_no_texts_are_none() -> None:
    assert [each.index for each in rerank("Hund", ["Hund"] * 5, ENCODER)] == [0, 1, 2, 3, 4]
    assert rerank("Hund", [], ENCODER) == []


def test_more_passages_than_are_encoded_at_once_are_all_read() -> None:
    asked = []

    class Counting(HashingEncoder):
        def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
            asked.append(len(texts))
            return super().encode_documents(texts)

    texts = [f"Text {number}" for number in range(600)] + ["der Hund"]
    assert rerank("der Hund", texts, Counting(), top_n=1)[0].index == 600
    assert asked == [256, 256, 89]


@pytest.mark.parametrize(("query", "top_n"), [("", None), (" \n", None), ("Hund", 0), ("Hund", -1)])
def test_a_call_without_sense_is_refused(query: str, top_n: int | None) -> None:
    with pytest.raises(InvalidArgumentError):
        rerank(query, ["Hund"], ENCODER, top_n=top_n)


def test_a_query_may_not_be_a_document() -> None:
    with pytest.raises(QueryTooLongError):
        rerank("a" * (MAX_QUERY_CHARACTERS + 1), ["a"], ENCODER)
