"""Collections: which there are, what they hold, and the jobs that keep them in order."""

from fastapi import APIRouter

from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, Name, TheCaller, TheEngine, answers
from service.http.guard import require_collection
from service.http.schemas import Begun, Collections, CollectionStatus, Deleted, NewCollection
from service.keys import Role
from service.shapes import summary_as_json

LINKS = {
    operation: {"operationId": operation, "parameters": {"name": "$response.body#/collection"}}
    for operation in ("get_collection", "delete_collection", "list_documents")
}
"""How what one answer names is asked for by another request, for programs that read the description."""

router = APIRouter(route_class=GuardedRoute, tags=["collections"])


@router.get("/v1/collections", responses=answers((200, Collections)), response_model=None)
@needs(Role.READ)
async def list_collections(engine: TheEngine, caller: TheCaller) -> Json:
    """List the collections that the key may see."""
    names = [name for name in engine.library.names() if caller.may_see(name)]
    return Json({"collections": [summary_as_json(summary) for summary in await engine.summaries(names)]})


@router.post(
    "/v1/collections",
    status_code=201,
    responses=answers((201, CollectionStatus), body=True, also=(409, 507), links=LINKS),
    response_model=None,
)
@needs(Role.ADMIN, body=Body.JSON)
async def create_collection(body: NewCollection, engine: TheEngine, caller: TheCaller) -> Json:
    """Make a collection with the server's encoder."""
    require_collection(caller, body.name)
    await engine.create(body.name, body.codec, body.pool)
    return Json(await engine.status(body.name), 201)


@router.get("/v1/collections/{name}", responses=answers((200, CollectionStatus)), response_model=None)
@needs(Role.READ, scope="name")
async def get_collection(name: Name, engine: TheEngine) -> Json:
    """Show what a collection holds."""
    return Json(await engine.status(name))


@router.delete("/v1/collections/{name}", responses=answers((200, Deleted), also=(409, 507)), response_model=None)
@needs(Role.ADMIN, scope="name")
async def delete_collection(name: Name, engine: TheEngine) -> Json:
    """Remove a collection with all its documents, for good."""
    await engine.remove(name)
    return Json({"deleted": name})


@router.post("/v1/collections/{name}/optimize", status_code=202, responses=answers((202, Begun)), response_model=None)
@needs(Role.WRITE, scope="name")
async def optimize(name: Name, engine: TheEngine) -> Json:
    """Begin to train centroids, merge segments and measure recall."""
    return Json({"job": await engine.optimize(name)}, 202)
