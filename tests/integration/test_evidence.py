"""The stored vectors of hits: those that were searched, each with its place in the text."""

from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document
from index.maxsim import maxsim
from lfm2_colbert import load_encoder
from lfm2_colbert.multivectors import MultiVectors

TEXTS = [
    "Der Hund schläft im Garten.",
    "猫は寝ています。犬は走る。",
    "يحصل الموظفون على إجازة.",
    "Auf dem Sofa 🐈‍⬛ im Cafe\u0301.",
]
ENCODER = load_encoder("nano", threads=1)


@pytest.mark.parametrize("pool", [1, 2])
def test_they_give_the_score_of_the_hit(tmp_path: Path, pool: int) -> None:
    with Collection.open("c", create=True, encoder=ENCODER, home=tmp_path, pool=pool) as collection:
        collection.add([Document(str(n), text) for n, text in enumerate(TEXTS)])
        found = collection.search("Wo schläft der Hund?", mode="semantic")
        (query,) = ENCODER.encode_queries([found.query])
        for hit, evidence in zip(found, collection.evidence(found.hits), strict=True):
            assert evidence is not None
            assert maxsim(query, evidence.vectors) == pytest.approx(hit.raw_score, abs=1e-2)
            assert len(evidence.spans) == len(evidence.vectors)
            spans = ENCODER.document_spans(hit.text).tolist()
            assert all(span in spans for span in evidence.spans.tolist())


def test_a_passage_that_changed_has_none(tmp_path: Path) -> None:
    with Collection.open("c", create=True, encoder=ENCODER, home=tmp_path) as collection:
        collection.add([Document(str(n), text) for n, text in enumerate(TEXTS)])
        hits = collection.search("Hund", k=4).hits
        collection.add([Document(hits[0].document_id, "Ganz anders.")])
        collection.delete(hits[1].document_id)
        first, second, *rest = collection.evidence(hits)
        assert (first, second) == (None, None)
        assert None not in rest


def test_vectors_of_somebody_else_are_made_anew(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    foreign = rng.normal(size=(3, ENCODER.dim)).astype(np.float32)
    foreign /= np.linalg.norm(foreign, axis=1, keepdims=True)
    with Collection.open("c", create=True, encoder=ENCODER, home=tmp_path) as collection:
        collection.add([Document("a", TEXTS[0])], vectors=MultiVectors.of([foreign]))
        (evidence,) = collection.evidence(collection.search("Hund").hits)
    assert evidence is not None
    (own,) = ENCODER.encode_documents([TEXTS[0]])
    np.testing.assert_allclose(evidence.vectors, own, atol=1e-6)
