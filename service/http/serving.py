"""From settings to a running server, for the command line."""

from collections.abc import Callable

from service.engine.engine import Engine
from service.http.config import ServerConfig
from service.http.server import Server
from service.keys import Keyring
from service.settings import Settings


def serve_http(settings: Settings, config: ServerConfig, model: str, on_listening: Callable[[str], None]) -> None:
    """Answer until the process is told to stop."""
    engine = Engine(settings.home, model, threads=settings.threads, device=settings.device)
    Server(engine, Keyring(settings.home), config, on_listening).listen()
