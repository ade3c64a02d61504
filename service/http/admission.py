"""So many expensive requests are carried out at once, a few more wait, the rest is told to come back.

An overloaded server that answers no at once is asked again at once, and does nothing else any more. So it takes its
time to say no, and keeps the connection: a client that waits is a client that does not ask.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.http.refusals import Refusal

DELAYED = 512
"""More refusals than this are not delayed: they would only pile up."""
RETRY_SECONDS = "1"


class Gate:
    """Bounds what is carried out at once. It belongs to one event loop."""

    def __init__(self, answering: int, waiting: int, delay_seconds: float) -> None:
        """Let `answering` through at once and `waiting` wait; the rest is refused after `delay_seconds`."""
        self._answering = asyncio.Semaphore(answering)
        self._limit, self._delay = waiting, delay_seconds
        self._waiting = self._delayed = 0

    @asynccontextmanager
    async def pass_through(self) -> AsyncIterator[None]:
        """Wait for one's turn and keep it for the block.

        Raises:
            Refusal: 503 ``overloaded``, late.
        """
        await self.require_room()
        self._waiting += 1
        try:
            await self._answering.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._answering.release()

    async def require_room(self) -> None:
        """Refuse where nobody more may wait; a guard asks before it reads a body, as that would be work for nothing.

        Raises:
            Refusal: 503 ``overloaded``, late.
        """
        if self._answering.locked() and self._waiting >= self._limit:
            await self._take_time()
            raise Refusal(
                503, "overloaded", "The server is busy.", "ask again in a second", {"retry-after": RETRY_SECONDS}
            )

    async def _take_time(self) -> None:
        if self._delayed >= DELAYED:
            return
        self._delayed += 1
        try:
            await asyncio.sleep(self._delay)
        finally:
            self._delayed -= 1
