"""From a question to an answer: find, write, judge. One way through for JSON, event streams and the command line."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from index.calibration import NOTHING_RELEVANT
from index.request import Request
from index.selection import Where
from index.types import Notice, SearchOptions, SearchResult
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import DeadlineExceededError
from service.rag.answer import Answer
from service.rag.composing import Composing
from service.rag.events import Answered, Event, SourcesFound
from service.rag.generators.base import Briefing, Generator, Piece, Turn
from service.rag.grounds import Ground
from service.rag.knowledge import Knowledge, asked_vectors
from service.rag.prompt import within_budget
from service.rag.support import unmeasured

T = TypeVar("T")
PASSAGES = 6
PER_DOCUMENT = 3
"""Passages of one document at most: what fills a collection with itself does not fill an answer."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question to a collection.

    Attributes:
        question: in any language.
        history: what was said before.
        where: filter of the passages; it holds in retrieval, not in the prompt.
        passages: to find at most.
        rewrite: take what was said before into what is searched for.
    """

    question: str
    history: Sequence[Turn] = ()
    where: Where | None = None
    passages: int = PASSAGES
    rewrite: bool = True


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an answer may take; all of it is the operator's.

    Attributes:
        seconds: from the question to the end.
        characters: of an answer.
    """

    seconds: float = 60.0
    characters: int = 16_000


@dataclass(slots=True)
class _Found:
    """What there is to answer from."""

    query: str
    grounds: list[Ground]
    warnings: list[Notice]
    timings_ms: dict[str, float]
    started: float = field(default_factory=time.perf_counter)

    @property
    def nothing(self) -> bool:
        """Whether what was found most probably does not answer."""
        return not self.grounds or any(notice.code == NOTHING_RELEVANT for notice in self.warnings)


class Answerer:
    """Answers questions with one generator. Requests share it."""

    def __init__(self, generator: Generator, bounds: Bounds = Bounds()) -> None:
        """Write with `generator`, within `bounds`."""
        self.generator, self._bounds = generator, bounds

    async def close(self) -> None:
        """Let go of what the generator holds."""
        await self.generator.close()

    async def answer(self, knowledge: Knowledge, asking: Asking) -> Answer:
        """Answer a question.

        Raises:
            NotFoundError: there is no such collection.
            DeadlineExceededError: it took too long.
            Lfm2ColbertError: the search, or the generator, failed.
        """
        async with aclosing(self.events(knowledge, asking)) as events:
            *_, last = [event async for event in events]
        if not isinstance(last, Answered):  # the last event is the answer, or an error was raised
            raise TypeError(f"an answer ended with {last}")
        return last.answer

    async def events(self, knowledge: Knowledge, asking: Asking) -> AsyncGenerator[Event, None]:
        """Answer a question, telling what happens as it happens; raises as `answer`."""
        until = asyncio.get_running_loop().time() + self._bounds.seconds
        found = await _before(until, self._find(knowledge, asking))
        yield SourcesFound(found.query, [each.hit for each in found.grounds], tuple(found.warnings))
        encoder = await knowledge.encoder()
        composing = Composing(knowledge, encoder, found.grounds, self._bounds.characters)
        if not found.nothing:
            async with aclosing(self._composed(composing, asking, found, encoder, until)) as events:
                async for event in events:
                    yield event
        yield Answered(self._whole(asking, knowledge.name, found, composing, encoder))

    async def _find(self, knowledge: Knowledge, asking: Asking) -> _Found:
        started = time.perf_counter()
        query = asking.question
        if asking.rewrite and asking.history:
            query = (await self.generator.rewrite(asking.history, asking.question)).strip() or asking.question
        rewritten = time.perf_counter()
        result = await knowledge.search(query, _request(asking))
        grounds, warnings = await self._grounds(knowledge, result)
        timings = {"rewrite": rewritten - started, "search": time.perf_counter() - rewritten}
        return _Found(query, grounds, warnings, {name: seconds * 1000 for name, seconds in timings.items()})

    async def _grounds(self, knowledge: Knowledge, result: SearchResult) -> tuple[list[Ground], list[Notice]]:
        """Give the passages that fit into the budget, best first; those that changed meanwhile are passed over."""
        read = zip(result.hits, await knowledge.evidence(result.hits), strict=True)
        grounds = [Ground(hit, evidence) for hit, evidence in read if evidence is not None]
        if not self.generator.context_tokens:
            return grounds, list(result.warnings)
        taken = within_budget(grounds, await knowledge.encoder(), self.generator.context_tokens)
        left_out = len(grounds) - len(taken)
        message = f"{left_out} passages that were found did not fit into the prompt and were left out"
        return taken, [*result.warnings, *([Notice("context_cut", message)] if left_out else [])]

    async def _composed(
        self, composing: Composing, asking: Asking, found: _Found, encoder: Encoder, until: float
    ) -> AsyncGenerator[Event, None]:
        """Let the generator write, and judge what it writes."""
        asked = await composing.knowledge.run(lambda: asked_vectors(found.query, encoder))
        briefing = Briefing(asking.question, found.query, asking.history, found.grounds, asked, encoder)
        async with aclosing(_pieces(self.generator, briefing, until)) as pieces:
            async for piece in pieces:
                async for event in composing.take(piece):
                    yield event
                if composing.cut:
                    break
        async for event in composing.finish():
            yield event

    def _whole(self, asking: Asking, collection: str, found: _Found, composing: Composing, encoder: Encoder) -> Answer:
        timings = found.timings_ms | {"answer": (time.perf_counter() - found.started) * 1000}
        return Answer(
            question=asking.question,
            query=found.query,
            collection=collection,
            answer=composing.text,
            sentences=tuple(composing.sentences),
            sources=tuple(ground.hit for ground in found.grounds),
            warnings=(*found.warnings, *_noticed(found, composing), *unmeasured(encoder, composing.sentences)),
            model=self.generator.name,
            timings_ms=timings,
        )


def _request(asking: Asking) -> Request:
    options = SearchOptions(per_group=PER_DOCUMENT)
    return Request(k=asking.passages, where=asking.where, highlight=False, options=options)


def _noticed(found: _Found, composing: Composing) -> list[Notice]:
    """Say what is wrong with an answer."""
    notices = []
    unsupported = sum(not sentence.supported for sentence in composing.sentences)
    if unsupported:
        message = f"{unsupported} of {len(composing.sentences)} sentences are in no passage that was found"
        notices.append(Notice("unsupported_sentences", message))
    if composing.cut:
        notices.append(Notice("answer_cut", "the answer was longer than it may be, and was cut"))
    if not composing.text.strip() and not found.nothing:
        notices.append(Notice("no_answer", "the language model wrote nothing"))
    if not found.grounds:
        notices.append(Notice(NOTHING_RELEVANT, "nothing was found"))
    return notices


async def _pieces(generator: Generator, briefing: Briefing, until: float) -> AsyncGenerator[Piece, None]:
    """Give what a generator writes, each piece within the time that is left; when nobody listens, it stops."""
    writing = generator.write(briefing)
    try:
        while True:
            try:
                piece = await _before(until, anext(writing))
            except StopAsyncIteration:
                return
            yield piece
    finally:
        await writing.aclose()


async def _before(until: float, awaited: Awaitable[T]) -> T:
    """Wait until a time of the loop's clock.

    Raises:
        DeadlineExceededError: it has come.
    """
    try:
        async with asyncio.timeout_at(until):
            return await awaited
    except TimeoutError as error:
        raise DeadlineExceededError(
            "the answer took too long", help="ask for less, or let the operator take a faster model"
        ) from error
