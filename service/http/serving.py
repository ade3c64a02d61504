"""From settings to a running server, for the command line."""

from collections.abc import Callable

from eval.report import load
from lfm2_colbert.encoders.loading import resolve
from service.engine.engine import Engine
from service.http.config import ServerConfig
from service.http.server import Server
from service.keys import Keyring
from service.settings import Settings


def serve_http(
    settings: Settings, config: ServerConfig, model: str, search_processes: int, on_listening: Callable[[str], None]
) -> None:
    """Answer until the process is told to stop.

    Raises:
        UnknownEncoderError: there is no such model, which is better said now than in a log.
        ModelUnavailableError: it is not on this machine.
        NotFoundError: the folder that is to be shown holds no evaluation.
        MalformedDocumentError: likewise.
    """
    resolve(model)
    if config.evaluation:
        load(config.evaluation)
    engine = Engine(
        settings.home, model, threads=settings.threads, device=settings.device, search_processes=search_processes
    )
    Server(engine, Keyring(settings.home), config, on_listening).listen()
