"""Which terms a text has: the words that must be found, whatever their script or spelling."""

import pytest

from index.lexical.analysis import query_terms, terms_of, tokens_of
from index.lexical.matching import match_words


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("首都", "東京は日本の首都である"),
        ("수도", "서울은 대한민국의 수도이다"),
        ("水", "飲料水の検査"),
        ("ปี", "ตลอดทั้งปีนี้"),
        ("人口", "上海市的人口超过两千万"),
        ("กรุงเทพ", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"),
        ("Straße", "DIE STRASSE IST LANG"),
        ("STRASSE", "an der Straße"),
        ("café", "le cafe du coin"),
        ("cafe", "le cafe\u0301 du coin"),
        ("قرآن", "تلاوة القُرآن الكريم"),
        ("قُرآن", "قرآن"),
        ("كتاب", "والكتاب على الطاولة"),
        ("१२३", "number 123"),
        ("٢٠٢٤", "in 2024"),
        ("İstanbul", "istanbul"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς"),
        ("Ёлка", "елка"),
        ("Donau\u00addampf", "Donaudampf"),
        ("CamelCase", "the camelcase word"),
        ("camel", "a CamelCaseWord"),
        ("bar", "foo_bar.baz"),
        ("foo_bar", "call foo_bar.baz()"),
        ("2.13", "since v2.13.0"),
        ("1234567", "about 1,234,567 people"),
        ("v2.13.0", "torch v2.13.0 is out"),
        ("2024-03-12", "on 2024-03-12 at noon"),
        ("example.com", "mail a.b@example.com"),
    ],
)
def test_a_word_is_found_in_its_passage(word: str, text: str) -> None:
    assert set(query_terms(word)) & set(terms_of(text))


@pytest.mark.parametrize(
    "identifier", ["foo_bar.baz", "v2.13.0", "2024-03-12", "a.b@example.com", "snake_case", "C3PO"]
)
def test_an_identifier_is_one_term_too(identifier: str) -> None:
    assert identifier.lower() in terms_of(f"see ({identifier}).")


def test_a_query_in_thai_goes_by_threes_where_it_can() -> None:
    assert query_terms("กรุง") == ["กรุ", "รุง"]
    assert query_terms("ปี") == ["ปี"]


def test_operators_are_data() -> None:
    assert terms_of('" * ^ ( ) : + - ~ { } [ ] \\ ; --') == []
    assert terms_of('NEAR("cat" AND dog*)') == ["near", "cat", "and", "dog"]


def test_vietnamese_words_keep_the_marks_that_tell_them_apart() -> None:
    assert terms_of("Hà Nội") == ["ha", "nội"]
    assert terms_of("mạ mả") == ["mạ", "mả"]


def test_vowel_signs_belong_to_their_word() -> None:
    assert len(terms_of("हिन्दी में")) == 2


def test_a_match_is_shown_where_it_stands() -> None:
    query, text = "首都 cat", "The CATS of the 日本の首都."
    found = match_words(query, text, 0)
    assert [text[m.passage.start : m.passage.end] for m in found] == ["首", "首都", "都"]
    assert [query[m.query.start : m.query.end] for m in found] == ["首", "首都", "都"]


def test_a_run_that_changes_its_length_is_shown_whole() -> None:
    tokens = list(tokens_of("ﾊﾞﾅﾅ です"))
    assert (tokens[0].start, tokens[0].end, tokens[0].terms) == (0, 4, ("バナ", "ナナ"))
