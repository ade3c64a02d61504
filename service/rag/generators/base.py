"""What an answer is asked of: words come out piece by piece, and they stop coming when nobody listens any more."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.encoders.base import Encoder
from service.rag.answer import Citation
from service.rag.grounds import Ground


@dataclass(frozen=True, slots=True)
class Turn:
    """What was said before."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, eq=False)
class Briefing:
    """What a generator is given.

    Attributes:
        question: as it was asked.
        query: as it was searched for.
        history: what was said before, in order.
        grounds: passages, best first; they are untrusted data.
        asked: token vectors of the query, ``(n, dim)``.
        encoder: of the collection; it counts tokens where the generator cannot.
    """

    question: str
    query: str
    history: Sequence[Turn]
    grounds: Sequence[Ground]
    asked: NDArray[np.float32]
    encoder: Encoder


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words; with a citation they are a whole sentence, taken from there."""

    text: str
    citation: Citation | None = None


@runtime_checkable
class Generator(Protocol):
    """Writes answers. What it raises is a `Lfm2ColbertError`."""

    @property
    def name(self) -> str:
        """The model, as answers name it."""

    @property
    def rewrites(self) -> bool:
        """Whether it can make one question of a conversation."""

    @property
    def context_tokens(self) -> int:
        """Tokens of passages that it is given at most; 0: all that were found."""

    def write(self, briefing: Briefing) -> AsyncGenerator[Piece, None]:
        """Answer from the passages, piece by piece."""

    async def rewrite(self, history: Sequence[Turn], question: str) -> str:
        """Make a question that is understood without what was said before."""

    async def close(self) -> None:
        """Let go of connections and models."""
