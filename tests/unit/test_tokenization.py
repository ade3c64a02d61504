"""Tokenisation with tiny vocabularies built in memory: budgets, spans, and text that looks like control tokens."""

import json
import lzma
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert.config import TokenContract
from lfm2_colbert.errors import InvalidArgumentError, InvalidConfigError, UnsafeModelError
from lfm2_colbert.tokenization import MAX_TOKENIZER_BYTES, TextTokenizer, read_tokenizer, tokenizer_specification

MARKERS = {"bpe": ("[Q] ", "[D] "), "unigram": ("[Q]", "[D]")}
BPE = TokenContract(1, 480, 481, query_length=12, document_length=20, pad_id=0, expansion_id=7, skip_ids=(19, 20))
TEXTS = [
    "",
    " ",
    "Grüße aus Orléans",
    "السنة الأولى.",
    "東京は日本の首都です。",
    "서울은 수도이다",
    "พนักงานใหม่",
    "e\u0301te\u0301 \u1100\u1161\u11a8",  # combining accents, conjoining jamo
    "👩‍👩‍👧‍👦 🇯🇵 👍🏽",
    "a\u0000b\ufeffc\u200dd",
]


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vocabularies: Mapping[str, str]
) -> TextTokenizer:
    path = tmp_path_factory.mktemp(request.param) / "tokenizer.json"
    path.write_text(vocabularies[request.param], encoding="utf-8")
    contract = BPE if request.param == "bpe" else TokenContract(1, 5, 6, query_length=12, document_length=20, pad_id=0)
    return TextTokenizer(read_tokenizer(path, markers=MARKERS[request.param]), contract)


@given(text=st.text(max_size=60) | st.sampled_from(TEXTS))
def test_spans_are_code_points_in_reading_order(tokenizer: TextTokenizer, text: str) -> None:
    spans = tokenizer.spans([text])[0]
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert ((spans >= 0) & (spans <= len(text))).all()
    assert (np.diff(spans, axis=0) >= 0).all()


@pytest.mark.parametrize("text", TEXTS)
def test_every_visible_character_belongs_to_a_token(tokenizer: TextTokenizer, text: str) -> None:
    # Where a normaliser joins code points to one, the token keeps the first of them: graphemes are what counts.
    covered = {i for start, end in tokenizer.spans([text])[0] for i in range(start, end)}
    for grapheme in regex.finditer(r"\X", text):
        if any(character.isalnum() for character in grapheme.group()):
            assert covered & set(range(*grapheme.span())), grapheme


@given(texts=st.lists(st.text(max_size=40) | st.sampled_from(TEXTS), max_size=4))
def test_texts_are_cut_to_the_budget_and_every_position_has_all_its_parts(
    tokenizer: TextTokenizer, texts: list[str]
) -> None:
    for read_all, length in ((tokenizer.queries, 12), (tokenizer.documents, 20)):
        for read, spans in zip(read_all(texts), tokenizer.spans(texts), strict=True):
            n_text = min(len(spans), length - 2)
            assert len(read.ids) == len(read.attended) == len(read.kept) == len(read.spans) <= length
            assert read.spans[:2].tolist() == [[-1, -1]] * 2
            np.testing.assert_array_equal(read.spans[2 : 2 + n_text], spans[:n_text])
            assert (read.spans[2 + n_text :] == -1).all()
            assert read.kept[:2].all()
            assert read.attended[: 2 + n_text].all()


@given(text=st.text(max_size=40) | st.sampled_from(TEXTS))
def test_spans_of_a_document_are_those_of_its_kept_positions(tokenizer: TextTokenizer, text: str) -> None:
    (read,) = tokenizer.documents([text])
    np.testing.assert_array_equal(tokenizer.document_spans(text), read.spans[read.kept])


def test_expansion_fills_queries_and_nothing_else(vocabularies: Mapping[str, str], tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(vocabularies["bpe"], encoding="utf-8")
    bpe = TextTokenizer(read_tokenizer(path, markers=MARKERS["bpe"]), BPE)
    query, document = bpe.queries(["ab"])[0], bpe.documents(["ab"])[0]
    n_text = len(document.ids) - 2
    assert query.ids[2 + n_text :].tolist() == [7] * (10 - n_text)
    assert not query.attended[2 + n_text :].any()
    assert query.kept.all()
    assert query.ids[1], document.ids[1] == (480, 481)


CONTROL = {
    "bpe": ["<|im_end|>", "<|startoftext|>", "[Q] ", "[D] ", "x [Q] y", "<|pad|><|im_start|>"],
    "unigram": ["<s>", "</s>", "[Q]", "[D]", "<mask>", "<pad>", "\u0001<s>", "\u0001 <s>", "a<s>b", "▁<s>"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in CONTROL.items() for text in texts])
def test_text_that_spells_a_control_token_stays_text(
    vocabularies: Mapping[str, str], tmp_path: Path, kind: str, text: str
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(vocabularies[kind], encoding="utf-8")
    contract = TokenContract(0, 0, 0, query_length=64, document_length=64, pad_id=0)
    ids = TextTokenizer(read_tokenizer(path, markers=MARKERS[kind]), contract).documents([text])[0].ids[2:]
    unknown = {3} if kind == "unigram" else set()  # an unknown character is no control token
    assert len(ids) > 0
    assert not (set(ids.tolist()) - unknown) & {*range(8), 480, 481}


def test_half_a_surrogate_pair_is_refused(tokenizer: TextTokenizer) -> None:
    with pytest.raises(InvalidArgumentError, match="surrogate"):
        tokenizer.documents(["fine", "\ud83d"])


@pytest.mark.parametrize("lengths", [(2, 8), (8, 2)])
def test_lengths_without_room_for_text_are_refused(lengths: tuple[int, int]) -> None:
    with pytest.raises(InvalidConfigError, match="at least 3"):
        TokenContract(0, 1, 2, query_length=lengths[0], document_length=lengths[1], pad_id=0)


def test_a_compressed_vocabulary_is_the_same_vocabulary(vocabularies: Mapping[str, str], tmp_path: Path) -> None:
    plain, packed = tmp_path / "tokenizer.json", tmp_path / "tokenizer.json.xz"
    plain.write_text(vocabularies["bpe"], encoding="utf-8")
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    assert tokenizer_specification(packed) == tokenizer_specification(plain)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"not json"),
        ("tokenizer.json", b"[" * 100_000),
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", b'{"model": {}}'),
        ("tokenizer.json", b'{"model": {"vocab": {}}}'),
        ("tokenizer.json", b'{"model": {"vocab": {"a": "b"}}}'),
        ("tokenizer.json", b'{"model": {"vocab": {"a": 0}}, "added_tokens": [{"id": 1}]}'),
        ("tokenizer.json", b'{"model": {"vocab": {"a": 0}}, "added_tokens": 5}'),
        ("tokenizer.json.xz", b"no xz"),
        ("tokenizer.json.xz", lzma.compress(b'{"model": {"vocab": {"a": 0}}}')[:-20]),
        ("tokenizer.json.xz", lzma.compress(bytes(MAX_TOKENIZER_BYTES + 1))),
    ],
    ids=[
        "text",
        "deep",
        "list",
        "no vocabulary",
        "empty",
        "ids as text",
        "no content",
        "number",
        "no xz",
        "cut",
        "bomb",
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsafeModelError, match=r"tokenizer\.json"):
        tokenizer_specification(tmp_path / name)


def test_a_vocabulary_that_the_library_refuses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"model": {"type": "Mystery", "vocab": {"a": 0}}}))
    with pytest.raises(UnsafeModelError, match="can load"):
        read_tokenizer(path)
