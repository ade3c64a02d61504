"""Where a server is and with which key it is asked; what cannot be either is refused before anything is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from lfm2_colbert.errors import InvalidArgumentError

WAY_OUT = "give the address that `lfm2-colbert serve` prints, such as http://127.0.0.1:8765"


@dataclass(frozen=True, slots=True)
class Address:
    """A server.

    Attributes:
        url: of the server, without a "/" at its end.
        key: an API key; None: none is sent. It is shown nowhere.
    """

    url: str
    key: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str, key: str | None = None) -> "Address":
        """Take what a person gave.

        Raises:
            InvalidArgumentError: it is no address of a server, or no key.
        """
        if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
            raise InvalidArgumentError("the key holds what no key holds", help="give it as `keys create` printed it")
        _require_server(url)
        return cls(url.rstrip("/"), key)

    @property
    def encrypted(self) -> bool:
        """Whether what is sent there is."""
        return self.url.lower().startswith("https:")

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request carries."""
        named = {"accept-encoding": "identity", "user-agent": "lfm2-colbert"}
        return named | ({"authorization": f"Bearer {self.key}"} if self.key else {})


def path_of(*segments: str) -> str:
    """Write a path below ``/v1`` whose segments may hold anything: slashes, percent signs, "..".

    Example:
        >>> path_of("collections", "a", "documents", "100 %/..")
        '/v1/collections/a/documents/100%20%25%2F..'
    """
    return "/v1/" + "/".join(_segment(each) for each in segments)


def _segment(text: str) -> str:
    # Alone between slashes, dots would lead elsewhere.
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _require_server(url: str) -> None:
    try:
        parts = urlsplit(url)
        well_formed = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise InvalidArgumentError("this is no address of a server", help=WAY_OUT) from error
    if parts.username is not None or parts.password is not None:
        raise InvalidArgumentError("an address must not hold a password", help="a key is given apart from it")
    if parts.scheme not in ("http", "https") or not well_formed or parts.query or parts.fragment:
        raise InvalidArgumentError(f"'{url}' is no address of a server", help=WAY_OUT)
