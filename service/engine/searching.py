"""Who answers encoded questions: threads of this process, or processes of their own (`processes.py`).

A process of Python runs one thread at a time; a search is for the most part Python. So threads answer no more than one
processor's worth of searches, and each process answers that.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Protocol

from index.queries import Question
from index.recall_file import Estimate
from index.request import Request
from index.types import SearchResult
from service.engine.readers import Readers


class Searches(Protocol):
    """Answers questions; its coroutines belong to one event loop."""

    async def start(self) -> None:
        """Get ready; asked before that, `answer` waits."""

    async def answer(
        self, name: str, questions: Sequence[Question], request: Request, reader: int | None
    ) -> list[SearchResult]:
        """Answer questions of one collection, in their order; cursors name the reader that goes on with them.

        Args:
            name: the collection.
            questions: encoded as the request needs it.
            request: what is wanted.
            reader: the one that holds what a cursor goes on in; None: any.

        Raises:
            NotFoundError: there is no such collection.
            ModelMismatchError: the questions were encoded for what it was before a rebuild.
            Lfm2ColbertError: as `index.Collection.answer`.
        """

    def live_recall(self, name: str) -> list[Estimate]:
        """Give what is known of how much of what exact search finds real queries got, each reader's own."""

    async def drop(self, name: str) -> None:
        """Let go of a collection that is to be deleted."""

    def close(self) -> None:
        """Let go of everything."""


class SearchThreads:
    """Answers in threads of this process."""

    def __init__(self, readers: Readers, executor: Executor, names: Callable[[], list[str]]) -> None:
        """Search what `readers` lend, in threads of `executor`; `names` are of all collections."""
        self._readers, self._executor, self._names = readers, executor, names

    async def start(self) -> None:
        """Map what searches read first."""
        for name in self._names():
            await asyncio.get_running_loop().run_in_executor(self._executor, self._readers.warm_up, name)

    async def answer(
        self, name: str, questions: Sequence[Question], request: Request, reader: int | None
    ) -> list[SearchResult]:
        """Answer in one thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, answers, self._readers, name, questions, request, reader
        )

    def live_recall(self, name: str) -> list[Estimate]:
        """Ask the readers."""
        return self._readers.live_recall(name)

    async def drop(self, name: str) -> None:
        """Do nothing: the library drops its readers."""

    def close(self) -> None:
        """Do nothing: the readers are the library's."""


def answers(
    readers: Readers, name: str, questions: Sequence[Question], request: Request, reader: int | None
) -> list[SearchResult]:
    """Answer questions one after another by one reader, whose number their cursors get."""
    with readers.reader(name, reader) as (collection, number):
        found = [collection.answer(question, request) for question in questions]
    return [replace(each, cursor=f"{number}.{each.cursor}") if each.cursor else each for each in found]
