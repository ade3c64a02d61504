"""Postings and BM25 against a slow definition with dictionaries, for any texts in any script."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import compress, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.arrays import write_arrays
from index.durable import Folder
from index.lexical.analysis import ANALYSIS, terms_of, tokens_of
from index.lexical.bm25 import K1, B, score_terms
from index.lexical.postings import KIND, SegmentWords, merged, words_of, write_words
from index.records import WordsInfo
from lfm2_colbert.errors import CorruptionError

WORDS = (
    "the cat die Katze Straße café CAFE 首都 東京都 人口 수도 서울의 กรุงเทพ القرآن كتاب Москва हिन्दी snake_case v2.13 "
    '1,234 a.b@example.com AND NOT NEAR( " * ^ : - ﾊﾞﾅﾅ １２３ don’t e\u0301 \u200d \u00ad'
).split(" ")
texts = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=12).map("".join),
    st.text(max_size=30),
)
collections = st.lists(texts, min_size=1, max_size=8)


def weights(query: str, counted: Sequence[Counter[str]]) -> dict[str, float]:
    n_with = {term: sum(term in each for each in counted) for term in terms_of(query)}
    times = Counter(terms_of(query))
    return {term: times[term] * math.log(1 + (len(counted) - n + 0.5) / (n + 0.5)) for term, n in n_with.items()}


def worth(weight: dict[str, float], counted: Sequence[Counter[str]]) -> list[float]:
    """BM25 as the textbook has it."""
    mean = sum(each.total() for each in counted) / len(counted)
    scores = [0.0] * len(counted)
    for term in weight:
        for row, each in enumerate(counted):
            if each[term]:
                norm = K1 * (1 - B + B * each.total() / mean)
                scores[row] += weight[term] * each[term] / (each[term] + norm)
    return scores


def definition(query: str, passages: Sequence[str], documents: Sequence[int]) -> list[float]:
    """Half of BM25 of the passages, and half of BM25 of the documents they are of."""
    counted = [Counter(terms_of(text)) for text in passages]
    weight = weights(query, counted)
    whole = [sum((c for c, of in zip(counted, documents, strict=True) if of == d), Counter()) for d in set(documents)]
    by_document = dict(zip(set(documents), worth(weight, whole), strict=True))
    own = worth(weight, counted)
    return [(each + by_document[d]) / 2 if each else 0.0 for each, d in zip(own, documents, strict=True)]


def written(folder: Path, number: int, passages: Sequence[str], documents: Sequence[int] | None = None) -> SegmentWords:
    found = words_of(passages, range(len(passages)) if documents is None else documents)
    return SegmentWords.open(folder, write_words(Folder(folder), number, found))


def in_segments(
    folder: Path, passages: Sequence[str], documents: Sequence[int], sizes: Sequence[int]
) -> list[SegmentWords]:
    bounds = [slice(*pair) for pair in pairwise(np.cumsum([0, *sizes]))]
    return [written(folder, i, passages[own], documents[own]) for i, own in enumerate(bounds)]


@settings(max_examples=150, deadline=None)
@given(passages=collections, per_document=st.integers(1, 3), query=texts, cut=st.integers(0, 3))
def test_scores_over_segments_equal_bm25_over_all_passages(
    passages: list[str], per_document: int, query: str, cut: int
) -> None:
    documents = [row // per_document for row in range(len(passages))]
    cut = min(cut * per_document, len(passages))  # a document is not cut
    with TemporaryDirectory() as folder:
        parts = in_segments(Path(folder), passages, documents, [cut, len(passages) - cut])
        scores = score_terms(terms_of(query), parts)
    found = np.concatenate([each for each in scores.by_part if each is not None])
    np.testing.assert_allclose(found, definition(query, passages, documents), rtol=1e-5, atol=1e-6)
    assert found.max() <= scores.attainable * (1 + 1e-6)
    assert 0 <= scores.known <= 1


def test_known_is_the_weight_of_the_words_that_stand_somewhere(tmp_path: Path) -> None:
    parts = [written(tmp_path, 1, ["the cat", "the dog"])]
    everywhere, once, nowhere = (math.log(1 + (2 - n + 0.5) / (n + 0.5)) for n in (2, 1, 0))
    scores = score_terms(["the", "cat", "zebra"], parts)
    assert scores.attainable == pytest.approx(everywhere + once)
    assert scores.known == pytest.approx((everywhere + once) / (everywhere + once + nowhere))
    assert score_terms(["zebra"], parts).known == 0


@settings(max_examples=100, deadline=None)
@given(
    passages=collections,
    per_document=st.integers(1, 3),
    kept=st.sets(st.integers(0, 7)),
    cut=st.integers(0, 3),
    at_once=st.sampled_from([1, 5, 10**6]),
)
def test_merged_postings_are_those_of_the_texts_that_stay(
    passages: list[str], per_document: int, kept: set[int], cut: int, at_once: int
) -> None:
    documents = [row // per_document for row in range(len(passages))]
    cut = min(cut * per_document, len(passages))
    stays = [document in kept for document in documents]
    with TemporaryDirectory() as name:
        folder = Path(name)
        parts = in_segments(folder, passages, documents, [cut, len(passages) - cut])
        rows = [np.flatnonzero(stays[:cut]), np.flatnonzero(stays[cut:])]
        with patch("index.lexical.postings.MERGED_AT_ONCE", at_once):
            info = write_words(Folder(folder), 7, merged(list(zip(parts, rows, strict=True))))
        found = SegmentWords.open(folder, info)
        expected = written(folder, 8, list(compress(passages, stays)), list(compress(documents, stays)))
        np.testing.assert_array_equal(found.terms, expected.terms)
        for array in ("offsets", "rows", "frequencies", "lengths", "groups", "group_lengths"):
            np.testing.assert_array_equal(getattr(found.postings, array), getattr(expected.postings, array))


@given(text=texts)
def test_places_of_terms_give_the_same_terms(text: str) -> None:
    tokens = list(tokens_of(text))
    assert [term for token in tokens for term in token.terms] == terms_of(text)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)


@given(text=texts)
def test_no_term_holds_a_space_or_an_operator(text: str) -> None:
    assert not any(set(term) & set(' \t\n"*^()') for term in terms_of(text))


def test_a_segment_without_words_is_passed_over(tmp_path: Path) -> None:
    scores = score_terms(["cat"], [None, written(tmp_path, 1, ["the cat", ""])])
    assert scores.by_part[0] is None
    assert score_terms(["cat"], []).attainable == 0
    assert score_terms([], [written(tmp_path, 2, [])]).attainable == 0


def test_a_term_that_stands_more_often_than_a_byte_counts(tmp_path: Path) -> None:
    words = written(tmp_path, 1, ["cat " * 1000, "dog"])
    assert words.postings.frequencies.max() == 255
    assert words.postings.lengths.tolist() == [1000, 1]


@pytest.mark.parametrize("wrong", ["offsets", "rows", "names"])
def test_damaged_postings_are_refused(tmp_path: Path, wrong: str) -> None:
    arrays = {
        "terms": np.array([1, 2], np.uint64),
        "offsets": np.array([0, 1, 2] if wrong != "offsets" else [0, 2, 1], np.int64),
        "rows": np.array([0, 0], np.uint32 if wrong != "rows" else np.int64),
        "frequencies": np.ones(2, np.uint8),
        "groups": np.zeros(1, np.uint32),
        "group_lengths": np.array([2], np.uint32),
        "lengths" if wrong != "names" else "length": np.array([2], np.uint32),
    }
    file = write_arrays(Folder(tmp_path), "1.words", KIND, 1, str(ANALYSIS), arrays)
    with pytest.raises(CorruptionError):
        SegmentWords.open(tmp_path, WordsInfo(1, ANALYSIS, file))
