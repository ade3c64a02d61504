"""The server's encoder itself: token vectors of texts, and texts put in order."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from lfm2_colbert.encoders.base import Encoder
from service.engine.engine import Engine
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, TheEngine, answers
from service.http.schemas import EmbedAnswer, EmbedBody, RankAnswer, RankBody
from service.keys import Role

TEXT_CUT = "text_cut"

router = APIRouter(route_class=GuardedRoute, tags=["models"])


@router.post("/v1/embeddings/multi", responses=answers((200, EmbedAnswer), body=True), response_model=None)
@needs(Role.READ, body=Body.JSON, expensive=True)
async def embed(body: EmbedBody, engine: TheEngine) -> Json:
    """Give the token vectors of texts, and the code points that each vector stands for."""
    return Json(await _embedded(engine, body))


@router.post("/v1/rankings", responses=answers((200, RankAnswer), body=True), response_model=None)
@needs(Role.READ, body=Body.JSON, expensive=True)
async def rank(body: RankBody, engine: TheEngine) -> Json:
    """Order texts by how well they answer a query, and say which of their words matched; nothing is stored."""
    ranked = await engine.rerank(body.query, body.texts, body.top_n)
    encoder: Encoder = engine.library.encoder(engine.library.model)
    return Json({"model": encoder.name, "results": [asdict(each) for each in ranked]})


async def _embedded(engine: Engine, body: EmbedBody) -> dict[str, Any]:
    vectors, spans = await engine.embed(body.input, as_queries=body.kind == "query")
    encoder: Encoder = engine.library.encoder(engine.library.model)
    data = [
        {"index": i, "vectors": item.tolist(), "spans": own.tolist()}
        for i, (item, own) in enumerate(zip(vectors, spans, strict=True))
    ]
    spans_of_all = await engine.token_spans(body.input)
    most = encoder.max_query_tokens if body.kind == "query" else encoder.max_document_tokens
    warnings = [_cut(i, len(own), most) for i, own in enumerate(spans_of_all) if len(own) > most]
    return {"model": encoder.name, "dim": encoder.dim, "data": data, "warnings": warnings}


def _cut(index: int, n_tokens: int, most: int) -> dict[str, str]:
    """Say that a text was not read to its end."""
    return {"code": TEXT_CUT, "message": f"text {index} has {n_tokens:,} tokens; the encoder reads {most:,} of them"}
