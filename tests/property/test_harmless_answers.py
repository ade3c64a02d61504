"""Whatever a text is cut into, it becomes as harmless as in one piece, and stays so."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from index.sentences import sentences
from service.rag.harmless import Harmless, harmless
from service.rag.sentences import Writing

PARTS = st.sampled_from(
    ["](", "][", "]:", "<", "img", "/", "https", "://", ":", "/", "www", ".", "evil", "javascript:", "data:x", "!", "[",
     " ", "\n", "a", "犬", "。", "ب", "\u202e", "\x00", "?", "1", "é", "🐈‍⬛"]
)  # fmt: skip
TEXTS = st.lists(PARTS, max_size=24).map("".join)


@given(TEXTS, st.lists(st.integers(0, 60), max_size=12))
def test_pieces_make_up_the_whole(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(places)]
    filtered = Harmless()
    assert "".join(map(filtered.add, pieces)) + filtered.end() == harmless(text)


@given(TEXTS)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(harmless(text)) == harmless(text)


@given(TEXTS, st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_sentences_are_the_same_while_a_text_is_written(text: str, lengths: list[int]) -> None:
    writing, found, start = Writing(), [], 0
    while start < len(text):
        length = lengths[start % len(lengths)]
        found += writing.add(text[start : start + length])
        start += length
    found += writing.end()
    assert [(each.start, each.end) for each in found] == [(each.start, each.end) for each in sentences(text)]
