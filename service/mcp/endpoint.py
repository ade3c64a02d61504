"""The protocol over HTTP: messages are posted to one address, and answered there."""

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.http.access import Body, needs
from service.http.bodies import too_large
from service.http.guard import BODY
from service.keys import Role

MAX_MESSAGE_BYTES = 1024 * 1024


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
        manager = StreamableHTTPSessionManager(scope["app"].state.mcp, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)


MESSAGES = needs(Role.READ, body=Body.JSON, expensive=True)(Endpoint())
ROUTES = (Route("/mcp", MESSAGES, methods=["POST"]),)
"""Nothing but POST: a stream for messages of the server's own would stay silent, and there is no session to end."""
