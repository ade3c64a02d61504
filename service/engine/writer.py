"""One thread that writes a collection: what is acknowledged is durable, and encoding goes on behind it.

The thread takes the collection's lock with the first write and gives it back when it has had nothing to do for a
while, so that commands in other processes may write too. Documents that many requests bring at once share a commit.
While documents are encoded, storing and deleting go on between two pieces; they wait only for `optimize`.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from index.canonical import canonical
from index.collection import Collection
from index.indexing import EncodingProgress
from index.records import Change
from index.types import Document, Failure
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import DataError, Lfm2ColbertError, OverloadedError, UsageError
from service.engine.encoding import PausingEncoder
from service.engine.jobs import Jobs

IDLE_SECONDS = 2.0
DOCUMENTS_PER_COMMIT = 256
WAITING_COMMANDS = 1024
INDEX, OPTIMIZE = "index", "optimize"
LOG = logging.getLogger(__name__)

T = TypeVar("T")
Open = Callable[[Callable[[Encoder], Encoder]], Collection]
"""Opens the collection with its encoder, which the writer may stand something before."""


@dataclass(frozen=True, slots=True, eq=False)
class _Command(Generic[T]):
    run: Callable[[Collection], T]
    result: "Future[T]"

    def execute(self, collection: Collection) -> None:
        """Run, unless nobody waits for it any more."""
        if not self.result.set_running_or_notify_cancel():
            return
        try:
            self.result.set_result(self.run(collection))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the result is waited for
            self.result.set_exception(error)

    def refuse(self, error: BaseException) -> None:
        """Give an error in place of a result."""
        if self.result.set_running_or_notify_cancel():
            self.result.set_exception(error)


@dataclass(frozen=True, slots=True, eq=False)
class _Put:
    documents: Sequence[Document]
    result: "Future[list[Change]]"


class _StoppedError(Exception):
    """Raised between two pieces of an encoding when the server goes down; what was stored waits for the next start."""


def refusal_of(document: Document) -> Failure | None:
    """Say why a document cannot be stored; None where it can."""
    try:
        canonical(document)
    except (DataError, UsageError) as error:
        return Failure(document.id, error.code, f"{error.message}; {error.help}" if error.help else error.message)
    return None


class Writer:
    """Writes one collection; every method may be called from any thread."""

    def __init__(self, name: str, open_collection: Open, jobs: Jobs) -> None:
        """Open nothing yet."""
        self._name, self._open, self._jobs = name, open_collection, jobs
        self._lock = threading.Lock()
        self._urgent: queue.SimpleQueue[_Command[Any]] = queue.SimpleQueue()
        self._slow: deque[Callable[[Collection], None]] = deque()
        self._puts: deque[_Put] = deque()
        self._awake = threading.Event()
        self._thread: threading.Thread | None = None
        self._index_job: str | None = None
        self._stopping = False

    def put(self, documents: Sequence[Document]) -> "tuple[Future[list[Change]], str]":
        """Store documents, all or none; give what becomes of them, and the job that will make them searchable.

        The future ends when they are durable. `refusal_of` tells beforehand which cannot be stored.

        Raises:
            OverloadedError: too many writes wait.
        """
        put = _Put(documents, Future())
        self._require_room()
        with self._lock:
            self._puts.append(put)
            job = self._index_job = self._index_job or self._jobs.start(INDEX, self._name)
        self._run_soon(self._commit_puts, Future())
        return put.result, job

    def submit(self, run: Callable[[Collection], T]) -> "Future[T]":
        """Do something short with the collection, open for writing, between two pieces of whatever is being done."""
        result: Future[T] = Future()
        self._run_soon(run, result)
        return result

    def optimize(self) -> str:
        """Train centroids and merge segments when what was asked before is done; give the id of the job."""
        job = self._jobs.start(OPTIMIZE, self._name)
        with self._lock:
            self._slow.append(lambda collection: self._guarded(job, lambda: self._optimized(job, collection)))
        self._wake()
        return job

    def index(self) -> str:
        """Encode what waits, as after a kill; give the id of the job."""
        with self._lock:
            job = self._index_job = self._index_job or self._jobs.start(INDEX, self._name)
        self._wake()
        return job

    def stop(self) -> None:
        """Finish what is being committed and close; what is not encoded yet is encoded after the next start."""
        self._stopping = True
        self._awake.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _require_room(self) -> None:
        if self._urgent.qsize() >= WAITING_COMMANDS:
            raise OverloadedError("too many writes wait", help="send fewer at once, with more documents in each")

    def _run_soon(self, run: Callable[[Collection], T], result: "Future[T]") -> None:
        self._urgent.put(_Command(run, result))
        self._wake()

    def _wake(self) -> None:
        self._awake.set()
        with self._lock:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._work, name=f"writer {self._name}", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                with self._open(lambda encoder: PausingEncoder(encoder, self._pause)) as collection:
                    self._collection = collection
                    self._serve(collection)
            except Exception as error:
                if not isinstance(error, Lfm2ColbertError):
                    LOG.exception("writing failed", extra={"collection": self._name})
                self._refuse_all(error)
            if self._ended():
                return

    def _serve(self, collection: Collection) -> None:
        """Work until there has been nothing to do for a while."""
        while not self._stopping:
            self._run_urgent(collection)
            if self._index_job is not None:
                self._index_pending(collection, self._index_job)
            elif self._slow:
                self._slow.popleft()(collection)
            elif self._awake.wait(IDLE_SECONDS):
                self._awake.clear()
            else:
                return
        self._refuse_all(OverloadedError("the server is going down", help="ask again when it is back"))

    def _has_work(self) -> bool:
        return bool(not self._urgent.empty() or self._slow or self._index_job)

    def _ended(self) -> bool:
        """Say that the thread ends, unless something came at the last moment."""
        with self._lock:
            if self._has_work() and not self._stopping:
                return False
            self._thread = None
            return True

    def _run_urgent(self, collection: Collection) -> int:
        """Do what is short; count it."""
        n_done = 0
        while not self._urgent.empty():
            self._urgent.get().execute(collection)
            n_done += 1
        return n_done

    def _pause(self) -> None:
        if self._stopping:
            raise _StoppedError
        self._run_urgent(self._collection)

    def _commit_puts(self, collection: Collection) -> None:
        """Store what requests brought, as many of them in one commit as it may hold."""
        while puts := self._next_puts():
            try:
                changes = collection.put([document for put in puts for document in put.documents])
            except BaseException as error:  # noqa: BLE001 - it is raised again where the result is waited for
                for put in puts:
                    put.result.set_exception(error)
                continue
            for put in puts:
                put.result.set_result(changes[: len(put.documents)])
                del changes[: len(put.documents)]

    def _next_puts(self) -> list[_Put]:
        puts: list[_Put] = []
        n_documents = 0
        with self._lock:
            while self._puts and (not puts or n_documents + len(self._puts[0].documents) <= DOCUMENTS_PER_COMMIT):
                put = self._puts.popleft()
                if put.result.set_running_or_notify_cancel():
                    puts.append(put)
                    n_documents += len(put.documents)
        return puts

    def _index_pending(self, collection: Collection, job: str) -> None:
        """Encode until nothing waits; the job ends with that, and a later put begins another."""

        def progressed(progress: EncodingProgress) -> None:
            self._jobs.progressed(job, {"done": progress.characters, "total": progress.total_characters})

        def run() -> None:
            passages = documents = truncated = 0
            while True:
                report = collection.index_pending(progressed)
                passages, documents = passages + report.passages, documents + report.documents
                truncated += report.truncated
                if report.documents:
                    collection.maintain()
                n_done = self._run_urgent(collection)
                with self._lock:  # a put either is in the queue by now, or will find no job and begin one
                    if not n_done and self._urgent.empty():
                        self._index_job = None
                        break
            self._jobs.done(job, {"documents": documents, "passages": passages, "truncated": truncated})

        self._guarded(job, run)

    def _optimized(self, job: str, collection: Collection) -> None:
        report = collection.optimize(
            on_clustered=lambda done, total: self._jobs.progressed(job, {"done": done, "total": total})
        )
        self._jobs.done(job, asdict(report))

    def _guarded(self, job: str, run: Callable[[], None]) -> None:
        try:
            run()
        except _StoppedError:
            self._end(job, "stopped", "the server went down; it goes on after its next start")
        except Exception as error:  # noqa: BLE001 - a job must not take the thread down
            self._end(job, *_described(error))

    def _end(self, job: str, code: str, message: str) -> None:
        self._jobs.failed(job, code, message)
        with self._lock:
            if self._index_job == job:
                self._index_job = None

    def _refuse_all(self, error: Exception) -> None:
        """The collection cannot be opened, or the server goes down: say so to all who wait."""
        if self._index_job:
            self._end(self._index_job, *_described(error))
        with self._lock:
            puts = list(self._puts)
            self._puts.clear()
        for put in puts:
            if put.result.set_running_or_notify_cancel():
                put.result.set_exception(error)
        while not self._urgent.empty():
            self._urgent.get().refuse(error)


def _described(error: Exception) -> tuple[str, str]:
    """Code and sentence; what is no error of ours says nothing of its insides."""
    if isinstance(error, Lfm2ColbertError):
        return error.code, error.message
    LOG.error("a job failed", exc_info=error)
    return "internal", "something went wrong; the server's log says what"
