"""A long question is read in windows: whole sentences where they fit, nothing left out, never many."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.queries import split
from lfm2_colbert.encoders.hashing import HashingEncoder

LIMIT = 12
ENCODER = HashingEncoder(max_query_tokens=LIMIT)
PIECES = [
    "Am 3. Mai kam Dr. Wu nach Köln.", "東京は日本の首都です。", "「はい。」", "كم يوما الإجازة؟", "휴가는 24일이다.",
    "我在上海。",
    "กรุงเทพมหานครเป็นเมืองหลวง", "n\u0303an\u0303a cafe\u0301", "👨‍👩‍👧", "\n", " ", "a. b. c.", "wort " * 30, "…",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=30).map(" ".join)


def n_tokens(text: str) -> int:
    return len(ENCODER.token_spans([text])[0])


@given(text=texts)
def test_windows_hold_all_that_is_asked_in_its_order_and_each_is_read_whole(text: str) -> None:
    windows = split(text, ENCODER)
    kept = "".join(text[start:end] for start, end in windows)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(a < b <= c for (a, b), (c, _) in pairwise(windows))
    if len(windows) > 1:
        assert all(n_tokens(text[start:end]) <= LIMIT for start, end in windows)
    else:
        assert n_tokens(text) <= LIMIT or not text.strip()


@given(text=texts)
def test_windows_are_never_many(text: str) -> None:
    assert len(split(text, ENCODER)) <= 5 * -(-n_tokens(text) // LIMIT) + 2


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (
            "Gestern habe ich mit meiner Nachbarin lange über ihren Garten gesprochen.",
            "Wo schläft eigentlich der Hund?",
        ),
        ("昨日は友だちと長いあいだ庭で話しました。", "犬はどこで寝ますか。"),
        ("昨天我和邻居在花园里聊了很久。", "狗在哪里睡觉？"),
        ("어제 이웃과 정원에서 오래 이야기를 나누었고 저녁도 함께 먹었습니다.", "개는 대체 어디에서 자나요?"),
        ("تحدثت أمس مع جارتي طويلا عن حديقتها الجميلة والزهور.", "أين ينام الكلب؟"),
    ],
)
def test_what_is_asked_behind_something_else_has_a_window_of_its_own(told: str, asked: str) -> None:
    text = f"{told} {told} {asked}"
    windows = [text[start:end].strip() for start, end in split(text, ENCODER)]
    assert windows[-1] == asked
    assert "".join(windows[:-1]).replace(" ", "") == (told + told).replace(" ", "")


def test_short_sentences_share_a_window_and_what_fits_is_one() -> None:
    assert split("Ja. Nein. Ja.", ENCODER) == [(0, 13)]
    text = "Ja. Nein. Doch. " * 5
    windows = split(text, ENCODER)
    assert 1 < len(windows) <= 8
    assert all(text[start:end].count(".") > 1 for start, end in windows)
