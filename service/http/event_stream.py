"""Server-sent events of an answer that is being made; when the client goes, what makes it stops.

The answer is made in one task of its own, which holds its place among those that answer, and never runs ahead of the
client by more than an event.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lfm2_colbert.errors import Lfm2ColbertError
from service.http.admission import Gate
from service.http.problems import INTERNAL, refusal_of
from service.http.refusals import Refusal
from service.rag.events import Event

LOG = logging.getLogger("lfm2_colbert.http")
KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = ": still at it\n\n"
Written = Callable[[Event], str]
"""Writes an event as it goes over the wire; "" for one that is not told."""


class Making:
    """An answer that is being made."""

    def __init__(self, events: AsyncGenerator[Event, None], gate: Gate) -> None:
        """Begin as soon as `gate` lets it through."""
        self._queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue(1)
        self._gate = gate
        self._task = asyncio.create_task(self._make(events))

    async def first(self) -> Event:
        """Wait for the first event, so that what cannot be answered is refused by a status.

        Raises:
            Exception: what went wrong before it.
        """
        try:
            found = await self._queue.get()
        except BaseException:
            self.stop()
            raise
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise TypeError("an answer of no events")
        return found

    async def following(self, seconds: float) -> AsyncIterator[Event | Exception | None]:
        """Give the events behind the first; None where nothing happened for so long. An exception is the last."""
        getting = asyncio.ensure_future(self._queue.get())
        try:
            while True:
                done, _ = await asyncio.wait({getting}, timeout=seconds)
                if not done:
                    yield None
                    continue
                found = getting.result()
                if found is None:
                    return
                yield found
                if isinstance(found, Exception):
                    return
                getting = asyncio.ensure_future(self._queue.get())
        finally:
            getting.cancel()

    def stop(self) -> None:
        """Make no more of it."""
        self._task.cancel()

    async def _make(self, events: AsyncGenerator[Event, None]) -> None:
        try:
            async with self._gate.pass_through():
                async for event in events:
                    await self._queue.put(event)
            await self._queue.put(None)
        except Exception as error:  # noqa: BLE001 - it is told to the client, or raised by `first`
            await self._queue.put(error)
        finally:
            await events.aclose()


class EventStream(StreamingResponse):
    """Sends events as they come, and stops their making when it ends, however it does."""

    def __init__(
        self, making: Making, first: Event, write: Written, failed: Callable[[Refusal], str], end: str = ""
    ) -> None:
        """Send what `write` makes of events; `failed` of what went wrong; then `end`."""
        self._making = making
        super().__init__(_lines(making, first, write, failed, end), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._making.stop()


def written(name: str, data: Any, number: int) -> str:
    """Write an event."""
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def refusal_for(error: Exception) -> Refusal:
    """Say what went wrong, as a refusal would."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Lfm2ColbertError):
        return refusal_of(error)
    LOG.error("internal error while answering", exc_info=error)
    return INTERNAL


async def _lines(
    making: Making, first: Event, write: Written, failed: Callable[[Refusal], str], end: str
) -> AsyncIterator[str]:
    yield write(first)
    async for event in making.following(KEEP_ALIVE_SECONDS):
        if event is None:
            yield KEEP_ALIVE
        elif isinstance(event, Exception):
            yield failed(refusal_for(event))
            return
        elif line := write(event):
            yield line
    if end:
        yield end
