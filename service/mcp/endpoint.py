"""The protocol over HTTP: messages are posted to one address, and answered there."""

import asyncio
from threading import Lock
from typing import Any

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lfm2_colbert.registry import lookup
from service.engine.engine import Engine
from service.http.access import Body, needs
from service.http.bodies import too_large
from service.http.guard import BODY
from service.keys import Role

MAX_MESSAGE_BYTES = 1024 * 1024


class Posted:
    """What answers messages, loaded with the first of them.

    The protocol's types alone take half a second to import, which no server needs to get ready.
    """

    def __init__(self, engine: Engine) -> None:
        """Answer with an engine, later."""
        self._engine, self._lock = engine, Lock()
        self._managers: Any = None

    def manager(self) -> Any:
        """Give a `StreamableHTTPSessionManager` for one message; from a thread that may wait."""
        with self._lock:
            if self._managers is None:
                posted = lookup({"http": "service.mcp.server:posted"}, "http", "MCP server", extra="serve")
                self._managers = posted(self._engine)
        return self._managers()


class Endpoint:
    """An ASGI application behind the guard, which has looked at host, origin, key and body.

    A message is answered by itself, as JSON: there are no sessions, and nothing goes on when its sender has gone.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a message.

        Raises:
            Refusal: 413 ``body_too_large``.
        """
        if len(scope["state"][BODY]) > MAX_MESSAGE_BYTES:
            raise too_large()
        manager = await asyncio.to_thread(scope["app"].state.mcp.manager)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


MESSAGES = needs(Role.READ, body=Body.JSON, expensive=True)(Endpoint())
ROUTES = (Route("/mcp", MESSAGES, methods=["POST"]),)
"""Nothing but POST: a stream for messages of the server's own would stay silent, and there is no session to end."""
