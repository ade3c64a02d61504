"""From what an operator types to what writes answers. A request never chooses: an address in one would be a way in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from lfm2_colbert.errors import UnknownNameError
from lfm2_colbert.registry import lookup
from service.rag.generators import GENERATORS
from service.rag.generators.base import Generator

EXTRACTIVE = "extractive"
LOCAL = "local:"
EXTRAS: Mapping[str, str] = {"openai": "client", "local": "torch"}
LOCAL_MODELS = ("lfm2-1.2b-rag", "lfm2.5-1.2b-instruct", "lfm2-350m", "lfm2-700m", "lfm2-2.6b")
"""Names of `lfm2_colbert.generators.models`, which needs nothing to be listed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which generator.

    Attributes:
        llm: ``extractive``; a model's name; ``local:`` and a folder; the address of an OpenAI-compatible server.
        model: its name there; "": the first that the server lists.
        key: sent to that server; "": none. It is shown nowhere.
        context_tokens: of passages in a prompt, as the collection's encoder counts them.
        device: ``auto``, ``cpu`` or ``cuda``, of a model in this process.
        threads: of a model in this process; None: the processors it may use.
    """

    llm: str = EXTRACTIVE
    model: str = ""
    key: str = field(default="", repr=False)
    context_tokens: int = 3000
    device: str = "auto"
    threads: int | None = None

    @property
    def kind(self) -> str:
        """Name in the table of generators.

        Raises:
            UnknownNameError: it is no known name, no address and no folder.
        """
        if self.llm == EXTRACTIVE:
            return EXTRACTIVE
        if urlsplit(self.llm).scheme in ("http", "https"):
            return "openai"
        if self.llm.startswith(LOCAL) or self.llm.lower().partition("@")[0] in LOCAL_MODELS:
            return "local"
        raise UnknownNameError.of("language model", self.llm, (EXTRACTIVE, *LOCAL_MODELS))


def generator_of(choice: Choice) -> Generator:
    """Make the generator that was chosen; it connects to nothing and loads nothing yet.

    Raises:
        UnknownNameError: there is none of this name.
        InvalidArgumentError: the address, or the key, cannot be one.
        MissingExtraError: a library it needs is not installed.
    """
    made = lookup(GENERATORS, choice.kind, "generator", extra=EXTRAS.get(choice.kind, ""))
    return cast(Generator, made() if choice.kind == EXTRACTIVE else made(choice))
