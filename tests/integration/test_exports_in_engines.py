"""What was exported for an engine is loaded by it, and finds there what exact search finds here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index import Collection, Document
from index.exporting.export import export
from lfm2_colbert.encoders.hashing import HashingEncoder

TEXTS = {
    "ar": "القطة نائمة تحت الشجرة الكبيرة. الكلب يشرب الماء البارد.",
    "de": "Der große Hund schläft unter dem Baum. Die Katze trinkt Milch in der Küche.",
    "fr": "La photosynthèse convertit la lumière en énergie chimique.",
    "ja": "日本の首都は東京です。犬は木の下で眠る。",
    "ko": "서울은 대한민국의 수도이다. 개가 나무 아래에서 잔다.",
    "long": "\n\n".join(f"Absatz {n}: Urlaub, Gehalt und Reisen nach Zu\u0308rich, Teil {n * n}." for n in range(30)),
    "th": "กรุงเทพเป็นเมืองหลวงของไทย สุนัขนอนใต้ต้นไม้",
    "zh": "北京是中国的首都。狗在树下睡觉。🐕",
}
QUESTIONS = (
    "großer Hund",
    "首都 东京",
    "الكلب والقطة",
    "수도 서울",
    "สุนัข",
    "Absatz 17 Urlaub",
    "énergie chimique",
    "🐕",
)

Ranking = list[tuple[str, float]]


@pytest.fixture(params=["float16", "scalar4"])
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path, codec=request.param) as made:
        made.add([Document(name, text, {"language": name}) for name, text in TEXTS.items()])
    return tmp_path / "c"


def exact(folder: Path, question: NDArray[np.float32]) -> Ranking:
    with Collection.open("c", home=folder.parent) as opened:
        return opened.search_vectors(question, k=len(TEXTS), effort="exact")


def questions() -> list[NDArray[np.float32]]:
    return [vectors.astype(np.float32) for vectors in HashingEncoder().encode_queries(QUESTIONS)]


def by_document(passages: Ranking) -> Ranking:
    """Give each document the score of its best passage."""
    best: dict[str, float] = {}
    for document_id, score in passages:
        best[document_id] = max(score, best.get(document_id, -np.inf))
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))


def require_same(found: Ranking, expected: Ranking, tolerance: float) -> None:
    """Scores agree, and so does the order wherever the tolerance does not decide it."""
    scores, wanted = dict(found), dict(expected)
    assert scores.keys() == wanted.keys()
    for document_id, score in wanted.items():
        assert scores[document_id] == pytest.approx(score, abs=tolerance)
    for i in range(1, len(expected)):
        if expected[i - 1][1] - expected[i][1] > 2 * tolerance:
            assert {name for name, _ in found[:i]} == {name for name, _ in expected[:i]}


def test_qdrant_finds_what_exact_search_finds(collection: Path, tmp_path: Path) -> None:
    edge = pytest.importorskip("qdrant_edge", reason="qdrant-edge-py is in the group of development")
    export(collection, tmp_path / "out", "qdrant", lambda done, total: None)
    shard = edge.EdgeShard.create(str(tmp_path / "shard"), edge_config(edge, tmp_path / "out" / "collection.json"))
    for line in (tmp_path / "out" / "points.jsonl").read_text(encoding="utf-8").split("\n")[:-1]:
        points = json.loads(line)["points"]
        shard.update(
            edge.UpdateOperation.upsert_points([edge.Point(p["id"], p["vector"], p["payload"]) for p in points])
        )
    for question in questions():
        asked = edge.Query.Nearest(question.tolist(), using="colbert")
        points = shard.query(edge.QueryRequest(1000, query=asked, with_payload=True))
        found = by_document([(point.payload["document_id"], point.score) for point in points])
        require_same(found, exact(collection, question), 0.003)
        for point in points:
            of = point.payload
            assert of["text"] == TEXTS[of["document_id"]][of["start"] : of["end"]]
            assert of["metadata"] == {"language": of["document_id"]}


def edge_config(edge: Any, body: Path) -> Any:
    """Make a shard as the body of a request asks a server for a collection."""
    vectors = json.loads(body.read_text(encoding="utf-8"))["vectors"]
    assert vectors["colbert"] == {
        "size": HashingEncoder().dim,
        "distance": "Dot",
        "multivector_config": {"comparator": "max_sim"},
        "datatype": "float16",
        "hnsw_config": {"m": 0},
    }
    return edge.EdgeConfig(
        {
            "colbert": edge.EdgeVectorParams(
                vectors["colbert"]["size"],
                edge.Distance.Dot,
                multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
                datatype=edge.VectorStorageDatatype.Float16,
                hnsw_config=edge.HnswIndexConfig(0, 100, 10_000, 1),
            )
        }
    )


def test_lancedb_finds_what_exact_search_finds(collection: Path, tmp_path: Path) -> None:
    lancedb = pytest.importorskip("lancedb", reason="lancedb is an extra of that name")
    export(collection, tmp_path / "out", "lancedb", lambda done, total: None)
    table = lancedb.connect(tmp_path / "out").open_table("passages")
    for question in questions():
        asked = table.search(question, vector_column_name="vectors").distance_type("cosine").limit(1000)
        rows = asked.select(["document_id", "_distance"]).to_arrow().to_pylist()
        # The distance is what is missing to a cosine of 1 for every vector of the question.
        found = by_document([(row["document_id"], len(question) - row["_distance"]) for row in rows])
        require_same(found, exact(collection, question), 0.003)
