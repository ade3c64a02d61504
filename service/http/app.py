"""The application: routes, the guard before them, and what begins and ends with the server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp

from lfm2_colbert.processors import usable_processors
from service.compat import chat, cohere, openai, openwebui
from service.engine.engine import Engine
from service.http.admission import Gate
from service.http.config import ServerConfig
from service.http.guard import Guard
from service.http.routes import answers, collections, documents, files, jobs, models, operation, search
from service.http.schemas import DocumentsBody
from service.keys import Keyring
from service.mcp import endpoint
from service.rag.answering import Answerer, Bounds
from service.rag.generators.choosing import generator_of
from service.ui import routes as ui

LOG = logging.getLogger("lfm2_colbert.http")
ROUTERS = (
    collections.router, documents.router, files.router, search.router, answers.router, models.router, jobs.router,
    operation.router, cohere.router, openai.router, chat.router, openwebui.router, ui.router,
)  # fmt: skip
ANSWERING_PER_PROCESSOR = 4
GENERATING_PER_PROCESSOR = 4
DESCRIPTION = (
    "Multilingual late-interaction search. Every refusal is problem+json with a `code` and a way out (`hint`)."
)


def make_app(engine: Engine, keyring: Keyring, config: ServerConfig) -> Guard:
    """Put an application together.

    Raises:
        KeyError: a route does not say what it needs.
    """
    app = _App(
        title="lfm2-colbert",
        version=version("lfm2-colbert"),
        description=DESCRIPTION,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
        openapi_url=None,  # behind the guard, like everything else
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.engine, app.state.config, app.state.ready = engine, config, False
    app.state.answerer, app.state.answer_gate = _answering(config)
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes.extend(endpoint.ROUTES)
    app.state.mcp = endpoint.Posted(engine)
    app.openapi = _openapi(app, app.openapi)  # type: ignore[method-assign]
    limits = config.limits
    answering = limits.answering or ANSWERING_PER_PROCESSOR * usable_processors()
    gate = Gate(answering, limits.waiting, limits.refusal_delay_seconds)
    routes = [*(route for router in ROUTERS for route in router.routes), *endpoint.ROUTES]
    return Guard(app, routes, config, keyring, engine.metrics, gate)


def _answering(config: ServerConfig) -> tuple[Answerer, Gate]:
    """Give what answers, and what bounds how many do so at once: answers last, and must not hold up searches."""
    limits = config.limits
    bounds = Bounds(seconds=limits.answer_seconds)
    at_once = limits.generating or GENERATING_PER_PROCESSOR * usable_processors()
    return Answerer(generator_of(config.llm), bounds), Gate(at_once, limits.waiting, limits.refusal_delay_seconds)


class _App(FastAPI):
    """FastAPI without its own answers to errors: they fly through to the guard, which gives all of them one shape."""

    def build_middleware_stack(self) -> ASGIApp:
        """Leave out what would catch them."""
        return AsyncExitStackMiddleware(self.router)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    starting = asyncio.create_task(_start(app))
    try:
        yield
    finally:
        starting.cancel()
        await app.state.answerer.close()
        await asyncio.to_thread(app.state.engine.close)


async def _start(app: FastAPI) -> None:
    """Get ready behind the open door: `/readyz` says when."""
    try:
        await app.state.engine.start()
    except Exception:
        LOG.exception("the server cannot get ready")
        raise
    app.state.ready = True
    LOG.info("ready")


def _openapi(app: FastAPI, generate: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Add to FastAPI's description what it cannot know: how keys are sent, and bodies that it does not read."""

    def described() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        schema = generate()
        components = schema.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"key": []}, {}]
        template = "#/components/schemas/{model}"
        described_body = DocumentsBody.model_json_schema(ref_template=template)
        for name, definition in described_body.pop("$defs").items():
            components["schemas"].setdefault(name, definition)
        components["schemas"]["DocumentsBody"] = described_body
        app.openapi_schema = schema
        return schema

    return described
