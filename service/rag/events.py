"""What happens while an answer is made, in this order: sources, then words and judged sentences, then the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from index.types import Hit, Notice
from service.rag.answer import Answer, AnswerSentence


@dataclass(frozen=True, slots=True)
class SourcesFound:
    """The passages that the answer is made of, best first."""

    query: str
    sources: Sequence[Hit]
    warnings: Sequence[Notice]


@dataclass(frozen=True, slots=True)
class Words:
    """More of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence that is whole, and what it rests on."""

    sentence: AnswerSentence


@dataclass(frozen=True, slots=True)
class Answered:
    """The end."""

    answer: Answer


Event = SourcesFound | Words | Judged | Answered
