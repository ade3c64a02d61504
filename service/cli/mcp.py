"""`lfm2-colbert mcp`: the collections as tools of an assistant."""

import click

from service.cli import options
from service.settings import Settings


@click.command()
@options.common
def mcp(settings: Settings) -> None:
    """Let an assistant search: Model Context Protocol on standard input and output.

    The log, JSON a line, goes to standard error. A server that runs already has the same tools at /mcp.
    """
    import logging

    from lfm2_colbert.registry import lookup
    from service.logs import log_to

    serving = lookup({"stdio": "service.mcp.stdio:serve_stdio"}, "stdio", "server", extra="serve")
    log_to(level=logging.WARNING)
    serving(settings)
