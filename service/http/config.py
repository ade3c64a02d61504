"""What a server is started with, and the bounds it keeps; all of it is the operator's."""

from dataclasses import dataclass, field
from pathlib import Path

from service.rag.generators.choosing import Choice

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests and connections (docs/reference/http.md).

    Attributes:
        url_bytes: of a request line's target; more is 414.
        header_bytes: of all header names and values; more is 431.
        head_seconds: a head that takes longer closes the connection.
        pause_seconds: between two pieces of a body, and for a client to take what it is sent.
        body_seconds: for a body in all, streams excepted.
        body_bytes: of a JSON body; more is 413.
        stream_bytes: of an NDJSON stream; more is 413.
        document_bytes: of one document; more is refused for that document alone.
        documents: of one JSON body.
        answering: expensive requests that are carried out at once; None: four a processor.
        waiting: more of them that wait for their turn; the rest is 503.
        deadline_seconds: of a request from its body to its answer; then 503.
        generating: answers that are written at once; None: four a processor; `waiting` more wait.
        answer_seconds: that an answer may take in all.
        refusal_delay_seconds: an overloaded server answers so late: who tries again at once is slowed.
        connections: open at once; None: what file descriptors allow.
        requests_per_minute: of one key, or of one address where there are no keys; None: no bound.
    """

    url_bytes: int = 8 * 1024
    header_bytes: int = 32 * 1024
    head_seconds: float = 10.0
    pause_seconds: float = 10.0
    body_seconds: float = 60.0
    body_bytes: int = 32 * MEBIBYTE
    stream_bytes: int = 2048 * MEBIBYTE
    document_bytes: int = 10 * MEBIBYTE
    documents: int = 1000
    answering: int | None = None
    waiting: int = 32
    deadline_seconds: float = 30.0
    generating: int | None = None
    answer_seconds: float = 60.0
    refusal_delay_seconds: float = 0.25
    connections: int | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where a server listens and whom it trusts.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        allowed_hosts: names a client may call the server by, besides loopback's and the address.
        allowed_origins: origins of web pages that may call it, exact.
        web_search: collection that answers Open WebUI's web searches.
        limits: bounds.
        llm: what writes answers.
        evaluation: folder of a report of `eval`, which the page of figures shows.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    web_search: str | None = None
    limits: Limits = field(default_factory=Limits)
    llm: Choice = field(default_factory=Choice)
    evaluation: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
