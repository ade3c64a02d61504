"""Python, the system, its terminal and its port."""

import codecs
import platform
import socket
import sys
from collections.abc import Iterator

from lfm2_colbert.processors import usable_processors
from service.doctor.finding import Asked, Finding, fine, warning
from service.listening import listener_of
from service.supported import SYSTEMS, require_supported

PORT = 8765


def python(asked: Asked) -> Iterator[Finding]:
    """Python and the system are ones that this program runs on."""
    require_supported(sys.version_info[:3], sys.platform)
    system = f"{SYSTEMS[sys.platform]} on {platform.machine()}"
    yield fine("python", f"Python {platform.python_version()}, {system}, {usable_processors()} processors")


def terminal(asked: Asked) -> Iterator[Finding]:
    """What is printed may be of any script."""
    yield terminal_of(sys.stdout.encoding or "ascii")


def terminal_of(encoding: str) -> Finding:
    """Judge the encoding of standard output."""
    if codecs.lookup(encoding).name == "utf-8":
        return fine("terminal", "UTF-8")
    return warning(
        "terminal",
        "encoding_not_utf8",
        f"output is encoded as {encoding}: what that does not have is printed as its number",
        "export LANG=C.UTF-8, or for Python alone: export PYTHONUTF8=1",
    )


def port(asked: Asked) -> Iterator[Finding]:
    """The port that `serve` takes by default is free."""
    yield port_of(PORT)


def port_of(number: int) -> Finding:
    """Try to listen on a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", number))
        except OSError:
            who = listener_of(number) or "another process"
            return warning(
                "port", "port_in_use", f"port {number} is used by {who}", "lfm2-colbert serve --port 0 takes a free one"
            )
    return fine("port", f"{number} is free")
