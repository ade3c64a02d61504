"""Arithmetic of the comparison of codecs, against values computed by hand."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import codecs
from benchmarks.codecs import (
    NONE,
    Material,
    OrthogonalFrame,
    drawn,
    fidelity,
    over_turns,
    rows_of,
    touched_bytes,
    variants,
)
from benchmarks.engine_vectors import EngineSet
from eval.oracle import all_scores
from index.codecs.base import Precision
from index.codecs.float16 import Float16
from index.codecs.frame import Frame
from index.codecs.scalar import Scalar4
from lfm2_colbert.multivectors import MultiVectors

DIM = 32
MEAN = np.full(DIM, 0.1, np.float32)


def vectors(n: int, seed: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    drawn_ones = np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32) + MEAN
    return drawn_ones / np.linalg.norm(drawn_ones, axis=1, keepdims=True)


@pytest.fixture
def material() -> Material:
    passages = MultiVectors(vectors(600, seed=0), np.arange(121, dtype=np.int64) * 5)
    queries = MultiVectors(vectors(12, seed=1), np.array([0, 4, 12]))
    return Material(passages, queries, all_scores(queries, passages), {"mean": MEAN, NONE: np.zeros(DIM, np.float32)})


def test_an_orthogonal_frame_turns_without_stretching_and_its_seed_decides_how() -> None:
    turned = [OrthogonalFrame(MEAN, seed).rotation() for seed in (0, 1, 1)]
    assert turned[0] @ turned[0].T == pytest.approx(np.eye(DIM), abs=1e-6)
    assert np.array_equal(turned[1], turned[2])
    assert np.abs(turned[0] - turned[1]).max() > 0.1
    assert len(np.unique(np.abs(turned[0]))) > DIM  # of Hadamard's, all entries are as large


def test_a_codec_that_rotates_is_measured_in_every_frame(material: Material) -> None:
    found = [(each.rotation, each.centring, len(each.turns)) for each in variants(Scalar4, material)]
    frames = [("hadamard", "mean"), ("hadamard", NONE), ("orthogonal", "mean"), ("orthogonal", NONE)]
    assert found == [(*frame, codecs.N_TURNS) for frame in frames]


def test_a_codec_that_needs_no_frame_is_measured_once(material: Material) -> None:
    assert [(each.rotation, each.centring, len(each.turns)) for each in variants(Float16, material)] == [
        (NONE, NONE, 1)
    ]


def test_a_precision_touches_the_bytes_that_its_scores_depend_on(material: Material) -> None:
    codec = Scalar4(Frame(MEAN))
    coarse, full = (touched_bytes(codec, material, precision) for precision in (Precision.COARSE, Precision.FULL))
    assert coarse == DIM / 2 + 2 + 2  # codes, a scale and a product with the mean
    assert full == DIM + 2 + 2
    assert touched_bytes(Float16(), material, Precision.COARSE) == 2 * DIM


def test_what_all_passages_have_in_common_is_no_error(material: Material) -> None:
    found = fidelity(material.exact + np.float32(7), material)
    assert found["score_error_sd"] == pytest.approx(0, abs=1e-6)
    assert {value for name, value in found.items() if name.startswith("recall")} == {1}


def test_errors_are_counted_for_each_token_of_the_query(material: Material) -> None:
    errors = np.where(np.arange(120) % 2, 1, -1).astype(np.float32)  # standard deviation 1
    found = fidelity(material.exact + errors, material)
    assert found["score_error_sd"] == pytest.approx((1 / 4 + 1 / 8) / 2, abs=1e-5)  # queries of 4 and 8 tokens


def test_candidates_are_the_first_by_code(material: Material) -> None:
    order = np.argsort(-material.exact, axis=1, kind="stable")
    scores = np.zeros_like(material.exact)
    np.put_along_axis(scores, order, -np.arange(120, dtype=np.float32)[None], axis=1)
    np.put_along_axis(scores, order[:, :2], np.float32(-20.5), axis=1)  # the two best fall to places 20 and 21
    found = fidelity(scores, material)
    assert [found[name] for name in ("recall_at_10", "recall_at_10_in_16", "recall_at_10_in_32")] == [0.8, 0.8, 1.0]


def test_turns_give_their_mean_and_how_far_apart_they_are() -> None:
    turns = [{"recall_at_10": 0.9, "score_error_sd": 0.1}, {"recall_at_10": 0.96, "score_error_sd": 0.3}]
    assert over_turns(turns) == {"recall_at_10": 0.93, "score_error_sd": 0.2, "recall_at_10_spread": 0.06}


def test_rows_name_what_was_measured(material: Material) -> None:
    coarse, full = rows_of("float16", Float16, material)
    assert (coarse["precision"], full["precision"]) == ("coarse", "full")
    assert coarse["disk_bytes_per_token"] == 2 * DIM
    assert coarse["recall_at_10"] == 1
    assert coarse["rotations"] == 1


def test_drawn_passages_keep_their_exact_scores(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "N_PASSAGES", 50)
    passages = MultiVectors(material.passages.vectors.astype(np.float16), material.passages.offsets)
    data = EngineSet(
        passages, np.arange(120), ["la"] * 120, material.queries, [{}, {}], Path(), np.zeros(600, np.uint32)
    )
    found = drawn(data, all_scores(data.queries, passages))
    assert found.exact == pytest.approx(all_scores(found.queries, found.passages), abs=1e-5)
    assert found.means["mean"] == pytest.approx(passages.vectors.astype(np.float32).mean(axis=0), abs=1e-6)
