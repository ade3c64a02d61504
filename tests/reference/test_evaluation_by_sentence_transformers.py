"""Exact MaxSim is worth the same here as to the evaluator of sentence-transformers, on a causal checkpoint.

Without query expansion: with it, that library's convolutions read other values at masked places (docs/adr/0012).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.datasets.base import Task
from eval.run import Options, evaluate
from eval.vectors import KeptVectors
from index.types import Document
from lfm2_colbert import load_encoder
from lfm2_colbert.encoders.base import Encoder

pytestmark = pytest.mark.torch

pytest.importorskip("sentence_transformers")

WORDS = (
    "Urlaub Kündigung Miete Straße holiday contract tenant river 休暇 契約 東京 駅 서울 대한민국 계약 여름 "
    "首都 合同 假期 عطلة عقد إيجار مدينة วันหยุด สัญญา กรุงเทพ été contrat vacances 🏖 👩‍👩‍👧 e\u0301te\u0301"
).split()
N_DOCUMENTS, N_QUERIES = 80, 40


def task(encoder: Encoder) -> Task:
    """Draw texts that fit the encoder's budgets: longer ones are passages here, and cut there."""
    rng = np.random.default_rng(3)
    drawn = [" ".join(rng.choice(WORDS, rng.integers(1, 7))) for _ in range(20 * N_DOCUMENTS)]
    lengths = [len(spans) for spans in encoder.token_spans(drawn)]
    budget = min(encoder.max_query_tokens, encoder.max_document_tokens)
    fitting = list(dict.fromkeys(text for text, length in zip(drawn, lengths, strict=True) if length <= budget))
    documents = {f"d{i}": text for i, text in enumerate(fitting[:N_DOCUMENTS])}
    queries = {f"q{i}": text for i, text in enumerate(fitting[N_DOCUMENTS : N_DOCUMENTS + N_QUERIES])}
    qrels = {q: {f"d{d}": 1 for d in rng.choice(N_DOCUMENTS, rng.integers(1, 8), replace=False)} for q in queries}
    return Task("drawn", "und", "und", "test", {key: Document(key, t) for key, t in documents.items()}, queries, qrels)


def theirs(folder: Path, asked: Task, encoder: KeptVectors) -> dict[str, float]:
    """Run their evaluator over the vectors that ours has stored: float16 may swap passages that score alike."""
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.multi_vector_encoder.evaluation import MultiVectorInformationRetrievalEvaluator

    class Evaluator(MultiVectorInformationRetrievalEvaluator):  # type: ignore[misc]
        def embed_inputs(
            self, model: object, sentences: list[str], encode_fn_name: str | None = None, **options: object
        ) -> Any:
            import torch

            if encode_fn_name == "query":
                vectors = [torch.tensor(each) for each in encoder.encode_queries(sentences)]
                return torch.nn.utils.rnn.pad_sequence(vectors, batch_first=True)
            return [torch.tensor(each) for each in encoder.encode_documents(sentences)]

    evaluator = Evaluator(
        queries=dict(asked.queries),
        corpus={key: document.text for key, document in asked.documents.items()},
        relevant_docs={key: set(grades) for key, grades in asked.qrels.items()},
        write_csv=False,
    )
    found = evaluator(MultiVectorEncoder(str(folder), device="cpu", local_files_only=True))
    return {name.removeprefix("MaxSim_").removeprefix("maxsim_"): float(value) for name, value in found.items()}


def test_figures_equal_those_of_their_evaluator(tmp_path: Path, write_foreign_checkpoint: Callable[..., Path]) -> None:
    folder = write_foreign_checkpoint(tmp_path / "model")
    encoder = load_encoder(str(folder))
    options = Options(modes=("semantic",), effort="exact", codec="float16", baselines=("oracle",))
    report = evaluate([task(encoder)], options, encoder=encoder, cache=tmp_path / "cache")
    (vectors,) = (tmp_path / "cache").glob("collections/*/vectors")
    expected = theirs(folder, task(encoder), KeptVectors(encoder, vectors))
    for row in report.rows:
        figures = row.figures
        assert figures["ndcg_at_10"] == pytest.approx(expected["ndcg@10"], abs=1e-4), row.system
        assert figures["mrr_at_10"] == pytest.approx(expected["mrr@10"], abs=1e-4)
        assert figures["map_at_100"] == pytest.approx(expected["map@100"], abs=1e-4)
        assert figures["success_at_5"] == pytest.approx(expected["accuracy@5"], abs=1e-4)
    assert {row.system.system for row in report.rows} == {"lfm2-colbert", "oracle"}
