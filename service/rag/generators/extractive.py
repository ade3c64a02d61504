"""Answers without a language model: the sentences of the passages that answer best, as they stand there.

It never invents, since it only quotes; each sentence is its own citation.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import numpy as np

from service.rag.generators.base import Briefing, Piece, Turn

MOST_SENTENCES = 3
LEAST_SHARE = 0.85
"""Of the best sentence's score, that another one needs to be quoted with it."""
QUESTION_MARKS = ("?", "？", "؟", "՞", "፧")
CLOSING_MARKS = "\"'»”’“」』）) "
PASSAGE_WEIGHT = 0.3
"""What the whole passage counts beside the sentence, which alone may not name what was asked for."""


@dataclass(frozen=True, slots=True)
class _Quote:
    ground: int
    place: int
    score: float


class Extractive:
    """Quotes. See `Generator`."""

    name = "extractive"
    rewrites = False
    context_tokens = 0

    async def write(self, briefing: Briefing) -> AsyncGenerator[Piece, None]:
        """Quote the best sentences in reading order: passage by passage, each from its start."""
        chosen = sorted(_best(briefing), key=lambda quote: (quote.ground, quote.place))
        for number, quote in enumerate(chosen):
            citation = briefing.grounds[quote.ground].citation(quote.place)
            yield Piece(("\n" if number else "") + citation.text, citation)

    async def rewrite(self, history: Sequence[Turn], question: str) -> str:
        """Search for the question before along with this one."""
        before = [turn.content for turn in history if turn.role == "user"][-1:]
        return "\n".join([*before, question])

    async def close(self) -> None:
        """Do nothing: there is nothing open."""


def _best(briefing: Briefing) -> list[_Quote]:
    quotes: list[_Quote] = []
    for number, ground in enumerate(briefing.grounds):
        best = ground.best(briefing.asked)  # (n_query, n_sentences)
        whole = float(best.max(axis=1).mean())
        scores = (1 - PASSAGE_WEIGHT) * best.mean(axis=0) + PASSAGE_WEIGHT * whole
        quotes += [_Quote(number, place, float(score)) for place, score in enumerate(scores)]
    quotes.sort(key=lambda quote: -quote.score)
    return _apart(quotes, briefing)


def _apart(quotes: Sequence[_Quote], briefing: Briefing) -> list[_Quote]:
    """Take the best that are nearly as good as the first, none of them twice: passages overlap, documents repeat."""
    least = quotes[0].score * LEAST_SHARE if quotes else np.inf
    chosen: dict[str, _Quote] = {}
    for quote in quotes:
        if quote.score < least or len(chosen) == MOST_SENTENCES:
            break
        text = briefing.grounds[quote.ground].citation(quote.place).text
        if text.rstrip(CLOSING_MARKS).endswith(QUESTION_MARKS):
            continue  # what is most like a question is often the question itself, which answers nothing
        chosen.setdefault(" ".join(text.split()), quote)
    return list(chosen.values())
