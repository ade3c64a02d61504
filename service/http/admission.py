"""So many expensive requests are carried out at once, a few more wait, the rest is told to come back.

An overloaded server that answers no at once is asked again at once, and does nothing else any more. So it takes its
time to say no, and keeps the connection: a client that waits is a client that does not ask.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.http.refusals import Refusal

DELAYED = 512
"""More refusals than this are not delayed: they would only pile up."""
TOGETHER_SECONDS = 0.005
"""Refusals so near each other go together, as each time that a loop wakes up costs as much as one of them."""
RETRY_SECONDS = "1"


def overloaded() -> Refusal:
    """Give what is answered where there is no room."""
    return Refusal(503, "overloaded", "The server is busy.", "ask again in a second", {"retry-after": RETRY_SECONDS})


class Gate:
    """Bounds what is carried out at once. It belongs to one event loop."""

    def __init__(self, answering: int, waiting: int, delay_seconds: float) -> None:
        """Let `answering` through at once and `waiting` wait; the rest is refused after `delay_seconds`."""
        self._turns = asyncio.Semaphore(answering)
        self._room, self._delay = answering + waiting, delay_seconds
        self._inside = self._coming = 0
        self._late: deque[tuple[float, Callable[[], None]]] = deque()

    @asynccontextmanager
    async def pass_through(self) -> AsyncIterator[None]:
        """Wait for one's turn and keep it for the block.

        Raises:
            Refusal: 503 ``overloaded``, late.
        """
        await self.require_room()
        self._inside += 1
        try:
            async with self._turns:
                yield
        finally:
            self._inside -= 1

    def is_full(self) -> bool:
        """Whether nobody more may wait, those counted who are on their way."""
        return self._inside + self._coming >= self._room

    def expect(self) -> None:
        """Count one more as on its way until the loop has come to it: many heads may be read before that."""
        self._coming += 1
        asyncio.get_running_loop().call_soon(self._came)

    async def require_room(self) -> None:
        """Refuse where nobody more may wait; a guard asks before it reads a body, as that would be work for nothing.

        Raises:
            Refusal: 503 ``overloaded``, late.
        """
        if self._inside >= self._room:
            refused = asyncio.Event()
            self.in_time(refused.set)
            await refused.wait()
            raise overloaded()

    def in_time(self, refuse: Callable[[], None]) -> None:
        """Call what says no, late; at once where too many have been told to wait for it."""
        if len(self._late) >= DELAYED:
            refuse()
            return
        loop = asyncio.get_running_loop()
        self._late.append((loop.time() + self._delay, refuse))
        if len(self._late) == 1:
            loop.call_at(self._late[0][0], self._refuse_late)

    def _came(self) -> None:
        self._coming -= 1

    def _refuse_late(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._late and self._late[0][0] <= now:
            loop.call_soon(self._late.popleft()[1])
        if self._late:
            loop.call_at(max(self._late[0][0], now + TOGETHER_SECONDS), self._refuse_late)
