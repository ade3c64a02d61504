"""The protocol over a pipe, for assistants that start their tools themselves."""

import asyncio

from service.engine.engine import Engine
from service.http.access import Caller
from service.mcp.server import make_server
from service.settings import Settings

MODEL = "nano"
"""Never loaded: collections name their own."""


def serve_stdio(settings: Settings) -> None:
    """Answer on standard output until standard input ends; whoever started the process may see everything."""
    engine = Engine(settings.home, MODEL, threads=settings.threads, device=settings.device)
    try:
        asyncio.run(make_server(engine, lambda context: Caller(None)).run_stdio_async())
    finally:
        engine.close()
