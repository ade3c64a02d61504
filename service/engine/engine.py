"""What every door of the server opens on: HTTP, its foreign dialects and MCP all call this, and nothing below it.

All methods are coroutines of one event loop; what computes or touches a disk runs in threads behind them.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from index.catalog import Summary, summary
from index.collection import Collection
from index.fusion import Mode
from index.home import SETTINGS_FILE, STORE_FILE
from index.live_recall import mean_recall
from index.queries import Question, by_words
from index.reading.base import UPLOADS, SourceFile
from index.reading.files import FileReader
from index.request import Request
from index.reranking import Ranked, rerank
from index.selection import FacetValue, Where
from index.types import Document, Failure, Notice, SearchResult
from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.errors import DeadlineExceededError, InvalidArgumentError, ModelMismatchError, NotFoundError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.processors import usable_processors
from service.engine.encoding import AbandonableEncoder
from service.engine.jobs import Job, JobState
from service.engine.library import Library
from service.engine.metrics import Metrics
from service.engine.processes import SearchProcesses
from service.engine.queue import QueryQueue
from service.engine.searching import Searches, SearchThreads
from service.engine.tracing import note_result, retrieval
from service.engine.writer import refusal_of
from service.status import status_of

POLL_SECONDS = 0.02
FILES_AT_ONCE = 2
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the documents of a request, in their order: a change each, or why it was not stored.

    Attributes:
        outcomes: `index.records.Change` values, or failures.
        job: makes them searchable; None where nothing was to be done.
    """

    outcomes: tuple[str | Failure, ...]
    job: str | None


