"""Searches in processes of their own, one question at a time each, over sockets that nobody else can reach.

A process that ends takes no answer with it: another one takes its place, and its question is asked again, once.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from index.queries import Question
from index.recall_file import Estimate
from index.request import Request
from index.types import SearchResult
from lfm2_colbert.errors import EnvironmentFault, Lfm2ColbertError, OverloadedError
from service.engine.messages import LENGTHS, Answered, Asked, of_asked, read_answered

LOG = logging.getLogger("lfm2_colbert.search")
COMMAND = (sys.executable, "-P", "-m", "service.engine.search_process")
ONE_THREAD_EACH = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The processors are shared among processes: no library shall start threads of its own."""
TRIES = 2
AGAIN_SECONDS = 1.0
"""Before a process that ended is begun anew, so that one that always ends at once costs little."""
END_SECONDS = 10.0


class _Ended(Exception):
    """The process ended before it answered, or may begin no more."""


class _Wire(asyncio.Protocol):
    """The server's end of a socket: one message out, one back."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost, self._came = lost, bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.is_open = transport, True  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(_Ended())
        self._lost()

    def data_received(self, data: bytes) -> None:
        self._came += data
        self._deliver()

    async def exchange(self, message: bytes) -> bytes:
        """Send a message, "" for none, and give the body of the answer.

        Raises:
            _Ended: the process did.
        """
        if not self.is_open or self._transport is None:
            raise _Ended
        self._answer = asyncio.get_running_loop().create_future()
        if message:
            self._transport.write(message)
        self._deliver()  # what a process says first may have come before anybody waited for it
        return await self._answer

    def _deliver(self) -> None:
        if len(self._came) < LENGTHS.size or self._answer is None or self._answer.done():
            return
        end = LENGTHS.size + sum(LENGTHS.unpack_from(self._came))
        if len(self._came) >= end:
            body, self._came = bytes(self._came[LENGTHS.size : end]), self._came[end:]
            self._answer.set_result(body)


class _Process:
    """A process and the wire to it; `lost` is told when it has ended after it was ready."""

    def __init__(self, number: int, home: Path | None, lost: "Callable[[_Process], None]") -> None:
        self.number, self._home, self._lost = number, home, lost
        self._is_ready = False
        self.wire = _Wire(self._hung_up)
        self.recall: dict[str, Estimate] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._is_over = False

    async def begin(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            _Ended: it ended before, or was told that nothing will be asked any more.
        """
        own = self._started()
        self.wire, self.recall = _Wire(self._hung_up), {}
        await asyncio.get_running_loop().create_unix_connection(lambda: self.wire, sock=own)
        await self.wire.exchange(b"")
        self._is_ready = True

    @property
    def pid(self) -> int:
        """Its id; 0 before it began."""
        return self._process.pid if self._process else 0

    def hang_up(self) -> None:
        """Tell it that nothing will be asked any more, and let none begin in its place; from any thread."""
        with self._lock:
            self._is_over = True
            if self._socket is not None:
                with suppress(OSError):  # it has hung up itself
                    self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Wait until it ends by itself, after one of both hung up, or else kill it."""
        if self._process is None:
            return
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _started(self) -> socket.socket:
        """Start it with one end of a pair of sockets, and give the other, which does not block."""
        with self._lock:
            if self._is_over:
                raise _Ended
            self._socket, its = socket.socketpair()
            self._socket.setblocking(False)
            with its:
                level = str(logging.getLogger().getEffectiveLevel())
                command = [*COMMAND, str(its.fileno()), level, *([str(self._home)] if self._home else [])]
                environment = {**ONE_THREAD_EACH, **os.environ}
                self._process = subprocess.Popen(
                    command, pass_fds=[its.fileno()], env=environment, stdin=subprocess.DEVNULL
                )
            return self._socket

    def _hung_up(self) -> None:
        if self._is_ready:
            self._is_ready = False
            self._lost(self)


class SearchProcesses:
    """Hands questions to processes that are free, in the order in which they came."""

    def __init__(self, home: Path | None, n_processes: int) -> None:
        """Begin nothing yet."""
        self._processes = [_Process(number, home, self._lost) for number in range(n_processes)]
        self._free: list[_Process] = []
        self._waiting: deque[tuple[int | None, asyncio.Future[_Process]]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def start(self) -> None:
        """Begin all processes, and wait for the first; the others come when there is less to do.

        Raises:
            EnvironmentFault: it ended before it was ready.
        """
        first, *others = self._processes
        try:
            await first.begin()
        except _Ended as ended:
            raise EnvironmentFault(
                "a search process ended before it was ready",
                help="its own words stand above; --search-processes 0 needs none",
            ) from ended
        self._release(first)
        for process in others:
            self._keep(asyncio.create_task(self._begin(process)))

    async def answer(
        self, name: str, questions: Sequence[Question], request: Request, reader: int | None
    ) -> list[SearchResult]:
        """Answer in one process; as in `searching.Searches`."""
        wanted = reader if reader is not None and reader < len(self._processes) else None
        message = of_asked(Asked(name, questions, request))
        for _ in range(TRIES):
            process = await self._one(wanted)
            try:
                answered = read_answered(await self._exchanged(process, message))
            except _Ended:
                continue
            return _results(answered, process, name)
        raise OverloadedError("a search process ended before it answered, twice", help="ask again in a second")

    def live_recall(self, name: str) -> list[Estimate]:
        """Give what the processes said last."""
        return [process.recall[name] for process in self._processes if name in process.recall]

    def pids(self) -> list[int]:
        """Give the ids of the processes."""
        return [process.pid for process in self._processes]

    async def drop(self, name: str) -> None:
        """Have the collection closed in each process."""
        message = of_asked(Asked(name, (), None))
        for number in range(len(self._processes)):
            process = await self._one(number)
            try:
                await self._exchanged(process, message)
            except _Ended:
                continue

    def close(self) -> None:
        """End all processes, which finish what they do."""
        self._closed = True
        for process in self._processes:
            process.hang_up()
        for process in self._processes:
            process.end()

    async def _begin(self, process: _Process) -> None:
        try:
            await process.begin()
        except _Ended:
            await self._again(process)
        else:
            self._release(process)

    async def _again(self, process: _Process) -> None:
        """Begin one anew that ended."""
        if self._closed:
            return
        LOG.error("a search process ended; another one takes its place")
        await asyncio.sleep(AGAIN_SECONDS)
        await asyncio.to_thread(process.end)
        await self._begin(process)

    async def _one(self, wanted: int | None) -> _Process:
        """Wait for a process that is free: any, or the one of this number."""
        for process in self._free:
            if wanted in (None, process.number):
                self._free.remove(process)
                return process
        turn: asyncio.Future[_Process] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, turn))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove((wanted, turn))
            else:  # it had been given one already
                self._release(turn.result())
            raise

    def _release(self, process: _Process) -> None:
        """Give a free process to the first who waits for it."""
        for place, (wanted, turn) in enumerate(self._waiting):
            if wanted in (None, process.number) and not turn.done():
                del self._waiting[place]
                turn.set_result(process)
                return
        self._free.append(process)

    async def _exchanged(self, process: _Process, message: bytes) -> bytes:
        """Ask a process; who goes away meanwhile leaves it to its answer, and it is free only then."""
        task = asyncio.create_task(process.wire.exchange(message))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._came(process, done))
        return await asyncio.shield(task)

    def _came(self, process: _Process, task: "asyncio.Task[bytes]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone
        if process.wire.is_open:
            self._release(process)

    def _lost(self, process: _Process) -> None:
        """Begin one anew that ended, whether it was asked something or not."""
        if process in self._free:
            self._free.remove(process)
        if not self._closed:
            self._keep(asyncio.create_task(self._again(process)))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        """Hold a task, which the loop does not, until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _results(answered: Answered, process: _Process, name: str) -> list[SearchResult]:
    """Give results whose cursors name the process.

    Raises:
        Lfm2ColbertError: what the process said.
        RuntimeError: it failed as it never should.
    """
    if type(answered.error) is Lfm2ColbertError:
        raise RuntimeError(answered.error.message)
    if answered.error is not None:
        raise answered.error
    if answered.recall is not None:
        process.recall[name] = answered.recall
    return [_renumbered(result, process.number) for result in answered.results]


def _renumbered(result: SearchResult, number: int) -> SearchResult:
    """Put the number of the process in place of its only reader's."""
    return replace(result, cursor=f"{number}.{result.cursor.partition('.')[2]}") if result.cursor else result
