"""Reranking as Cohere's clients ask for it (v2), and as its first version, Jina's and Open WebUI's do (v1).

Which model answers is the operator's choice: a request's `model` is read and not obeyed, the answer names the encoder.
"""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from index.reranking import Ranked
from index.types import Highlight
from service.engine.engine import Engine
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, TheEngine, answers
from service.http.refusals import Refusal
from service.http.schemas import MAX_RERANKED, Asked, MemberName, Query
from service.keys import Role

DEFAULT_THRESHOLD = 0.1
TEXT_FIELD = "text"

router = APIRouter(route_class=GuardedRoute, tags=["compatible"])
Texts = Annotated[list[str], Field(min_length=1, max_length=MAX_RERANKED)]
TextsOrObjects = Annotated[list[str | dict[MemberName, str]], Field(min_length=1, max_length=MAX_RERANKED)]
AtLeastOne = Annotated[int, Field(ge=1)]


class RelevantSpans(Asked):
    """Whether to say where in a document the answer is."""

    mode: Literal["enabled", "disabled"]
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    max_spans: AtLeastOne | None = None


class Rerank(Asked):
    """What both versions ask."""

    model: Annotated[str | None, Field(max_length=256, description="Read, not obeyed: the operator chooses.")] = None
    query: Query
    top_n: AtLeastOne | None = None
    max_tokens_per_doc: Annotated[
        AtLeastOne | None, Field(description="Read so much of a document; left out: all of it.")
    ] = None


class RerankBody(Rerank):
    """A request of Cohere's second version."""

    documents: Texts
    relevant_spans: RelevantSpans | None = None
    priority: Annotated[int | None, Field(description="Read, not obeyed.")] = None


class FirstRerankBody(Rerank):
    """A request of Cohere's first version, Jina's or Open WebUI's."""

    documents: TextsOrObjects
    return_documents: bool | None = None
    rank_fields: Annotated[list[str], Field(min_length=1, max_length=64)] | None = None
    max_chunks_per_doc: Annotated[AtLeastOne | None, Field(description="Read, not obeyed: all are.")] = None


class RelevantSpan(BaseModel):
    """Code points `start:end` of a document."""

    start: int
    end: int
    score: float


class RerankResult(BaseModel):
    """A document by its place among those that were sent."""

    index: int
    relevance_score: float
    relevant_spans: list[RelevantSpan] | None = None


class FirstRerankResult(BaseModel):
    """A document by its place among those that were sent, and itself where it was asked for."""

    index: int
    relevance_score: float
    document: dict[str, str] | None = None


class RerankAnswer(BaseModel):
    """Documents, best first."""

    id: str
    model: str
    results: list[RerankResult]
    meta: dict[str, Any]


class FirstRerankAnswer(BaseModel):
    """Documents, best first."""

    id: str
    model: str
    results: list[FirstRerankResult]
    usage: dict[str, int]
    meta: dict[str, Any]


@router.post("/v2/rerank", responses=answers((200, RerankAnswer), body=True), response_model=None)
@needs(Role.READ, body=Body.JSON, expensive=True)
async def rerank(body: RerankBody, engine: TheEngine) -> Json:
    """Order texts by how well they answer a question (Cohere, version 2)."""
    texts, _ = await _read(engine, body, body.documents) if body.max_tokens_per_doc else (body.documents, 0)
    ranked = await engine.rerank(body.query, texts, body.top_n)
    results = [_result(each) | _spans(each.highlights, body.relevant_spans) for each in ranked]
    return Json(_head(engine, "2") | {"results": results})


@router.post("/v1/rerank", responses=answers((200, FirstRerankAnswer), body=True), response_model=None)
@needs(Role.READ, body=Body.JSON, expensive=True)
async def rerank_first(body: FirstRerankBody, engine: TheEngine) -> Json:
    """Order texts by how well they answer a question (Cohere's first version, Jina, Open WebUI)."""
    texts, n_tokens = await _read(engine, body, _texts(body))
    ranked = await engine.rerank(body.query, texts, body.top_n)
    results = [_result(each) | (_document(body, each.index) if body.return_documents else {}) for each in ranked]
    return Json(_head(engine, "1") | {"usage": {"total_tokens": n_tokens}, "results": results})


async def _read(engine: Engine, body: Rerank, texts: Sequence[str]) -> tuple[list[str], int]:
    """Cut texts where they were asked to be, and count the tokens of what is left and of the query."""
    most = body.max_tokens_per_doc
    query, *documents = await engine.token_spans([body.query, *texts])
    read = [
        text if most is None or len(spans) <= most else text[: int(spans[most - 1][1])]
        for text, spans in zip(texts, documents, strict=True)
    ]
    return read, len(query) + sum(min(len(spans), most or len(spans)) for spans in documents)


def _texts(body: FirstRerankBody) -> list[str]:
    """Give the texts; of an object those of its fields that are to be ranked by."""
    fields = body.rank_fields or [TEXT_FIELD]
    return [each if isinstance(each, str) else _text(each, fields) for each in body.documents]


def _text(document: dict[str, str], fields: Sequence[str]) -> str:
    if missing := [field for field in fields if field not in document]:
        which = f"number {fields.index(missing[0]) + 1} of rank_fields" if fields != [TEXT_FIELD] else "the field text"
        raise Refusal(422, "invalid_request", f"A document lacks {which}.", "send it, or a text in its place")
    return "\n".join(document[field] for field in fields)


def _result(ranked: Ranked) -> dict[str, Any]:
    return {"index": ranked.index, "relevance_score": ranked.score}


def _document(body: FirstRerankBody, index: int) -> dict[str, Any]:
    document = body.documents[index]
    return {"document": {TEXT_FIELD: document} if isinstance(document, str) else document}


def _spans(highlights: Sequence[Highlight], wanted: RelevantSpans | None) -> dict[str, Any]:
    """Give the stretches that answer best, the best first; nothing where there are none, as Cohere does."""
    if wanted is None or wanted.mode == "disabled":
        return {}
    least = DEFAULT_THRESHOLD if wanted.threshold is None else wanted.threshold
    best = sorted((each for each in highlights if each.score >= least), key=lambda each: (-each.score, each.start))
    spans = [{"start": each.start, "end": each.end, "score": min(each.score, 1.0)} for each in best[: wanted.max_spans]]
    return {"relevant_spans": spans} if spans else {}


def _head(engine: Engine, version: str) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "model": engine.model_name, "meta": {"api_version": {"version": version}}}
