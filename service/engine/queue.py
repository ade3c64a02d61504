"""Queries of many clients are encoded together: what arrives while one batch is encoded is the next batch.

Nobody waits for a batch to fill. A query whose client has gone is left out; more than the queue holds are refused.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from index.queries import encode_questions
from lfm2_colbert.errors import Lfm2ColbertError, OverloadedError
from service.engine.encoding import RememberingEncoder

QUERIES_AT_ONCE = 32
WAITING_QUERIES = 256


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    encoder: RememberingEncoder
    text: str
    done: "asyncio.Future[None]"


class QueryQueue:
    """Has queries encoded, so that the encoder remembers them. It belongs to one event loop."""

    def __init__(self, executor: Executor, limit: int = WAITING_QUERIES) -> None:
        """Encode in a thread of `executor`, one batch at a time; let `limit` queries wait."""
        self._executor, self._limit = executor, limit
        self._waiting: deque[_Waiting] = deque()
        self._running: asyncio.Task[None] | None = None

    async def encode(self, encoder: RememberingEncoder, queries: Sequence[str]) -> None:
        """Return when the encoder remembers the queries.

        Raises:
            OverloadedError: too many wait already.
            NonFiniteVectorError: the encoder failed on one of them.
        """
        unknown = [text for text in queries if not encoder.remembers(text)]
        if len(self._waiting) + len(unknown) > self._limit:
            raise OverloadedError("too many queries wait to be encoded", help="ask again in a second")
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(encoder, text, loop.create_future()) for text in unknown]
        self._waiting.extend(waiting)
        if waiting and self._running is None:
            self._running = loop.create_task(self._run())
        try:
            for each in waiting:
                await each.done
        finally:
            for each in waiting:  # after a failure or when the client has gone
                each.done.cancel()

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
            await loop.run_in_executor(self._executor, encode_questions, texts, batch[0].encoder)
        except Lfm2ColbertError as error:
            if len(batch) > 1:  # one of them is at fault: the others must not suffer
                for each in batch:
                    await self._encode([each])
                return
            if not batch[0].done.done():
                batch[0].done.set_exception(error)
        for each in batch:
            if not each.done.done():
                each.done.set_result(None)
