"""What holds for the passages of any text under any tokenizer."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from index.chunking import chunk
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.encoders.hashing import HashingEncoder


class ByteEncoder(HashingEncoder):
    """A token for each UTF-8 byte: several tokens share a code point, as in byte-level vocabularies."""

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        spans = [[(i, i + 1) for i, point in enumerate(text) for _ in point.encode()] for text in texts]
        return [np.array(each, np.int64).reshape(-1, 2) for each in spans]


class PairEncoder(HashingEncoder):
    """Pairs code points from the end, so that a part is tokenised unlike the whole, and spaces belong to tokens."""

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        spans = [[(max(0, end - 2), end) for end in range(len(text), 0, -2)][::-1] for text in texts]
        return [np.array(each, np.int64).reshape(-1, 2) for each in spans]


PIECES = [
    *(
        "مرحبا",
        "لَدَيَّ",
        "؟ ",
        "، ",
        "有給休暇",
        "。",
        "「",
        "」",
        "か\u3099",
        "휴가는",
        "각",
        "年假",
        "！",
        "วันลา",
        "ที่นี่",
        "กำ",
    ),
    *("Straße", "z. B. ", "Ende. ", "Neu", ", ", "e\u0301", " \u0301", "\u0600 ", "q\u0323\u0307", "क्षि", "। "),
    *(
        "👩‍👩‍👧‍👦",
        "🇩🇪",
        "🇯",
        "👍🏽",
        "✊\ufe0f",
        "\r\n",
        "\n",
        "\n\n",
        "\n# ",
        "\n```\n",
        "\n| a | 東京 |",
        " ",
        "  ",
        "\t",
        "\u3000",
        "\u2028",
        "\x1c",
        "\u00a0",
        "\u200d",
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs"]), max_size=60).map("".join)
ENCODERS = [HashingEncoder(), ByteEncoder(), PairEncoder()]


@pytest.fixture(params=ENCODERS, ids=["words", "bytes", "pairs"], scope="module")
def encoder(request: pytest.FixtureRequest) -> HashingEncoder:
    found: HashingEncoder = request.param
    return found


@given(text=TEXTS, budget=st.integers(4, 30), overlap=st.sampled_from([0.0, 0.2, 0.5]))
def test_every_visible_code_point_lies_in_a_passage(
    encoder: HashingEncoder, text: str, budget: int, overlap: float
) -> None:
    covered: set[int] = set()
    for passage in chunk(text, encoder, budget=budget, overlap=overlap):
        covered.update(range(passage.start, passage.end))
    assert "".join(text[i] for i in range(len(text)) if i not in covered).strip() == ""


@given(text=TEXTS, budget=st.integers(4, 30), overlap=st.sampled_from([0.0, 0.2, 0.5]))
def test_every_passage_keeps_the_budget(encoder: HashingEncoder, text: str, budget: int, overlap: float) -> None:
    for passage in chunk(text, encoder, budget=budget, overlap=overlap):
        assert passage.tokens == len(encoder.token_spans([text[passage.start : passage.end]])[0]) <= budget


@given(text=TEXTS, budget=st.integers(4, 30), overlap=st.sampled_from([0.0, 0.2, 0.5]))
def test_passages_advance_and_repeat_only_a_part(
    encoder: HashingEncoder, text: str, budget: int, overlap: float
) -> None:
    passages = chunk(text, encoder, budget=budget, overlap=overlap)
    for one, two in pairwise(passages):
        assert one.start < two.start
        assert one.end < two.end
        assert overlap > 0 or one.end <= two.start


def graphemes(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in regex.finditer(r"\X", text)]


@given(text=TEXTS, overlap=st.sampled_from([0.0, 0.2]))
def test_no_grapheme_cluster_is_cut(encoder: HashingEncoder, text: str, overlap: float) -> None:
    budget = 2 + max((len(encoder.token_spans([text[a:b]])[0]) for a, b in graphemes(text)), default=0)
    for passage in chunk(text, encoder, budget=budget, overlap=overlap):
        for start, end in graphemes(text):
            assert not start < passage.start < end
            assert not start < passage.end < end


@given(text=TEXTS)
def test_passages_begin_and_end_with_something_visible(encoder: HashingEncoder, text: str) -> None:
    for passage in chunk(text, encoder, budget=20):
        clusters = [
            text[max(a, passage.start) : b] for a, b in graphemes(text) if a < passage.end and b > passage.start
        ]
        assert clusters[0].strip()
        assert clusters[-1].strip()


@given(before=TEXTS, rows=st.integers(2, 5), code=st.booleans(), after=TEXTS, budget=st.integers(20, 60))
def test_a_block_that_fits_is_kept_whole(
    encoder: HashingEncoder, before: str, rows: int, code: bool, after: str, budget: int
) -> None:
    before, after = (text.replace("`", "").replace("~", "").replace("|", "") for text in (before, after))
    block = "```\n" + "x = 1\n\n" * rows + "```" if code else "\n".join(["| Tage | 日 |"] * rows)
    text, start = f"{before}\n\n{block}\n\n{after}", len(before) + 2
    end = start + len(block)
    if len(encoder.token_spans([block])[0]) <= budget:
        found = chunk(text, encoder, budget=budget)
        assert any(passage.start <= start and end <= passage.end for passage in found)


@given(text=TEXTS.filter(lambda text: bool(text.strip())))
def test_a_large_budget_gives_one_passage(encoder: HashingEncoder, text: str) -> None:
    assert len(chunk(text, encoder, budget=10_000)) == 1
