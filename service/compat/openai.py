"""Vector stores as OpenAI's clients ask for them: a collection is a store, a document a file in it."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as Parameter
from pydantic import BaseModel, Field

from index.request import Request
from index.types import Hit
from service.engine.engine import Engine
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, Name, TheCaller, TheEngine, answers
from service.http.guard import NOT_THERE
from service.http.refusals import Refusal
from service.http.schemas import MAX_QUERIES, AnyMembers, Asked, Query
from service.keys import Role
from service.shapes import scalars_of

MAX_RESULTS = 50
MAX_STORES = 100

router = APIRouter(route_class=GuardedRoute, tags=["compatible"])


class RankingOptions(Asked):
    """How files are ranked: by the collection's own means, whatever ranker is named."""

    ranker: Annotated[str | None, Field(max_length=64, description="Read, not obeyed.")] = None
    score_threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class VectorStoreSearchBody(Asked):
    """A search; several queries are asked one by one, and a file counts by the one that it answers best."""

    query: Query | Annotated[list[Query], Field(min_length=1, max_length=MAX_QUERIES)]
    max_num_results: Annotated[int, Field(ge=1, le=MAX_RESULTS)] | None = None
    filters: Annotated[AnyMembers | None, Field(description="A comparison, or several joined by and, or.")] = None
    ranking_options: RankingOptions | None = None
    rewrite_query: Annotated[bool | None, Field(description="Read, not obeyed: a query is asked as it is.")] = None

    @property
    def queries(self) -> list[str]:
        """All that is asked."""
        return [self.query] if isinstance(self.query, str) else self.query

    @property
    def least_score(self) -> float:
        """What is worth showing."""
        return (self.ranking_options and self.ranking_options.score_threshold) or 0.0


class Content(BaseModel):
    """A passage."""

    type: Literal["text"]
    text: str


class FoundFile(BaseModel):
    """A document found, shown by its best passage."""

    file_id: str
    filename: str
    score: float
    attributes: dict[str, bool | int | float | str]
    content: list[Content]


class VectorStoreSearchPage(BaseModel):
    """The files found, best first."""

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[FoundFile]
    has_more: bool
    next_page: str | None


class FileCounts(BaseModel):
    """Documents by what has become of them."""

    completed: int
    in_progress: int
    failed: int
    cancelled: int
    total: int


class VectorStore(BaseModel):
    """A collection."""

    id: str
    object: Literal["vector_store"]
    created_at: int
    name: str
    status: Literal["in_progress", "completed"]
    usage_bytes: int
    file_counts: FileCounts
    metadata: dict[str, str]


class VectorStores(BaseModel):
    """A page of collections."""

    object: Literal["list"]
    data: list[VectorStore]
    first_id: str | None
    last_id: str | None
    has_more: bool


@router.post(
    "/v1/vector_stores/{name}/search",
    responses=answers((200, VectorStoreSearchPage), body=True, also=(409,)),
    response_model=None,
)
@needs(Role.READ, body=Body.JSON, expensive=True, scope="name")
async def search_vector_store(name: Name, body: VectorStoreSearchBody, engine: TheEngine) -> Json:
    """Find the documents that answer a query best (OpenAI)."""
    wanted = Request(k=body.max_num_results or 10, where=body.filters, highlight=False)
    results = await engine.search_many(name, body.queries, wanted)
    best = _best([hit for result in results for hit in result], wanted.k, body.least_score)
    return Json(
        {
            "object": "vector_store.search_results.page",
            "search_query": body.queries,
            "data": [_file(hit) for hit in best],
            "has_more": False,  # there is no way to ask for a second page
            "next_page": None,
        }
    )


@router.get("/v1/vector_stores", responses=answers((200, VectorStores)), response_model=None)
@needs(Role.READ)
async def list_vector_stores(
    engine: TheEngine,
    caller: TheCaller,
    limit: Annotated[int, Parameter(ge=1, le=MAX_STORES)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Parameter(max_length=64)] = None,
    before: Annotated[str | None, Parameter(max_length=64)] = None,
) -> Json:
    """List the collections that the key may see (OpenAI)."""
    created = await engine.created([name for name in engine.library.names() if caller.may_see(name)])
    names = sorted(created, key=lambda name: (created[name], name), reverse=order == "desc")
    page, more = _page(names, after, before, limit)
    stores = [await _store(engine, name, created[name]) for name in page]
    ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
    return Json({"object": "list", "data": stores, **ends, "has_more": more})


@router.get("/v1/vector_stores/{name}", responses=answers((200, VectorStore)), response_model=None)
@needs(Role.READ, scope="name")
async def get_vector_store(name: Name, engine: TheEngine) -> Json:
    """Show a collection (OpenAI)."""
    created = await engine.created([name])
    return Json(await _store(engine, name, created[name]))


def _best(hits: Sequence[Hit], most: int, least_score: float) -> list[Hit]:
    """Give each document once, by its best passage."""
    best: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda hit: (-hit.score, hit.document_id)):
        if hit.score >= least_score:
            best.setdefault(hit.document_id, hit)
    return list(best.values())[:most]


def _file(hit: Hit) -> dict[str, Any]:
    return {
        "file_id": hit.document_id,
        "filename": PurePosixPath(hit.document_id).name or hit.document_id,
        "score": hit.score,
        "attributes": scalars_of(hit.metadata),
        "content": [{"type": "text", "text": hit.text}],
    }


def _page(names: Sequence[str], after: str | None, before: str | None, limit: int) -> tuple[Sequence[str], bool]:
    """Give the names behind one and before another, and say whether there are more on that side.

    Raises:
        Refusal: 404 ``not_found``: there is no such name.
    """
    start = 0 if after is None else _place(names, after) + 1
    end = len(names) if before is None else _place(names, before)
    between = names[start:end]
    page = between[-limit:] if before is not None and after is None else between[:limit]
    return page, len(between) > limit


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise Refusal(404, "not_found", NOT_THERE.detail, NOT_THERE.hint)
    return names.index(name)


async def _store(engine: Engine, name: str, created: int) -> dict[str, Any]:
    status = await engine.status(name)
    documents, pending, failed = status["documents"], status["pending"], status["failed"]
    return {
        "id": name,
        "object": "vector_store",
        "created_at": created,
        "name": name,
        "status": "in_progress" if pending else "completed",
        "usage_bytes": status["bytes"],
        "file_counts": {
            "completed": documents - pending,
            "in_progress": pending,
            "failed": failed,
            "cancelled": 0,
            "total": documents + failed,
        },
        "metadata": {},
    }
