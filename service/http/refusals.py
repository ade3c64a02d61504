"""What the server answers instead of doing what it was asked."""

from collections.abc import Mapping
from types import MappingProxyType

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Refusal(Exception):
    """A request that is not carried out: everything the server refuses is one of these.

    Its sentences are written by this program alone. Nothing that was sent is repeated in them: it may be a secret, or
    be made for whoever reads the answer or the log.

    Attributes:
        status: of HTTP, 400 to 599.
        code: what programs compare, in snake_case.
        detail: one sentence that says what is wrong.
        hint: one way out, written as something the reader can do.
        headers: of the answer, beside those that every answer has.
    """

    def __init__(self, status: int, code: str, detail: str, hint: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """Say what is wrong and what can be done about it."""
        super().__init__(detail)
        self.status, self.code, self.detail, self.hint, self.headers = status, code, detail, hint, headers