class Engine:
    """Searches, writes and looks up, for many at once."""

    def __init__(
        self,
        home: Path | None,
        model: str,
        *,
        threads: int | None = None,
        device: str = "auto",
        readers: int | None = None,
        search_processes: int = 0,
    ) -> None:
        """Open nothing yet.

        Args:
            home: where collections live.
            model: encoder of new collections, of `rerank` and `embed`.
            threads: of a forward pass; None: half the processors, so that searches have the others.
            device: of encoders.
            readers: searches that threads run at once; None: one a processor.
            search_processes: that search instead of threads; 0: none.
        """
        processors = usable_processors()
        n_readers = readers or max(processors, 2)
        self.library = Library(
            home, model, readers=n_readers, encoder_threads=threads or max(processors // 2, 1), device=device
        )
        self.metrics = Metrics()
        self._searching = ThreadPoolExecutor(n_readers, "search")
        self._encoding = ThreadPoolExecutor(1, "encode")
        self._others = ThreadPoolExecutor(4, "other")
        self._reading = ThreadPoolExecutor(FILES_AT_ONCE, "read")
        self._queue = QueryQueue(self._encoding)
        self._searches: Searches = (
            SearchProcesses(home, search_processes)
            if search_processes
            else SearchThreads(self.library.readers, self._searching, self.library.names)
        )

    async def start(self) -> None:
        """Load the encoder, map what searches read first, and go on with what an earlier server left."""
        await asyncio.gather(self._searches.start(), self._run(lambda: self.library.encoder(self.library.model)))
        await self._run(self.library.index_pending)

    def close(self) -> None:
        """Finish what is being committed, and close everything."""
        self.library.close()
        self._searches.close()
        for executor in (self._searching, self._encoding, self._others, self._reading):
            executor.shutdown(cancel_futures=True)

    async def search(self, name: str, query: str, request: Request) -> SearchResult:
        """Answer a question; a cursor goes on with the reader that gave it.

        Raises:
            NotFoundError: there is no such collection.
            Lfm2ColbertError: as `index.Collection.search`.
        """
        reader, request = _reader_of(request)
        (result,) = await self._search(name, [query], request, reader)
        return result

    async def search_many(self, name: str, queries: Sequence[str], request: Request) -> list[SearchResult]:
        """Answer many questions, in their order; they are encoded together."""
        return await self._search(name, queries, request, None)

    async def facets(self, name: str, field: str, where: Where | None, limit: int) -> list[FacetValue]:
        """Count documents by the values of a field."""
        return await self.read(name, lambda collection: collection.facets(field, where=where, limit=limit))

    async def rerank(self, query: str, texts: Sequence[str], top_n: int | None) -> list[Ranked]:
        """Order texts by how well they answer a question, with the encoder of the server.

        It may take long: when nobody waits for it any more, the thread that does it is soon free again.
        """
        encoder = await self._run(lambda: self.library.encoder(self.library.model))
        await self._queue.encode(encoder, [query])
        abandoned = threading.Event()
        waited_for = AbandonableEncoder(encoder, lambda: _require_unset(abandoned))
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._searching, lambda: rerank(query, texts, waited_for, top_n=top_n)
            )
        finally:
            abandoned.set()

    async def embed(self, texts: Sequence[str], *, as_queries: bool) -> tuple[MultiVectors, list[Spans]]:
        """Give the token vectors of texts, and the code points that each stands for."""

        def run() -> tuple[MultiVectors, list[Spans]]:
            encoder = self.library.encoder(self.library.model)
            if as_queries:
                return encoder.encode_queries(texts), [encoder.query_spans(text) for text in texts]
            return encoder.encode_documents(texts), [encoder.document_spans(text) for text in texts]

        return await asyncio.get_running_loop().run_in_executor(self._searching, run)

    async def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Give the offsets of all tokens of each text, as the encoder of the server counts them."""
        return await self._run(lambda: self.library.encoder(self.library.model).token_spans(texts))

    @property
    def model_name(self) -> str:
        """Full name of the encoder of the server."""
        return self.library.encoder(self.library.model).name

    async def documents_in(self, content: bytes, name: str) -> list[Document | Failure]:
        """Read what a file that was sent holds; the rest waits, as each parser may take a gigabyte."""

        def run() -> list[Document | Failure]:
            with FileReader(limits=UPLOADS) as reader:
                found = list(reader.read(SourceFile(Path(), name, content)))
            return [item for item in found if not isinstance(item, Notice)]

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def put(self, name: str, documents: Sequence[Document]) -> Stored:
        """Store documents durably; they are encoded behind that.

        Args:
            name: the collection.
            documents: those that cannot be stored are passed over, and the answer says why.

        Raises:
            IndexLockedError: another process writes the collection.
            StorageError: the disk refused; none was stored.
        """
        refusals = await self._run(lambda: [refusal_of(document) for document in documents])
        accepted = [document for document, refused in zip(documents, refusals, strict=True) if not refused]
        if not accepted:
            return Stored(tuple(refused for refused in refusals if refused), None)
        future, job = self.library.writer(name).put(accepted)
        stored = await _wait(future)
        changes = iter(stored)
        return Stored(tuple(refused or next(changes) for refused in refusals), job)

    async def delete(self, name: str, document_id: str) -> bool:
        """Remove a document durably; say whether there was one."""
        return await _wait(self.library.writer(name).submit(lambda collection: collection.delete(document_id)))

    async def optimize(self, name: str) -> str:
        """Begin to train centroids and merge segments; give the job."""
        return self.library.writer(name).optimize()

    def job(self, job_id: str) -> Job:
        """Look a job up.

        Raises:
            NotFoundError: it is not known, or forgotten.
        """
        found = self.library.jobs.get(job_id)
        if found is None:
            raise NotFoundError(
                "no such job", help="jobs are forgotten when the server ends, and after a thousand others"
            )
        return found

    async def ended(self, job_id: str, within: float) -> Job:
        """Wait until a job has ended.

        Raises:
            DeadlineExceededError: it has not within so many seconds.
        """
        try:
            async with asyncio.timeout(within):
                while (job := self.job(job_id)).state is JobState.RUNNING:
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise DeadlineExceededError(
                "the documents are stored, and still being encoded", help=f"follow the job {job_id}"
            ) from error
        return job

    async def summaries(self, names: Sequence[str]) -> list[Summary]:
        """Describe collections."""
        return await self._run(lambda: [summary(self.library.home, name) for name in names])

    async def status(self, name: str) -> dict[str, Any]:
        """Describe a collection."""
        return await self._run(lambda: status_of(self.library.home, name))

    async def created(self, names: Sequence[str]) -> dict[str, int]:
        """Say when collections were made, or last built anew, in seconds since 1970.

        Raises:
            NotFoundError: there is no such collection.
        """

        def run() -> dict[str, int]:
            return {name: _made(self.library.readers.require(name)) for name in names}

        return await self._run(run)

    async def measure(self) -> None:
        """Bring the gauges of collections up to date."""
        for name in self.library.names():
            found = await self.status(name)
            recall = mean_recall(self._searches.live_recall(name))
            self.metrics.holds(name, found["passages"], found["bytes"], found["pending"], recall)

    async def create(self, name: str, codec: str | None, pool: int | None) -> None:
        """Make a collection.

        Raises:
            AlreadyExistsError: there is one of this name.
        """
        await self._run(lambda: self.library.create(name, codec, pool))

    async def remove(self, name: str) -> None:
        """Delete a collection with all its documents."""
        self.library.readers.require(name)
        await self._searches.drop(name)
        await self._run(lambda: self.library.remove(name))

    async def read(self, name: str, ask: Callable[[Collection], T]) -> T:
        """Ask a collection something."""

        def run() -> T:
            with self.library.readers.reader(name) as (collection, _):
                return ask(collection)

        return await self._run(run)

    async def encoder_of(self, name: str) -> Encoder:
        """Give the encoder of a collection, loaded.

        Raises:
            NotFoundError: there is no such collection.
        """
        return await self._run(lambda: self.library.encoder_of(name))

    async def compute(self, work: Callable[[], T]) -> T:
        """Let a thread of those that search compute something."""
        return await asyncio.get_running_loop().run_in_executor(self._searching, work)

    async def _search(
        self, name: str, queries: Sequence[str], request: Request, reader: int | None
    ) -> list[SearchResult]:
        with retrieval(name) as span:
            try:
                results = await self._answered(name, queries, request, reader)
            except ModelMismatchError:  # rebuilt by another process since its encoder was looked up
                self.library.forget_encoder_of(name)
                results = await self._answered(name, queries, request, reader)
            for result in results:
                self.metrics.searched(name, result)
                note_result(span, result)
            return results

    async def _answered(
        self, name: str, queries: Sequence[str], request: Request, reader: int | None
    ) -> list[SearchResult]:
        started = time.perf_counter()
        questions = await self._questions(name, queries, request)
        encode_ms = (time.perf_counter() - started) * 1000 / len(queries)
        results = await self._searches.answer(name, questions, request, reader)
        return [replace(each, timings_ms={**each.timings_ms, "encode": encode_ms}) for each in results]

    async def _questions(self, name: str, queries: Sequence[str], request: Request) -> list[Question]:
        """Have queries encoded, where vectors are asked for."""
        if request.mode == Mode.LEXICAL:
            await self._run(lambda: self.library.readers.require(name))
            return [by_words(query) for query in queries]
        if not self.library.knows_encoder_of(name):
            await self._run(lambda: self.library.encoder_of(name))
        self.library.readers.require(name)
        return await self._queue.encode(self.library.encoder_of(name), queries)

    async def _run(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._others, run)


def _reader_of(request: Request) -> tuple[int | None, Request]:
    """Take the number of the reader off a cursor.

    Raises:
        InvalidArgumentError: it has none.
    """
    written = request.options.cursor
    if written is None:
        return None, request
    number, _, cursor = written.partition(".")
    if not cursor or not (number.isascii() and number.isdecimal() and len(number) < 4):
        raise InvalidArgumentError("this is no cursor of a search", help="pass on what the page before gave")
    return int(number), replace(request, options=replace(request.options, cursor=cursor))


def _made(folder: Path) -> int:
    """Read the clock of the file that a collection gets first and keeps; a disk that was full then may lack it."""
    settings = folder / SETTINGS_FILE
    return int((settings if settings.exists() else folder / STORE_FILE).stat().st_mtime)


def _require_unset(abandoned: threading.Event) -> None:
    if abandoned.is_set():
        raise DeadlineExceededError("nobody waits for this any more")


async def _wait(future: "Future[T]") -> T:
    """Wait for what a writer does; when the client has gone, it need not begin."""
    return await asyncio.wrap_future(future)


def as_json(job: Job) -> dict[str, Any]:
    """Give a job the shape that every door shows."""
    return {
        "job": job.id,
        "kind": job.kind,
        "collection": job.collection,
        "state": str(job.state),
        "progress": dict(job.progress),
        "result": job.result,
        "error": job.error,
        "started": job.started,
        "ended": job.ended,
    }
