"""Web searches of Open WebUI, answered from one collection of the operator's choice."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from index.request import Request as SearchRequest
from index.types import Hit
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, TheCaller, TheConfig, TheEngine, answers
from service.http.guard import require_collection
from service.http.refusals import Refusal
from service.http.schemas import Asked, Query
from service.keys import Role
from service.shapes import source_of, title_of

MAX_RESULTS = 50

router = APIRouter(route_class=GuardedRoute, tags=["compatible"])


class WebSearchBody(Asked):
    """A search."""

    query: Query
    count: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = 10


class WebPage(BaseModel):
    """A document found."""

    link: str
    title: str
    snippet: str


@router.post(
    "/integrations/openwebui/search",
    responses=answers((200, list[WebPage]), body=True, also=(409,)),
    response_model=None,
)
@needs(Role.READ, body=Body.JSON, expensive=True)
async def search_web(
    body: WebSearchBody, request: Request, engine: TheEngine, caller: TheCaller, config: TheConfig
) -> Json:
    """Find what Open WebUI searches the web for, in the collection that the operator named."""
    name = config.web_search
    if name is None:
        raise Refusal(
            409, "not_configured", "No collection answers web searches.", "the operator starts serve --web-search NAME"
        )
    require_collection(caller, name)
    result = await engine.search(name, body.query, SearchRequest(k=body.count, highlight=False))
    home = f"{request.scope['scheme']}://{request.headers['host']}/v1/collections/{quote(name, safe='')}/documents"
    return Json([_page(hit, home) for hit in result])


def _page(hit: Hit, home: str) -> dict[str, Any]:
    link = source_of(hit.metadata) or f"{home}/{quote(hit.document_id, safe='')}"
    return {"link": link, "title": title_of(hit.document_id, hit.metadata), "snippet": hit.text}
