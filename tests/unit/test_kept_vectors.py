"""Vectors that were encoded once are looked up, however the run that encoded them ended."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from eval.vectors import KeptVectors
from index.queries import encode_questions
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

TEXTS = ["有給休暇は二十日", "الإجازة الطويلة 🐈", "Langer Urlaub nützt allen", ""]


class Counting(HashingEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[str] = []
        self.queries: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        self.documents += texts
        return super().encode_documents(texts)

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        self.queries += texts
        return super().encode_queries(texts)


def rounded(vectors: MultiVectors) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float16]]]:
    return [np.asarray(each, np.float16) for each in vectors]


def test_vectors_are_the_encoders_own_rounded_to_float16(tmp_path: Path) -> None:
    kept = KeptVectors(HashingEncoder(), tmp_path)
    expected = rounded(HashingEncoder().encode_documents(TEXTS))
    for found in (kept.kept(TEXTS), kept.encode_documents(TEXTS), KeptVectors(HashingEncoder(), tmp_path).kept(TEXTS)):
        assert [len(each) for each in found] == [len(each) for each in expected]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert kept.encode_documents(TEXTS).vectors.dtype == np.float32


def test_a_second_run_encodes_nothing(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    KeptVectors(first, tmp_path).kept([*TEXTS, TEXTS[0]])
    again = KeptVectors(second, tmp_path)
    again.kept(list(reversed(TEXTS)))
    assert (first.documents, second.documents) == (TEXTS, [])
    assert again.cost.texts == len(TEXTS)


def test_only_what_is_missing_is_encoded(tmp_path: Path) -> None:
    encoder = Counting()
    KeptVectors(HashingEncoder(), tmp_path).kept(TEXTS[:2])
    found = KeptVectors(encoder, tmp_path).kept(TEXTS)
    assert encoder.documents == TEXTS[2:]
    np.testing.assert_array_equal(found[3], rounded(HashingEncoder().encode_documents([TEXTS[3]]))[0])


def test_a_part_that_was_not_finished_counts_as_none(tmp_path: Path) -> None:
    KeptVectors(HashingEncoder(), tmp_path).kept(TEXTS[:2])
    unfinished = tmp_path / ".000001.part"
    unfinished.mkdir()
    (unfinished / "keys.npy").write_bytes(b"half of a file")
    encoder = Counting()
    KeptVectors(encoder, tmp_path).kept(TEXTS)
    assert encoder.documents == TEXTS[2:]
    assert not unfinished.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000", "000001"]


def test_queries_are_encoded_for_their_time_but_not_again_to_be_scored(tmp_path: Path) -> None:
    encoder = Counting()
    kept = KeptVectors(encoder, tmp_path)
    kept.encode_queries(TEXTS[:1])
    kept.encode_queries(TEXTS[:1])
    found = kept.asked([TEXTS[1], TEXTS[0], TEXTS[1]])
    assert encoder.queries == [TEXTS[0], TEXTS[0], TEXTS[1]]
    expected = HashingEncoder().encode_queries([TEXTS[1], TEXTS[0], TEXTS[1]])
    assert [len(windows) for windows in found] == [1, 1, 1]
    np.testing.assert_array_equal(np.concatenate([windows.vectors for windows in found]), expected.vectors)


def test_a_long_query_is_asked_in_the_windows_of_a_search(tmp_path: Path) -> None:
    encoder = HashingEncoder()
    long = " ".join(f"Frage{n} 有給休暇 วันลา إجازة" for n in range(40))
    (found,) = KeptVectors(encoder, tmp_path).asked([long])
    (question,) = encode_questions([long], encoder)
    assert len(found) == len(question.windows) > 1
    for own, window in zip(found, question.windows, strict=True):
        np.testing.assert_array_equal(own, window.vectors)


def test_the_keeper_is_an_encoder_like_the_one_it_keeps_for(tmp_path: Path) -> None:
    encoder = HashingEncoder()
    kept: Encoder = KeptVectors(encoder, tmp_path)
    assert (kept.name, kept.fingerprint, kept.dim) == (encoder.name, encoder.fingerprint, encoder.dim)
    for text in TEXTS:
        np.testing.assert_array_equal(kept.document_spans(text), encoder.document_spans(text))
        np.testing.assert_array_equal(kept.query_spans(text), encoder.query_spans(text))


def test_a_text_with_half_a_character_has_vectors(tmp_path: Path) -> None:
    kept = KeptVectors(HashingEncoder(), tmp_path)
    assert len(kept.kept(["Urlaub \ud83d"])[0]) == pytest.approx(
        len(HashingEncoder().encode_documents(["Urlaub \ud83d"])[0])
    )
