"""Sentences are changed as the benchmark of citations says, and its threshold is the best on one half alone."""

import random

import pytest

from benchmarks.citation_tables import citations
from benchmarks.citations import Case, chosen, curve, renamed, renumbered, shares, shortened
from benchmarks.results_file import measured
from service.rag.numbers import numbers

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cases() -> list[Case]:
    """On the first half 0.5 parts true from swapped; on the second, one true sentence of two lies below."""
    found = []
    for language in ("de", "ar", "ja"):
        for half, scores in ((0, (0.5, 0.7)), (1, (0.4, 0.9))):
            found += [Case("verbatim", language, half, score, False) for score in scores]
            found += [Case("swapped", language, half, score, False) for score in (0.1, 0.45)]
    return found


def test_a_sentence_is_shortened_by_words_or_characters_but_not_by_digits() -> None:
    assert shortened("eins zwei drei vier fünf sechs sieben acht") == "eins zwei vier fünf sechs acht"
    assert shortened("新入社員は2024年に休暇を取得できます") == "新入員は2024年に休を取得でます"


@pytest.mark.parametrize("text", ["Es sind 24 Tage.", "٢٤ يوما", "1.234,5 und 7"])
def test_a_number_becomes_another_one(text: str) -> None:
    assert numbers(renumbered(text, random.Random(0))) != numbers(text)


def test_what_has_no_number_and_no_name_stays_out() -> None:
    assert renumbered("Es sind Tage.", random.Random(0)) == ""
    assert renamed("er ist da", "Die Stadt Hamburg", random.Random(0)) == ""


def test_a_name_becomes_one_of_the_other_text() -> None:
    assert renamed("Sie wohnt in Bremen.", "Er lebt in Hamburg.", random.Random(0)) == "Sie wohnt in Hamburg."


def test_the_threshold_is_chosen_on_one_half_and_reported_on_the_other() -> None:
    threshold = chosen(cases(), ("verbatim",), ("swapped",))
    assert threshold == 0.5
    rows = {(row["name"], row["condition"]): row for row in shares(cases(), threshold, 0.3) if row["kind"] == "group"}
    assert rows["Latin", "verbatim"]["accepted"] == 0.5
    assert rows["CJK", "swapped"]["accepted"] == 0.0
    at = next(row for row in curve(cases()) if row["name"] == "Arabic" and row["threshold"] == 0.4)
    assert (at["precision"], at["recall"]) == (0.6667, 1.0)


def test_a_sentence_with_a_number_that_is_missing_is_never_accepted() -> None:
    assert not Case("renumbered", "de", 1, 1.0, True).accepted(0.5)


def test_the_table_has_a_line_for_each_kind_of_sentence() -> None:
    results = measured("citations", list(shares(cases(), 0.5, 0.3)), commit=COMMIT, command="x", seed=0)
    lines = citations(results).splitlines()
    assert "| said as it stands there | 50 % (2) | 50 % (2) | 50 % (2) |  |" in lines
