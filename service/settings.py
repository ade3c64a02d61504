"""The only place of the services that reads the environment."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from lfm2_colbert.encoders import DEVICES
from lfm2_colbert.errors import InvalidConfigError

PREFIX = "LFM2_COLBERT_"
VARIABLES = frozenset(
    PREFIX + name for name in ("HOME", "DEVICE", "THREADS", "KERNELS", "URL", "KEY", "CA", "LLM_KEY", "JUDGE_KEY")
)
"""All that this program reads, the two included that `index` reads itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for a whole command.

    Attributes:
        home: where collections live; None leaves it to `index.home`, which reads ``LFM2_COLBERT_HOME``.
        as_json: results as one JSON object on standard output.
        debug: tracebacks instead of one-line errors.
        device: ``auto``, ``cpu``, ``openvino`` or ``cuda``; ``LFM2_COLBERT_DEVICE``.
        threads: of encoder and search; ``LFM2_COLBERT_THREADS``; None takes the processors this process may use.
        url: of the server that is asked instead of this machine's collections; ``LFM2_COLBERT_URL``.
    """

    home: Path | None
    as_json: bool
    debug: bool
    device: str
    threads: int | None
    url: str | None = None


def variables() -> dict[str, str]:
    """Give the variables of the environment that begin as this program's do."""
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def default_device() -> str:
    """Read ``LFM2_COLBERT_DEVICE``.

    Raises:
        InvalidConfigError: it names no device.
    """
    device = os.environ.get(f"{PREFIX}DEVICE", "auto")
    if device not in DEVICES:
        raise InvalidConfigError(f"{PREFIX}DEVICE is '{device}'", help=f"set it to one of {', '.join(DEVICES)}")
    return device


def default_threads() -> int | None:
    """Read ``LFM2_COLBERT_THREADS``.

    Raises:
        InvalidConfigError: it is no positive number.
    """
    value = os.environ.get(f"{PREFIX}THREADS", "")
    if not value:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise InvalidConfigError(f"{PREFIX}THREADS is '{value}'", help="set it to 1 or more, or unset it")
    return int(value)


def default_url() -> str:
    """Read ``LFM2_COLBERT_URL``: the server that commands ask; "" where there is none."""
    return os.environ.get(f"{PREFIX}URL", "")


def server_key() -> str | None:
    """Read ``LFM2_COLBERT_KEY``: a key on a command line could be seen by others; None where there is none."""
    return os.environ.get(f"{PREFIX}KEY") or None


def server_authorities() -> ssl.SSLContext | None:
    """Read the certificates in the file that ``LFM2_COLBERT_CA`` names: who vouches for the server, and nobody else.

    Returns:
        None where it is not set: this machine's authorities vouch.

    Raises:
        InvalidConfigError: there is no such file, or no certificate in it.
    """
    path = os.environ.get(f"{PREFIX}CA")
    if not path:
        return None
    try:
        return ssl.create_default_context(cafile=path)
    except OSError as error:  # what is no certificate is one, too
        raise InvalidConfigError(
            f"{PREFIX}CA is '{path}', and holds no certificate that can be read",
            help="name a PEM file with the certificate of who signed the server's",
        ) from error


def llm_key() -> str:
    """Read ``LFM2_COLBERT_LLM_KEY``: a key on a command line could be seen by others; "" where there is none."""
    return os.environ.get(f"{PREFIX}LLM_KEY", "")


def judge_key() -> str:
    """Read ``LFM2_COLBERT_JUDGE_KEY``: a key on a command line could be seen by others; "" where there is none."""
    return os.environ.get(f"{PREFIX}JUDGE_KEY", "")
