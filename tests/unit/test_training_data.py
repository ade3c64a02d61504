"""Texts to learn from: read, drawn by language, and kept apart from what models are measured on."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert.errors import InvalidConfigError, NotFoundError
from lfm2_colbert.training.decontamination import Contamination, held_out
from lfm2_colbert.training.sources import (
    Pair,
    cloze,
    drawn,
    of_languages,
    read_documents,
    read_pairs,
    read_parallel,
    read_queries,
    require_shippable,
)

ENGLISH = "The quick brown fox jumps over the lazy dog and then it goes home to sleep for a while"
JAPANESE = "東京は日本の首都であり、世界でも有数の人口を持つ都市です。"


def pair(group: str, number: int) -> Pair:
    return Pair(f"{group} {number}", f"answer {number}", group, "source")


def test_pairs_are_read_with_their_language_and_what_cannot_be_shipped_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "faq").mkdir()
    rows = [
        {"query": "Wie  lange?", "positive": "Zwanzig &amp; zwei Tage"},
        {"query": "nur eine Frage"},
        {"query": "x", "positive": "y", "source": "msmarco"},
    ]
    (tmp_path / "faq" / "de.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert list(read_pairs(tmp_path, ["faq"])) == [Pair("Wie lange?", "Zwanzig & zwei Tage", "de", "faq")]
    with pytest.raises(NotFoundError, match="none"):
        list(read_pairs(tmp_path, ["none"]))
    (tmp_path / "faq" / "ja.jsonl").write_text('{"positive": "答え"}')
    with pytest.raises(InvalidConfigError, match=r"ja\.jsonl:1"):
        list(read_pairs(tmp_path, ["faq"]))


def test_translations_are_read_by_columns(tmp_path: Path) -> None:
    (tmp_path / "talks.ar-ja.tsv").write_text("صباح الخير\tおはよう\nno column\n\t\n")
    assert list(read_parallel(tmp_path, ["talks"])) == [Pair("صباح الخير", "おはよう", "ar-ja", "talks")]


def test_the_first_sentence_of_a_document_asks_for_the_rest(tmp_path: Path) -> None:
    (tmp_path / "ja").mkdir()
    (tmp_path / "ja" / "a.txt").write_text("有給は二十日です。最初の年は少ない。")
    (tmp_path / "ja" / "b.txt").write_text("一文だけ")
    assert list(read_documents(tmp_path)) == [Pair("有給は二十日です。", "最初の年は少ない。", "ja", "documents")]


def test_a_passage_of_pairs_is_cut_once_and_stands_with_its_own_language() -> None:
    passage, whole = "有給は二十日です。最初の年は少ない。", "一文だけ"
    pairs = [Pair("Wie viele?", passage, "de-ja", "a"), Pair("何日？", passage, "ja", "b"), Pair("x", whole, "ja", "b")]
    assert cloze(pairs) == [Pair("有給は二十日です。", "最初の年は少ない。", "ja", "b")]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=1),
    st.integers(1, 200),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_group_gives_more_than_it_has_and_small_ones_are_favoured(
    sizes: dict[str, int], n: int, exponent: float
) -> None:
    pairs = [pair(group, number) for group, size in sizes.items() for number in range(size)]
    chosen = drawn(pairs, n, exponent, np.random.default_rng(0))
    counts = {group: sum(each.group == group for each in chosen) for group in sizes}
    assert len(chosen) == len({each.query for each in chosen})
    assert n - len(sizes) <= len(chosen) <= n or len(chosen) == len(pairs)
    for small in sizes:
        for large in sizes:
            if sizes[small] <= sizes[large]:
                assert counts[small] / sizes[small] >= counts[large] / sizes[large] - 1 / sizes[small]


@pytest.mark.parametrize(
    ("held", "text", "touched"),
    [
        (ENGLISH, f"Before. {ENGLISH.upper()} After.", True),
        (ENGLISH, "The quick brown fox jumps over another dog and then it goes home to sleep", False),
        (JAPANESE, f"{JAPANESE}そして", True),
        (JAPANESE, "東京は日本の首都であり、大阪は西の都です。", False),
        ("Wie lange?", " wie lange? ", True),
        ("Wie lange?", "Wie lange habe ich Urlaub?", False),
    ],
)
def test_texts_that_share_a_run_with_what_is_held_out_are_found(held: str, text: str, touched: bool) -> None:
    contamination = Contamination()
    contamination.add(held)
    assert contamination.touches(text) is touched


def test_queries_and_answers_are_held_out_and_other_documents_are_not(tmp_path: Path) -> None:
    home = tmp_path / "set" / "en"
    (home / "qrels").mkdir(parents=True)
    corpus = [{"_id": "d1", "text": ENGLISH}, {"_id": "d2", "text": f"{ENGLISH[::-1]}"}]
    (home / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (home / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "What does the fox do?"}))
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td1\t1\nq\td2\t0\n")
    contamination = held_out(tmp_path)
    assert contamination.touches(ENGLISH)
    assert contamination.touches("what does the fox do?")
    assert not contamination.touches(ENGLISH[::-1])


def test_sources_that_forbid_it_are_named() -> None:
    require_shippable(["jaquad", "tatoeba-test"])
    with pytest.raises(InvalidConfigError, match="multi30k, scifact"):
        require_shippable(["scifact", "jaquad", "multi30k"])


def test_questions_without_a_passage_are_their_own_and_what_cannot_be_shipped_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "asked").mkdir()
    rows = [{"query": "東京  は？"}, {"query": "x", "positive": "y"}, {"query": "z", "source": "msmarco"}]
    (tmp_path / "asked" / "ja.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert list(read_queries(tmp_path, ["asked"])) == [Pair("東京 は？", "東京 は？", "ja", "asked")]


@pytest.mark.parametrize(
    ("languages", "kept"),
    [
        ((), ["ar", "ar-ja", "pt-br", "en-pt-br", "en-web", "hi-de"]),
        (("ar", "ja", "en"), ["ar", "ar-ja"]),
        (("pt",), []),
        (("en", "pt-br", "de"), ["pt-br", "en-pt-br"]),
    ],
)
def test_of_pairs_both_languages_have_to_be_wanted(languages: tuple[str, ...], kept: list[str]) -> None:
    pairs = [pair(group, 0) for group in ("ar", "ar-ja", "pt-br", "en-pt-br", "en-web", "hi-de")]
    assert [each.group for each in of_languages(pairs, languages)] == kept
