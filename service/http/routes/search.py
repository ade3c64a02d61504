"""Questions to a collection."""

from dataclasses import asdict

from fastapi import APIRouter

from index.effort import Effort
from index.fusion import Mode
from index.request import Request as SearchRequest
from index.types import SearchOptions
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, Name, TheEngine, answers
from service.http.schemas import FacetsAnswer, FacetsBody, SearchAnswer, SearchAnswers, SearchBody
from service.keys import Role
from service.shapes import result_as_json

router = APIRouter(route_class=GuardedRoute, tags=["search"])


@router.post(
    "/v1/collections/{name}/search",
    responses=answers((200, SearchAnswer | SearchAnswers), body=True, also=(409, 410)),
    response_model=None,
)
@needs(Role.READ, body=Body.JSON, expensive=True, scope="name")
async def search(name: Name, body: SearchBody, engine: TheEngine) -> Json:
    """Find the documents that answer a query best, in whatever language they are written."""
    request = search_request(body)
    if body.query is not None:
        result = await engine.search(name, body.query, request)
        return Json(result_as_json(result, name, explain=body.explain))
    results = await engine.search_many(name, body.queries or [], request)
    return Json({"results": [result_as_json(result, name, explain=body.explain) for result in results]})


@router.post(
    "/v1/collections/{name}/facets", responses=answers((200, FacetsAnswer), body=True, also=(409,)), response_model=None
)
@needs(Role.READ, body=Body.JSON, expensive=True, scope="name")
async def facets(name: Name, body: FacetsBody, engine: TheEngine) -> Json:
    """Count the documents by the values of a field."""
    values = await engine.facets(name, body.field, body.where, body.limit)
    return Json({"collection": name, "field": body.field, "values": [asdict(value) for value in values]})


def search_request(body: SearchBody) -> SearchRequest:
    """Give what the index calls a request; `exact` is a mode here and an effort there."""
    exact = body.mode == "exact"
    options = SearchOptions(
        body.group_by, body.per_group, body.collapse, body.lang_balance, body.cursor, body.neighbours
    )
    return SearchRequest(
        k=body.k,
        effort=Effort.EXACT if exact else body.effort,
        mode=Mode.SEMANTIC if exact else body.mode,
        fusion=body.fusion,
        where=body.where,
        highlight=body.highlight or body.explain,
        options=options,
        explain=body.explain,
    )
