"""What is asked of a language model in this process."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from lfm2_colbert.generators.chat import Message


@runtime_checkable
class Writer(Protocol):
    """Writes what an assistant says next. One thread at a time may use it."""

    def write(
        self,
        messages: Sequence[Message],
        on_words: Callable[[str], None],
        *,
        stopped: Callable[[], bool],
        most_tokens: int,
        seed: int,
    ) -> None:
        """Write until the turn ends, so many tokens were written, or `stopped` says so.

        Args:
            messages: of the conversation.
            on_words: told what was written, some words at a time.
            stopped: asked before each token.
            most_tokens: to write.
            seed: of what is drawn.

        Raises:
            GenerationFailedError: the conversation is too long, or the model failed.
        """
