"""The encoder benchmark: texts of the length that is claimed, and errors measured against the reference."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoder import N_TEXTS, TOKENS, Job, texts_of_length, time_encoder
from lfm2_colbert.encoders.loading import load_encoder

TEXTS = tuple(f"有給休暇 {i}" for i in range(4))


def job(folder: Path) -> Job:
    return Job("hashing", "hashing", "fp32", Path(), "query", 1, TEXTS, folder / "query.npy")


@pytest.mark.parametrize("kind", list(TOKENS))
def test_all_texts_have_the_tokens_that_the_row_states(kind: str) -> None:
    encoder = load_encoder("nano")
    texts = texts_of_length(encoder, kind)
    encode = encoder.encode_queries if kind == "query" else encoder.encode_documents
    assert encode(texts).lengths.tolist() == [TOKENS[kind]] * N_TEXTS
    assert len(set(texts)) == N_TEXTS


def test_the_first_to_run_is_the_reference_and_others_are_compared_with_it(tmp_path: Path) -> None:
    assert time_encoder(job(tmp_path))["max_abs_error"] == 0
    vectors = np.load(tmp_path / "query.npy")
    vectors[2, 3] += 0.25
    np.save(tmp_path / "query.npy", vectors)
    assert time_encoder(job(tmp_path))["max_abs_error"] == 0.25
