"""Texts in forward passes: each once, within what a pass may hold, and with vectors that stay with their text."""

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lfm2_colbert import load_encoder
from lfm2_colbert.encoders.batching import Batch, Passes, encode_in_batches, groups
from lfm2_colbert.encoders.loading import BUNDLED
from lfm2_colbert.encoders.onnx import folder_tokenizer, read_encoder_config
from lfm2_colbert.errors import NonFiniteVectorError

CONFIG = replace(read_encoder_config(BUNDLED), dim=2)
TOKENIZER = folder_tokenizer(BUNDLED, CONFIG)
TEXTS = ["Urlaub", "東京は日本の首都です。", "إجازة طويلة", "y", "กรุงเทพ", "é👍🏽", "한국어 " * 30, "lang " * 60]

lengths = st.lists(st.integers(1, 60), max_size=40)
limits = st.builds(Passes, positions=st.integers(1, 200), padding=st.integers(0, 50))


def fits(group: list[int], own: list[int], passes: Passes) -> bool:
    longest = max(own[i] for i in group)
    padding = sum(longest - own[i] for i in group)
    return len(group) == 1 or (len(group) * longest <= passes.positions and padding <= passes.padding)


@given(lengths, limits)
def test_each_text_is_in_one_pass_that_may_hold_it_and_not_the_next(own: list[int], passes: Passes) -> None:
    cut = list(groups(own, passes))
    order = [i for group in cut for i in group]
    assert sorted(order) == list(range(len(own)))
    assert [own[i] for i in order] == sorted(own)
    assert all(fits(group, own, passes) for group in cut)
    assert not any(fits([*group, after[0]], own, passes) for group, after in pairwise(cut))


def forward(batch: Batch) -> NDArray[np.float32]:
    """Give each token's id and its text's number of tokens."""
    counts = np.broadcast_to(batch.present.sum(axis=1, keepdims=True), batch.ids.shape)
    return np.stack([batch.ids, counts], axis=2).astype(np.float32)


@pytest.mark.parametrize("at_once", [1, 2, 5])
@pytest.mark.parametrize("padding", [0, 16, 4096])
def test_vectors_stay_with_their_text_however_passes_are_cut_and_run(padding: int, at_once: int) -> None:
    tokenized = TOKENIZER.documents(TEXTS)
    found = encode_in_batches(tokenized, TEXTS, forward, CONFIG, Passes(64, padding, at_once))
    for text, vectors in zip(tokenized, found, strict=True):
        assert vectors[:, 0].tolist() == text.ids[text.kept].tolist()
        assert set(vectors[:, 1]) == {len(text.ids)}


def test_passes_at_once_run_in_threads_of_their_own() -> None:
    meet = threading.Barrier(2, timeout=30)

    def both(batch: Batch) -> NDArray[np.float32]:
        meet.wait()
        return forward(batch)

    texts = ["Urlaub", "lang " * 60]
    found = encode_in_batches(TOKENIZER.documents(texts), texts, both, CONFIG, Passes(4096, 0, at_once=2))
    assert found.lengths.tolist() == [int(each.kept.sum()) for each in TOKENIZER.documents(texts)]


def test_a_pass_that_fails_beside_others_says_for_which_text() -> None:
    def broken(batch: Batch) -> NDArray[np.float32]:
        return np.full((*batch.ids.shape, 2), np.nan if batch.ids.shape[1] > 50 else 1, np.float32)

    with pytest.raises(NonFiniteVectorError, match="lang lang"):
        encode_in_batches(TOKENIZER.documents(TEXTS), TEXTS, broken, CONFIG, Passes(4096, 0, at_once=2))


def test_threads_do_not_change_what_the_bundled_encoder_gives() -> None:
    one, four = (load_encoder("nano", threads=threads).encode_documents(TEXTS * 3) for threads in (1, 4))
    np.testing.assert_array_equal(one.vectors, four.vectors)
