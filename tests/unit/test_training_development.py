"""The curve's nDCG is that of the evaluation, and sets survive the way to another machine."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("torch")

from eval.measures import measure
from index.maxsim import maxsim
from lfm2_colbert.errors import NotFoundError
from lfm2_colbert.training.checkpoints import read_start
from lfm2_colbert.training.development import Judged, load_judged, ndcg_at_10, read_judged, save_judged, scores_of

pytestmark = pytest.mark.torch

TEXTS = {
    "d1": "東京は日本の首都です。",
    "d2": "Berlin, Hauptstadt.",
    "d3": "القاهرة عاصمة مصر.",
    "d4": "서울은 수도이다.",
}


def as_ids(texts: Sequence[str]) -> list[NDArray[np.int64]]:
    return [np.array([0, 47997, *(5 + ord(letter) % 1000 for letter in text)]) for text in texts]


def write_set(folder: Path, language: str, asked: str = "") -> None:
    home = folder / "cities" / language
    (home / "qrels").mkdir(parents=True)
    (home / "corpus.jsonl").write_text("".join(json.dumps({"_id": k, "text": v}) + "\n" for k, v in TEXTS.items()))
    rows = [{"_id": "q1", "text": "Hauptstadt?"}, {"_id": "q2", "text": "首都？"}]
    (home / f"queries{asked}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td2\t2\nq1\td1\t1\nq1\td3\t0\nq9\td1\t1\n")


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_it_is_the_evaluations_ndcg(n_queries: int, n_documents: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(n_queries * n_documents).reshape(n_queries, n_documents).astype(np.float32)
    grades = rng.integers(0, 3, scores.shape)
    grades[:, 0] = 1
    judged = np.array([(q, d, grades[q, d]) for q, d in zip(*np.nonzero(grades), strict=True)], np.int32)
    qrels = {str(q): {str(d): int(grades[q, d]) for d in range(n_documents)} for q in range(n_queries)}
    runs = {str(q): {str(d): float(scores[q, d]) for d in range(n_documents)} for q in range(n_queries)}
    theirs = measure(qrels, runs).per_query["nDCG@10"]
    np.testing.assert_allclose(ndcg_at_10(scores, judged), [theirs[str(q)] for q in range(n_queries)], atol=1e-9)


def test_of_equals_the_earlier_is_first_and_unjudged_queries_do_not_count() -> None:
    scores = np.array([[1, 1, 1], [0, 0, 0], [1, 2, 3]], np.float32)
    judged = np.array([(0, 0, 1), (2, 0, 1)], np.int32)
    assert ndcg_at_10(scores, judged).tolist() == [1.0, pytest.approx(0.5)]


def test_scores_are_those_of_the_oracle() -> None:
    start = read_start("nano", None, np.random.default_rng(0))
    queries, documents = (as_ids(list(texts)) for texts in (["Wo?", "日本の首都はどこですか"], TEXTS.values()))
    task = Judged("t", [q.astype(np.uint16) for q in queries], [d.astype(np.uint16) for d in documents], None)  # type: ignore[arg-type]
    model = start.model()
    alone = scores_of(model, task)
    import torch

    from lfm2_colbert.backbone import Masks

    def vectors(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        present = torch.ones(1, len(ids), dtype=torch.bool)
        with torch.inference_mode():
            return model(torch.from_numpy(ids)[None], Masks(present, present))[0].numpy()  # type: ignore[no-any-return]

    theirs = [[maxsim(vectors(q), vectors(d)) / len(q) for d in documents] for q in queries]
    np.testing.assert_allclose(alone, theirs, atol=0.02)  # encoded in bfloat16


def test_sets_are_read_by_the_languages_they_are_asked_in_and_come_back_from_a_file(tmp_path: Path) -> None:
    write_set(tmp_path, "ja")
    write_set(tmp_path, "ko", ".de")
    tasks = read_judged(tmp_path, as_ids, as_ids)
    assert [task.name for task in tasks] == ["cities ja-ja", "cities de-ko"]
    assert tasks[0].judged.tolist() == [[0, 1, 2], [0, 0, 1]]
    save_judged(tmp_path / "sets.npz", tasks)
    for ours, theirs in zip(load_judged(tmp_path / "sets.npz"), tasks, strict=True):
        assert ours.name == theirs.name
        np.testing.assert_array_equal(ours.judged, theirs.judged)
        for kind in ("queries", "documents"):
            for a, b in zip(getattr(ours, kind), getattr(theirs, kind), strict=True):
                np.testing.assert_array_equal(a, b)
    with pytest.raises(NotFoundError):
        read_judged(tmp_path / "cities", as_ids, as_ids)
