"""Near-duplicates of a run: the same as comparing each passage with each, in any script; bounded in memory."""

import random

from hypothesis import given
from hypothesis import strategies as st

from index.grouping import NEAR_DUPLICATE, Texts, shingles
from index.near_duplicates import MAX_SHINGLES, Sample, firsts, hashed, notices_of

WORDS = [
    "Impressum",
    "2024",
    "السلام",
    "عليكم",
    "東京都",
    "서울시",
    "กรุงเทพ",
    "cafe\u0301",
    "größe",
    "🐈",
    "page",
    "of",
]
SIMILARITIES = (0.3, 0.5, 0.8, NEAR_DUPLICATE, 1.0)

texts = st.lists(st.lists(st.sampled_from(WORDS), min_size=0, max_size=12).map(" ".join), max_size=25)


def by_definition(given: list[str], similarity: float) -> list[int]:
    """Compare each text with each that stands for itself."""
    found: list[int] = []
    for place, text in enumerate(given):
        own = shingles(text)
        earlier = (first for first in sorted(set(found)))
        alike = (
            first
            for first in earlier
            if len(own & shingles(given[first])) >= similarity * len(own | shingles(given[first]))
        )
        found.append(next(alike, place))
    return found


@given(texts, st.sampled_from(SIMILARITIES))
def test_what_is_found_is_what_comparing_each_with_each_finds(given: list[str], similarity: float) -> None:
    assert firsts([hashed(text) for text in given], similarity) == by_definition(given, similarity)


@given(texts, st.sampled_from(SIMILARITIES))
def test_a_search_leaves_out_the_same_passages(given: list[str], similarity: float) -> None:
    shown = Texts(similarity)
    taken = [shown.add(text) for text in given]
    assert taken == [first == place for place, first in enumerate(firsts([hashed(t) for t in given], similarity))]


@given(texts)
def test_all_of_a_small_run_is_compared_and_the_most_frequent_named(given: list[str]) -> None:
    sample, truth = Sample(), by_definition(given, NEAR_DUPLICATE)
    sample.add(given)
    found = sample.found()
    copies = {first: truth.count(first) for first in truth if truth.count(first) > 1}
    assert found.compared == len(given)
    assert found.passages == sum(first != place for place, first in enumerate(truth))
    assert found.most == max(copies.values(), default=0)
    assert not copies or found.text in {given[first][:60] for first in copies if copies[first] == found.most}


def test_a_long_run_is_sampled_evenly_within_its_bound() -> None:
    own = [f"Passage {number} handelt von {number * 7919} Dingen und sonst von nichts" for number in range(4000)]
    footer = "© 2024 株式会社サンプル. All rights reserved."
    mixed = [footer if number % 4 == 0 else text for number, text in enumerate(own)]
    sample = Sample(max_shingles=20_000)
    sample.add(mixed)
    found = sample.found()
    shingles_of_one = len(shingles(own[0]))
    assert 20_000 / shingles_of_one / 4 < found.compared < 20_000 / len(shingles(footer))
    assert found.text == footer
    assert abs((found.most / found.compared) - 0.25) < 0.1
    assert MAX_SHINGLES * 8 <= 16_000_000


def test_texts_of_the_same_few_words_are_compared_within_a_bound() -> None:
    rng = random.Random(1)
    sample = Sample()
    sample.add("".join(rng.choices(WORDS, k=40)) for _ in range(3000))
    found = sample.found()
    assert 300 < found.compared < 3000
    assert found.passages == 0


def test_it_is_told_how_often_and_how_to_search_without() -> None:
    sample = Sample()
    sample.add(["Seite von vielen\nSeiten im Buch", *["ملاحظة قانونية: جميع الحقوق محفوظة"] * 41])
    (notice,) = notices_of(sample.found())
    assert notice.code == "near_duplicates"
    assert notice.message == (
        "40 of 42 passages compared are nearly the same as another ('ملاحظة قانونية: جميع الحقوق محفوظة…' stands "
        "there 41 times): search with --collapse 0.9"
    )
    few = Sample()
    few.add(["zweimal gesagt"] * 10)
    assert notices_of(few.found()) == []
