"""Files of this machine, sent to a server's collection as documents."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from index.intake import INTERRUPTED
from index.reading.base import ReadOptions, SourceFile
from index.reading.files import FileReader
from index.reading.scan import scan
from index.types import Document, Failure, IndexReport, Notice
from lfm2_colbert.errors import DuplicateIdError, NotFoundError
from service.backend.base import OnClustered
from service.client import Client, RemoteCollection
from service.client.calls import failure_of
from service.client.wire import ignore
from service.engine.jobs import Job, JobState

if TYPE_CHECKING:
    from index.indexing import EncodingProgress

    OnProgress = Callable[[EncodingProgress], None]


def never() -> bool:
    """Go on to the end."""
    return False


KEPT = Notice(
    "removals_not_sent",
    "documents whose files are gone stay on the server: remove them with `lfm2-colbert delete ID...`",
)


class Sending:
    """A collection that files are sent to, under the name that `index.Collection` has for it."""

    def __init__(self, client: Client, collection: RemoteCollection) -> None:
        """Send through `client`."""
        self._client, self._collection = client, collection

    def add_files(
        self,
        path: str | Path,
        *,
        prefix: str = "",
        text_field: str = "text",
        on_file: Callable[[int], None] = ignore,
        on_progress: "OnProgress" = ignore,
        on_clustered: OnClustered = ignore,
        stopped: Callable[[], bool] = never,
    ) -> IndexReport:
        """Read a folder or file here, store its documents there, and wait until they are searchable.

        Args:
            path: a folder, or a single file. A document's id is its path below the folder.
            prefix: put before the ids with a "/".
            text_field: field of a JSONL row that holds its text.
            on_file: called after each file.
            on_progress: called during encoding.
            on_clustered: never called: a server does not say when it clusters.
            stopped: asked between files; if it says so, the rest is not sent.

        Raises:
            NotFoundError: there is nothing at `path`.
        """
        started = time.perf_counter()
        with FileReader(ReadOptions(text_field)) as reader:
            files = _Files(Path(path).absolute(), prefix, reader, on_file, stopped)
            stored = self._collection.add_stream(files.documents())
        jobs = self._ended(stored.jobs, on_progress)
        status = self._collection.status()
        return IndexReport(
            documents=status["documents"],
            passages=status["passages"],
            encoded_passages=_sum(jobs, "passages"),
            added=stored.added,
            changed=stored.changed,
            unchanged=stored.unchanged,
            removed=0,
            failed=(*files.failed, *stored.failed),
            truncated=_sum(jobs, "truncated"),
            notices=tuple(files.notices),
            seconds=time.perf_counter() - started,
        )

    def _ended(self, job_ids: Sequence[str], on_progress: "OnProgress") -> list[Job]:
        """Wait for jobs to end; the last encodes whatever earlier ones left."""
        ended = [self._followed(job_id, on_progress) for job_id in job_ids]
        if ended and (last := ended[-1]) and last.state is JobState.FAILED:
            raise failure_of(last)
        return [job for job in ended if job]

    def _followed(self, job_id: str, on_progress: "OnProgress") -> Job | None:
        from index.indexing import EncodingProgress

        job: Job | None = None
        try:
            for job in self._client.follow(job_id):
                done, total = job.progress.get("done", 0), int(job.progress.get("total", 0))
                if total:
                    on_progress(EncodingProgress(done, total, 0, 0))
        except NotFoundError:  # it ended so long ago that the server knows it no more
            return None
        return job


@dataclass(slots=True)
class _Files:
    """What lies at a path, read as `index.intake` reads it.

    Attributes:
        failed: files and rows that gave no document.
        notices: what else a person should know.
    """

    path: Path
    prefix: str
    reader: FileReader
    on_file: Callable[[int], None]
    stopped: Callable[[], bool]
    failed: list[Failure] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def documents(self) -> Iterator[Document]:
        """Give documents, a file at a time."""
        owners: dict[str, str] = {}
        for n_files, entry in enumerate(scan(self.path), start=1):
            if self.stopped():
                self.notices.append(Notice(INTERRUPTED, "not all files were read: run it again"))
                return
            if isinstance(entry, SourceFile):
                yield from self._of_file(entry, owners)
            else:
                self._note(entry)
            self.on_file(n_files)
        if self.path.is_dir():
            self.notices.append(KEPT)

    def _of_file(self, file: SourceFile, owners: dict[str, str]) -> Iterator[Document]:
        """Give a file's documents, without those whose ids were given before; `owners` says by which file."""
        for item in self.reader.read(file):
            if not isinstance(item, Document):
                self._note(item)
                continue
            document = self._named(item)
            if document.id in owners:
                self._note(_duplicate(document.id, owners[document.id], file.id))
                continue
            owners[document.id] = file.id
            yield document

    def _named(self, document: Document) -> Document:
        return replace(document, id=f"{self.prefix}/{document.id}") if self.prefix else document

    def _note(self, item: Failure | Notice) -> None:
        if isinstance(item, Failure):
            self.failed.append(item)
        else:
            self.notices.append(item)


def _duplicate(document_id: str, owner: str, file: str) -> Failure:
    """Say it as a local collection does."""
    twice = "occurs twice in one file" if owner == file else f"belongs to the file {owner}; give the rows different ids"
    return Failure(document_id, DuplicateIdError.code, f"the id '{document_id}' {twice}")


def _sum(jobs: Sequence[Job], what: str) -> int:
    return sum(int((job.result or {}).get(what, 0)) for job in jobs)
