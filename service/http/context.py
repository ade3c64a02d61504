"""What routes are handed: the engine, who asks, the body. FastAPI fills these in by their types."""

import json
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from index.home import COLLECTION_NAME
from service.engine.engine import Engine
from service.http.access import Caller
from service.http.admission import Gate
from service.http.config import ServerConfig
from service.http.guard import BODY, CALLER, PARSED
from service.http.schemas import Problem
from service.rag.answering import Answerer


class Json(JSONResponse):
    """JSON in which texts stand as they are."""

    def render(self, content: Any) -> bytes:
        """Write it, refusing what is no JSON."""
        return written(content)


def written(content: Any) -> bytes:
    """Give JSON text in UTF-8."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class _GuardedRequest(Request):
    """A request whose body the guard has read."""

    async def body(self) -> bytes:
        return self.scope["state"].get(BODY, b"")  # type: ignore[no-any-return]

    async def json(self) -> Any:
        return self.scope["state"].get(PARSED)


class GuardedRoute(APIRoute):
    """A route behind the guard: no body is read, or parsed, twice."""

    def get_route_handler(self) -> Any:
        """Give the handler FastAPI would, on the guard's request."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Any:
            return await handler(_GuardedRequest(request.scope, request.receive))

        return guarded


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], value: Any) -> Model:
    """Read a body whose route FastAPI does not read.

    Raises:
        RequestValidationError: it is another thing.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error


async def _engine(request: Request) -> Engine:
    return request.app.state.engine  # type: ignore[no-any-return]


async def _config(request: Request) -> ServerConfig:
    return request.app.state.config  # type: ignore[no-any-return]


async def _caller(request: Request) -> Caller:
    return request.scope["state"][CALLER]  # type: ignore[no-any-return]


async def _answerer(request: Request) -> Answerer:
    return request.app.state.answerer  # type: ignore[no-any-return]


async def _answer_gate(request: Request) -> Gate:
    return request.app.state.answer_gate  # type: ignore[no-any-return]


TheEngine = Annotated[Engine, Depends(_engine)]
TheConfig = Annotated[ServerConfig, Depends(_config)]
TheCaller = Annotated[Caller, Depends(_caller)]
TheAnswerer = Annotated[Answerer, Depends(_answerer)]
TheAnswerGate = Annotated[Gate, Depends(_answer_gate)]

Name = Annotated[str, Path(pattern=f"^{COLLECTION_NAME.pattern}$", description="A collection.")]

COMMON = (400, 401, 403, 404, 405, 414, 422, 429, 431, 500, 503)
WITH_BODY = (*COMMON, 408, 413, 415)


def answers(
    *models: tuple[int, Any], body: bool = False, also: tuple[int, ...] = (), links: dict[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Give what a route may answer: its own models, with links to other routes, and problems."""
    refused = {
        status: {"model": Problem, "content": {"application/problem+json": {}}}
        for status in (*(WITH_BODY if body else COMMON), *also)
    }
    linked = {"links": links} if links else {}
    return {**refused, **{status: {"model": model, **linked} for status, model in models}}
