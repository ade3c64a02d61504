"""A running server: uvicorn with our protocol, started only where that is safe."""

import errno
import socket
from collections.abc import Callable

import uvicorn

from lfm2_colbert.errors import PortInUseError, UnsafeAddressError
from service.engine.engine import Engine
from service.http.app import make_app
from service.http.config import ServerConfig
from service.http.protocol import protocol_for
from service.keys import Keyring
from service.listening import listener_of

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
BACKLOG = 512


class Server(uvicorn.Server):
    """Answers until it is told to stop."""

    def __init__(
        self, engine: Engine, keyring: Keyring, config: ServerConfig, on_listening: Callable[[str], None]
    ) -> None:
        """Bind nothing yet.

        Args:
            engine: what does the work; closed when the server ends.
            keyring: who may ask.
            config: where to listen.
            on_listening: called with the address once it is bound.

        Raises:
            UnsafeAddressError: others can reach the address, and no key was ever made.
        """
        require_safe(config, keyring)
        self._address, self._on_listening = config, on_listening
        app = make_app(engine, keyring, config)
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol_for(config.limits, app.shedding),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                backlog=BACKLOG,
            )
        )

    def listen(self) -> None:
        """Bind the address and answer until the process is told to stop.

        Raises:
            PortInUseError: something else listens there, or the address is not this machine's.
        """
        with bound(self._address) as listener:
            host = f"[{self._address.host}]" if ":" in self._address.host else self._address.host
            self._on_listening(f"http://{host}:{listener.getsockname()[1]}")
            self.run(sockets=[listener])


def bound(config: ServerConfig) -> socket.socket:
    """Bind the address.

    Raises:
        PortInUseError: something else listens there, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # By this protocol asyncio knows a socket that must not wait (TCP_NODELAY): else each answer after the first on a
    # connection, a head and a body, waits some 40 ms for the client's acknowledgement of the head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        who = listener_of(config.port) if error.errno == errno.EADDRINUSE else ""
        said = f"{error.strerror} by {who}" if who else error.strerror
        raise PortInUseError(
            f"cannot listen on {config.host}:{config.port}: {said}", help="--port 0 takes a free one"
        ) from error
    return listener


def require_safe(config: ServerConfig, keyring: Keyring) -> None:
    """Refuse to let a whole network in.

    Raises:
        UnsafeAddressError: others can reach the address, and no key was ever made.
    """
    if not config.is_loopback and not keyring.is_in_use:
        raise UnsafeAddressError(
            f"refusing to listen on {config.host} without an API key", help="lfm2-colbert keys create NAME --role admin"
        )
