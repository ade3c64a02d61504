"""Queries of many clients are encoded together: what arrives while one batch is encoded is the next batch.

Nobody waits for a batch to fill. A query whose client has gone is left out; more than the queue holds are refused.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from index.queries import Question
from lfm2_colbert.errors import Lfm2ColbertError, OverloadedError
from service.engine.encoding import RememberingEncoder

QUERIES_AT_ONCE = 32
WAITING_QUERIES = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    encoder: RememberingEncoder
    text: str
    done: "asyncio.Future[Question]"


class QueryQueue:
    """Has queries encoded, if the encoder does not remember them. It belongs to one event loop."""

    def __init__(self, executor: Executor, limit: int = WAITING_QUERIES) -> None:
        """Encode in a thread of `executor`, one batch at a time; let `limit` queries wait."""
        self._executor, self._limit = executor, limit
        self._waiting: deque[_Waiting] = deque()
        self._running: asyncio.Task[None] | None = None

    async def encode(self, encoder: RememberingEncoder, queries: Sequence[str]) -> list[Question]:
        """Give the queries encoded, in their order.

        Raises:
            OverloadedError: too many wait already.
            NonFiniteVectorError: the encoder failed on one of them.
        """
        found = {text: encoder.remembered(text) for text in queries}
        unknown = [text for text, question in found.items() if question is None]
        if len(self._waiting) + len(unknown) > self._limit:
            raise OverloadedError("too many queries wait to be encoded", help="ask again in a second")
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(encoder, text, loop.create_future()) for text in unknown]
        self._waiting.extend(waiting)
        if waiting and self._running is None:
            self._running = loop.create_task(self._run())
        try:
            for each in waiting:
                found[each.text] = await each.done
        finally:
            for each in waiting:  # after a failure or when the client has gone
                each.done.cancel()
        return [known for text in queries if (known := found[text]) is not None]

    async def _run(self) -> None:
        try:
            while batch := self._batch():
                await self._encode(batch)
        finally:
            self._running = None

    def _batch(self) -> list[_Waiting]:
        """Take the next queries of one encoder, in the order in which they came."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < QUERIES_AT_ONCE:
            if self._waiting[0].done.done():
                self._waiting.popleft()
            elif batch and self._waiting[0].encoder is not batch[0].encoder:
                break
            else:
                batch.append(self._waiting.popleft())
        return batch

    async def _encode(self, batch: Sequence[_Waiting]) -> None:
        loop, texts = asyncio.get_running_loop(), [each.text for each in batch]
        try:
            questions = await loop.run_in_executor(self._executor, batch[0].encoder.questions, texts)
        except Lfm2ColbertError as error:
            if len(batch) > 1:  # one of them is at fault: the others must not suffer
                for each in batch:
                    await self._encode([each])
                return
            if not batch[0].done.done():
                batch[0].done.set_exception(error)
        else:
            for each, question in zip(batch, questions, strict=True):
                if not each.done.done():
                    each.done.set_result(question)
