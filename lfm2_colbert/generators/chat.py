"""LFM2's conversation as token ids. Templates that come with models are programs, and are not run; this is by hand.

Only ids that are put in here are control tokens. What people and documents say is read as text, whatever it looks like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer

BEGIN, TURN, END_OF_TURN = 1, 6, 7
"""``<|startoftext|>``, ``<|im_start|>``, ``<|im_end|>``."""
CONTROL = {BEGIN: "<|startoftext|>", TURN: "<|im_start|>", END_OF_TURN: "<|im_end|>"}
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is said by whom."""

    role: Role
    content: str


def pieces(messages: Sequence[Message]) -> list[int | str]:
    """Write a conversation, up to where the assistant speaks, as control ids and texts between them."""
    written: list[int | str] = [BEGIN]
    for message in messages:
        written += [TURN, f"{message.role}\n{message.content}", END_OF_TURN, "\n"]
    return [*written, TURN, "assistant\n"]


def conversation_ids(messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
    """Give the ids of a conversation.

    Args:
        messages: a system's first, if there is one.
        tokenizer: with parsing of special tokens switched off (`encode_special_tokens`).
    """
    ids: list[int] = []
    for piece in pieces(messages):
        ids += [piece] if isinstance(piece, int) else tokenizer.encode(piece, add_special_tokens=False).ids
    return ids
