"""What a folder holds for the index: every file is read as a run would read it, and nothing of it is kept but a sample.

Files are read in random order, so that those that were read stand for the others where reading all takes too long.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from index.canonical import canonical
from index.estimating.known import Known
from index.estimating.sampling import Reservoir
from index.estimating.types import Cost, Found, Stopwatch
from index.intake import OnFile, digest_of
from index.language import language_of
from index.reading.base import Read, ReadOptions, SourceFile, failure_of
from index.reading.files import FileReader
from index.reading.scan import scan
from index.types import Document, Failure, Notice
from lfm2_colbert.errors import DataError, DuplicateIdError, Lfm2ColbertError, UnsupportedFileError, UsageError

READING_SECONDS = 60.0
"""After so long no further file is read; what was not read is judged by the sizes of files of its format."""
PARTLY_READ = "partly_read"


@dataclass(slots=True)
class Tally:
    """Files of one format: how many and how large, of these read, and what they gave."""

    files: int = 0
    n_bytes: int = 0
    read_bytes: int = 0
    documents: int = 0
    characters: int = 0
    wall_s: float = 0.0


@dataclass(slots=True)
class Survey:
    """What was found so far.

    Attributes:
        tallies: by format, of files that would be read.
        languages: code points by language.
        cost: of reading, as the run would pay it.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    languages: Counter[str] = field(default_factory=Counter)
    failed: list[Failure] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    unchanged_files: int = 0
    unchanged_documents: int = 0
    cost: Cost = field(default_factory=Cost)

    def read_share(self) -> float:
        """Give the share of bytes that were read."""
        total = sum(tally.n_bytes for tally in self.tallies.values())
        return sum(tally.read_bytes for tally in self.tallies.values()) / total if total else 1.0

    def found(self) -> Found:
        """Give what the whole holds: by count where all was read, else by the sizes of files."""
        letters = max(sum(self.languages.values()), 1)
        return Found(
            files={name: tally.files for name, tally in sorted(self.tallies.items())},
            unsupported=sum(each.code == UnsupportedFileError.code for each in self.failed),
            failed=tuple(self.failed),
            unchanged_files=self.unchanged_files,
            unchanged_documents=self.unchanged_documents,
            documents=round(self._whole(lambda tally: tally.documents)),
            characters=round(self._whole(lambda tally: tally.characters)),
            languages={language: n / letters for language, n in self.languages.most_common()},
            read_share=self.read_share(),
        )

    def all_notices(self) -> list[Notice]:
        """Give what files said, and that not all of them were read, if so."""
        if self.read_share() == 1:
            return self.notices
        share = f"{self.read_share():.0%} of the bytes were read in {READING_SECONDS:.0f} s"
        return [*self.notices, Notice(PARTLY_READ, f"{share}: documents and languages are estimates, too")]

    def whole_cost(self) -> Cost:
        """Give what reading all would take."""
        read = sum(tally.wall_s for tally in self.tallies.values())
        return self.cost.times(self._whole(lambda tally: tally.wall_s) / read if read else 1.0)

    def _whole(self, figure: Callable[[Tally], float]) -> float:
        """Scale a figure of each format from the bytes that were read to all; a format never read is as the others."""
        read = sum(tally.read_bytes for tally in self.tallies.values())
        rate = sum(map(figure, self.tallies.values())) / read if read else 0.0
        return sum(
            figure(tally) * tally.n_bytes / tally.read_bytes if tally.read_bytes else rate * tally.n_bytes
            for tally in self.tallies.values()
        )


class Surveyor:
    """Reads the files of one run."""

    def __init__(self, options: ReadOptions, prefix: str, reservoir: Reservoir, rng: np.random.Generator) -> None:
        """Read nothing yet."""
        self._options, self._prefix, self._reservoir, self._rng = options, prefix, reservoir, rng
        self._ids: set[str] = set()
        self._looking = Stopwatch()
        self._deadline = time.perf_counter() + READING_SECONDS
        self.survey = Survey()

    def look_at(self, path: Path, known: Known, on_file: OnFile) -> None:
        """Read a folder or file.

        Raises:
            NotFoundError: there is nothing at the path.
        """
        entries = list(scan(path))
        files = [each for each in entries if isinstance(each, SourceFile)]
        self.survey.failed += [each for each in entries if isinstance(each, Failure)]
        self.survey.notices += [each for each in entries if isinstance(each, Notice)]
        known.listed(file.id for file in files)
        reading, self._looking = Stopwatch(), Stopwatch()
        before = _of_children()
        with reading.running(), FileReader(self._options) as reader:
            for n_read, place in enumerate(self._rng.permutation(len(files)), start=1):
                self._take(reader, files[place], known)
                on_file(n_read)
        self.survey.cost += reading.cost + self._looking.cost.times(-1) + Cost(0, _of_children() - before)

    def _take(self, reader: FileReader, file: SourceFile, known: Known) -> None:
        started = time.perf_counter()
        try:
            size = file.path.stat().st_size
            if started > self._deadline:
                self._tally(file, size)
                return
            held = known.holds_file(file.id, digest_of(file, self._options))
        except OSError:
            size, held = 0, False  # it vanished, or must not be read: the reader says so
        except Lfm2ColbertError as error:
            self.survey.failed.append(failure_of(file.id, error))
            return
        if held:
            self.survey.unchanged_files += 1
            return
        tally = self._tally(file, size)
        tally.read_bytes += size
        for item in reader.read(file):
            with self._looking.running():
                self._count(item, tally, known)
        tally.wall_s += time.perf_counter() - started

    def _tally(self, file: SourceFile, size: int) -> Tally:
        tally = self.survey.tallies.setdefault(file.format or "", Tally())
        tally.files += 1
        tally.n_bytes += size
        return tally

    def _count(self, item: Read, tally: Tally, known: Known) -> None:
        if isinstance(item, Notice):
            self.survey.notices.append(item)
            return
        refusal = item if isinstance(item, Failure) else self._refusal(item)
        if refusal or not isinstance(item, Document):
            self.survey.failed += [refusal] if refusal else []
            return
        document = replace(item, id=self._id(item))
        if known.holds_document(document):
            self.survey.unchanged_documents += 1
            return
        tally.documents += 1
        tally.characters += len(document.text)
        self.survey.languages[language_of(document.text)] += len(document.text)
        self._reservoir.offer(document)

    def _refusal(self, item: Document) -> Failure | None:
        """Say why a document could not be stored, if so."""
        document = replace(item, id=self._id(item))
        if document.id in self._ids:
            return Failure(document.id, DuplicateIdError.code, f"the id '{document.id}' occurs twice")
        try:
            canonical(document)
        except (UsageError, DataError) as error:
            return failure_of(document.id, error)
        self._ids.add(document.id)
        return None

    def _id(self, document: Document) -> str:
        return f"{self._prefix}/{document.id}" if self._prefix else document.id


def _of_children() -> float:
    """Give the CPU seconds of processes that have ended: that of risky formats is one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
