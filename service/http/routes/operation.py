"""What those ask who keep the server running: is it alive, is it ready, what does it do, what can it be asked."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from service.http.access import needs
from service.http.context import GuardedRoute, Json, TheEngine, answers
from service.http.refusals import Refusal
from service.keys import Role

router = APIRouter(route_class=GuardedRoute, tags=["operation"])


@router.get("/livez", responses=answers() | {200: {"content": {"text/plain": {}}}}, response_model=None)
@needs(None)
async def alive() -> PlainTextResponse:
    """Say that the process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz", responses=answers() | {200: {"content": {"text/plain": {}}}}, response_model=None)
@needs(None)
async def ready(request: Request) -> PlainTextResponse:
    """Say whether searches would be answered at once: the encoder is loaded."""
    if not request.app.state.ready:
        raise Refusal(503, "not_ready", "The server is starting.", "ask again in a second", {"retry-after": "1"})
    return PlainTextResponse("ok")


@router.get("/metrics", responses=answers() | {200: {"content": {"text/plain": {}}}}, response_model=None)
@needs(Role.ADMIN)
async def metrics(engine: TheEngine) -> Response:
    """Expose counters and gauges to Prometheus."""
    await engine.measure()
    return PlainTextResponse(engine.metrics.exposed(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/openapi.json", responses=answers() | {200: {"content": {"application/json": {}}}}, response_model=None)
@needs(Role.READ)
async def openapi(request: Request) -> Json:
    """Describe all of this."""
    return Json(request.app.openapi())
