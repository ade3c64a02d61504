"""From a folder to the document table: what changed since the last run, and nothing else.

A file's content hash is written last, after its documents, so a run that was killed finds the file unfinished and reads
it again; documents that stand already are then unchanged.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import xxhash

from index.reading import VERSION
from index.reading.base import ReadOptions, SourceFile, failure_of
from index.reading.files import FileReader
from index.reading.scan import scan
from index.records import UNFINISHED, Change
from index.renaming import Renaming
from index.store import Store
from index.types import Document, Failure, Notice
from lfm2_colbert.errors import DataError, DuplicateIdError, Lfm2ColbertError, NotFoundError, UsageError

DOCUMENTS_PER_COMMIT = 256
CHARACTERS_PER_COMMIT = 8_000_000
INTERRUPTED = "interrupted"
FAILURES_KEPT = 1_000
"""Of one file."""

OnFile = Callable[[int], None]
"""Told how many files have been looked at."""


@dataclass(slots=True)
class Intake:
    """What a scan did to the document table, counted in documents."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    renamed: int = 0
    failed: list[Failure] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


def put_all(store: Store, documents: Sequence[Document]) -> tuple[Intake, int]:
    """Store documents that a program gives, a few hundred a commit; give what changed, and how many did not.

    Raises:
        InvalidArgumentError: a document cannot be stored; batches before it stay.
    """
    intake, unchanged = Intake(), 0
    for start in range(0, len(documents), DOCUMENTS_PER_COMMIT):
        with store.transaction():
            changes = [store.put(document, None) for document in documents[start : start + DOCUMENTS_PER_COMMIT]]
        intake.added += changes.count(Change.ADDED)
        intake.changed += changes.count(Change.CHANGED)
        unchanged += changes.count(Change.UNCHANGED)
    return intake, unchanged


def digest_of(file: SourceFile, options: ReadOptions) -> bytes:
    """Hash a file together with the way it is read: where both are as before, its documents are too.

    Raises:
        Lfm2ColbertError: the file cannot be read.
    """
    reading = f"{VERSION}:{options.text_field}".encode()
    return xxhash.xxh3_128_digest(bytes.fromhex(file.content_hash()) + reading)


