"""From settings to a running server, for the command line."""

from collections.abc import Callable

from eval.report import load
from lfm2_colbert.encoders.loading import resolve
from lfm2_colbert.processors import usable_processors
from service.engine.engine import Engine
from service.http.config import ServerConfig
from service.http.server import Server
from service.keys import Keyring
from service.settings import Settings

MOST_PROCESSES = 8
"""Each takes 40 to 130 MB; one server process seldom has work for more."""


def default_processes() -> int:
    """Give the number of processes that search: one a processor; where there is one alone, threads do."""
    processors = usable_processors()
    return min(processors, MOST_PROCESSES) if processors > 1 else 0


def serve_http(
    settings: Settings,
    config: ServerConfig,
    model: str,
    search_processes: int | None,
    on_listening: Callable[[str], None],
) -> None:
    """Answer until the process is told to stop; `search_processes` None: as many as pay here.

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
        settings.home, model, threads=settings.threads, device=settings.device,
        search_processes=default_processes() if search_processes is None else search_processes,
    )  # fmt: skip
    Server(engine, Keyring(settings.home), config, on_listening).listen()
