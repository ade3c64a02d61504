"""`lfm2-colbert serve`: the search API on a port."""

from pathlib import Path

import click

from service.cli import options
from service.cli.output import print_line
from service.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; another than loopback needs a key.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--model", default="nano", show_default=True, metavar="NAME", help="Encoder of new collections.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A name that clients call the server by.")
@click.option("--allow-origin", "origins", multiple=True, metavar="URL", help="A web page's origin that may call it.")
@click.option("--web-search", metavar="COLLECTION", help="What answers Open WebUI's web searches.")
@options.language_model
@click.option("--rate", type=click.IntRange(min=1), metavar="N", help="Requests a minute of one key, or address.")
@click.option(
    "--evaluation", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="A report of `eval`, to show on the page of figures.",
)  # fmt: skip
@click.option(
    "--search-processes", type=click.IntRange(min=0), metavar="N", show_default="one a processor, at most 8",
    help="Processes that search; 0: threads of the server itself.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Log warnings and errors only.")
@options.common
def serve(
    host: str,
    port: int,
    model: str,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    web_search: str | None,
    llm: options.LanguageModel,
    rate: int | None,
    evaluation: Path | None,
    search_processes: int | None,
    quiet: bool,
    settings: Settings,
) -> None:
    """Answer searches over HTTP until interrupted; the log, JSON a line, goes to standard error.

    Without keys only this machine is answered, with every right. `lfm2-colbert keys create` makes keys; once there is
    one, each request needs one.
    """
    import logging

    from lfm2_colbert.registry import lookup
    from service.logs import log_to

    serving = lookup({"http": "service.http.serving:serve_http"}, "http", "server", extra="serve")
    log_to(level=logging.WARNING if quiet else logging.INFO)
    from service.http.config import Limits, ServerConfig

    choice = llm.choice(settings)
    config = ServerConfig(host, port, hosts, origins, web_search, Limits(requests_per_minute=rate), choice, evaluation)

    def tell(address: str) -> None:
        print_line(f"{address}  (OpenAPI: {address}/openapi.json)")

    serving(settings, config, model, search_processes, tell)