class Scan:
    """One pass over a root: a folder or a single file."""

    def __init__(self, store: Store, path: Path, prefix: str, options: ReadOptions) -> None:
        """Prepare; `prefix` with a "/" goes before each document id, unless it is empty."""
        self._store, self._path, self._prefix = store, path.absolute(), prefix
        self._reader, self._options = FileReader(options), options
        self.intake = Intake()
        with store.transaction():
            self.root = store.root(str(self._path), prefix)
        self._known = store.sources(self.root)
        self._seen: set[str] = set()
        self._renaming = Renaming(store, self._known, self._id)
        self._commit = ExitStack()
        self._documents = self._characters = 0
        self._contested: list[tuple[SourceFile, bytes]] | None = []

    def run(self, on_file: OnFile, stopped: Callable[[], bool]) -> None:
        """Bring the document table up to date, committing every few hundred documents.

        Where it is stopped, between two files, nothing is removed, and the next run reads the rest.

        Raises:
            NotFoundError: there is nothing at the path; nothing was removed.
            StorageError: the disk refused; what was committed before stays.
        """
        with self._commit, self._reader:
            self._commit.enter_context(self._store.transaction())
            for n_files, entry in enumerate(scan(self._path), start=1):
                if stopped():
                    self.intake.notices.append(Notice(INTERRUPTED, "not all files were read: run it again"))
                    return
                self._look_at(entry)
                on_file(n_files)
            self._remove_vanished()
            contested, self._contested = self._contested, None
            for file, digest in contested or ():  # an id may have moved: its old owner has been looked at by now
                self._take(file, digest)

    def _look_at(self, entry: SourceFile | Failure | Notice) -> None:
        if isinstance(entry, Notice):
            self.intake.notices.append(entry)
            return
        if isinstance(entry, Failure):
            self._fail(entry)
            return
        self._seen.add(entry.id)
        try:
            digest = digest_of(entry, self._options)
        except Lfm2ColbertError as error:
            self._fail(failure_of(entry.id, error))
            return
        known = self._known.get(entry.id)
        if known is None or known.content_hash != digest:
            self._find_under_another_name(entry.id, digest)
            self._take(entry, digest)
        elif entry.id in self._renaming.moved:
            self.intake.renamed += 1
            self._take(entry, digest)
        elif known.failure:
            self.intake.failed += self._store.failures_of(known.key) or [known.failure]
        self._renaming.settle(entry.id)

    def _find_under_another_name(self, path: str, digest: bytes) -> None:
        """Let a file that was there under another name keep its documents with their vectors."""
        for holder in self._renaming.holders(digest):
            if self._still_holds(holder, digest):
                self._renaming.settle(holder)
            elif self._renaming.take_over(path, holder):
                self.intake.renamed += 1
                return

    def _still_holds(self, path: str, digest: bytes) -> bool:
        try:
            return digest_of(SourceFile(self._path / path, path), self._options) == digest
        except NotFoundError:
            return False
        except Lfm2ColbertError:  # nobody can say what it holds
            return True

    def _take(self, file: SourceFile, digest: bytes) -> None:
        """Read a file and put its documents; one whose ids others own is put off to the end of the run."""
        source = self._store.set_source(self.root, file.id, UNFINISHED, None)
        kept: set[str] = set()
        failures: list[Failure] = []
        for item in self._reader.read(file):
            if isinstance(item, Notice):
                self.intake.notices.append(item)
                continue
            refusal = item if isinstance(item, Failure) else self._put(item, source, kept)
            if refusal:
                failures.append(refusal)
        if kept or not failures:  # a file that cannot be read any more keeps what it gave before
            self.intake.removed += self._store.prune_source(source, kept)
        if any(failure.code == DuplicateIdError.code for failure in failures):
            digest = UNFINISHED  # the next run tries again: the other owner may be gone by then
            if self._contested is not None:
                self._contested.append((file, digest))
                return
        self.intake.failed += failures
        self._store.set_source(self.root, file.id, digest, _summary(file.id, failures))
        self._store.set_failures(source, _listed(file.id, failures))

    def _id(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path

    def _put(self, document: Document, source: int, kept: set[str]) -> Failure | None:
        document_id = self._id(document.id)
        if document_id in kept:
            return Failure(document_id, DuplicateIdError.code, f"the id '{document_id}' occurs twice in one file")
        try:
            change = self._store.put(replace(document, id=document_id), source)
        except (UsageError, DataError) as error:  # about this document; the disk and the lock are not
            return Failure(document_id, error.code, f"{error.message}; {error.help}" if error.help else error.message)
        kept.add(document_id)
        self.intake.added += change is Change.ADDED
        self.intake.changed += change is Change.CHANGED
        self._wrote(len(document.text))
        return None

    def _wrote(self, characters: int) -> None:
        self._documents += 1
        self._characters += characters
        if self._documents >= DOCUMENTS_PER_COMMIT or self._characters >= CHARACTERS_PER_COMMIT:
            self._commit.close()
            self._commit.enter_context(self._store.transaction())
            self._documents = self._characters = 0

    def _fail(self, failure: Failure) -> None:
        self._seen.add(failure.path)
        self.intake.failed.append(failure)
        self._store.set_source(self.root, failure.path, UNFINISHED, failure)

    def _remove_vanished(self) -> None:
        """Remove documents of files that are gone; what lies below a folder that could not be listed is not gone."""
        if str(self._path) in self._seen:
            return
        unlisted = tuple(path for path in self._seen if path.endswith("/"))
        for path, row in self._known.items():
            if path not in self._seen and not path.startswith(unlisted):
                self.intake.removed += self._store.remove_source(row.key)


def _listed(path: str, failures: list[Failure]) -> list[Failure]:
    """Give what of a file failed, where that is not the file itself: up to some, and how many more."""
    if len(failures) == 1 and failures[0].path == path:
        return []
    more = len(failures) - FAILURES_KEPT
    kept = failures[:FAILURES_KEPT]
    return [*kept, Failure(path, failures[-1].code, f"{more:,} more failed")] if more > 0 else kept


def _summary(path: str, failures: list[Failure]) -> Failure | None:
    """One line for the table of sources, where a file has many broken rows."""
    if not failures:
        return None
    first = failures[0]
    if len(failures) == 1:
        return Failure(path, first.code, first.message)
    return Failure(path, first.code, f"{len(failures)} rows failed, the first: {first.message}")
