"""The reading side of a collection: documents, passages, files seen, segments, as the last commit left them."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from index.anchors import is_place, place_of
from index.database import REBUILD, Database, Row
from index.digests import content_digest
from index.filters.stored import StoredFields
from index.records import (
    SETTINGS,
    CodebookInfo,
    CollectionSettings,
    FileInfo,
    ListsInfo,
    PendingDocument,
    PlacedPassage,
    SegmentInfo,
    SourceRow,
    StoreCounts,
    StoredDocument,
    StoredPassage,
    WordsInfo,
)
from index.types import Anchor, Around, Failure, Passage
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import CorruptionError

PASSAGES_PER_STATEMENT = 64
"""SQLite takes thousands of values; statements of few shapes are prepared once."""


class StoredState:
    """What a store can be asked.

    Attributes:
        settings: what the collection was built with.
        fields: what documents can be filtered by.
    """

    def __init__(self, database: Database) -> None:
        """Ask through an open database."""
        self._database = database
        self.settings = self.stored_settings()
        self.fields = StoredFields(database)

    def stored_settings(self) -> CollectionSettings:
        """Read what the collection is built with now; a rebuild may have changed it."""
        return from_mapping(CollectionSettings, self.note(SETTINGS) or {})

    def snapshot(self) -> AbstractContextManager[None]:
        """Let all reads of the block see one state, whatever a writer commits meanwhile."""
        return self._database.snapshot()

    def changes(self) -> int:
        """Count the transactions that changed something; another number than before means: read again."""
        return self._database.counter("txid")

    def known_root(self, path: str, prefix: str) -> int | None:
        """Give the key of an indexed folder or file with its prefix; None where it was never indexed."""
        found: int | None = self._database.value("SELECT key FROM roots WHERE path = ? AND prefix = ?", (path, prefix))
        return found

    def waiting_sources(self) -> set[int]:
        """Give the keys of files with documents that wait for vectors."""
        found = self._database.rows("SELECT DISTINCT source FROM documents WHERE pending AND source IS NOT NULL")
        return {source for (source,) in found}

    def sources(self, root: int) -> dict[str, SourceRow]:
        """Give the files seen under a root, by path."""
        found = self._database.rows(
            "SELECT key, path, content_hash, code, message FROM sources WHERE root = ? ORDER BY path", (root,)
        )
        return {
            path: SourceRow(key, path, content_hash, None if code is None else Failure(path, code, message))
            for key, path, content_hash, code, message in found
        }

    def failures(self) -> list[Failure]:
        """List the files, rows of tables and members of archives that gave no document, and why."""
        found = self._database.rows(
            "SELECT path, code, message FROM sources WHERE code IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM failures WHERE source = key) "
            "UNION ALL SELECT path, code, message FROM failures ORDER BY path"
        )
        return [Failure(*row) for row in found]

    def failures_of(self, source: int) -> list[Failure]:
        """List what of a file gave no document, where others of it did or may."""
        found = self._database.rows(
            "SELECT path, code, message FROM failures WHERE source = ? ORDER BY path", (source,)
        )
        return [Failure(*row) for row in found]

    def document(self, document_id: str) -> StoredDocument | None:
        """Look a document up by its id."""
        found = self._database.row(
            "SELECT key, id, version, text, metadata, source, pending, text_hash, metadata_hash "
            "FROM documents LEFT JOIN texts ON document = key WHERE id = ?",
            (document_id,),
        )
        if found is None:
            return None
        key, document_id, version, text, metadata, source, pending, text_hash, metadata_hash = found
        self._require_whole(document_id, text, text_hash)
        self._require_whole(document_id, metadata, metadata_hash)
        return StoredDocument(key, document_id, version, text, json.loads(metadata), source, bool(pending))

    def all_ids(self) -> list[str]:
        """List the ids of all documents, in order."""
        return [document_id for (document_id,) in self._database.rows("SELECT id FROM documents ORDER BY id")]

    def ids_after(self, after: str, limit: int) -> list[str]:
        """List ids in order, from the first one behind `after`."""
        found = self._database.rows("SELECT id FROM documents WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [document_id for (document_id,) in found]

    def document_ids(self, keys: Iterable[int]) -> dict[int, str]:
        """Give the ids of documents by their keys; keys of none are left out."""
        wanted = json.dumps(list(keys))
        return dict(
            self._database.rows(
                "SELECT key, id FROM documents WHERE key IN (SELECT value FROM json_each(?))", (wanted,)
            )
        )

    def document_key(self, document_id: str) -> int | None:
        """Give the key of a document by its id; None where it is not there."""
        found = self._database.row("SELECT key FROM documents WHERE id = ?", (document_id,))
        return None if found is None else int(found[0])

    def count_under(self, root: int) -> int:
        """Count the documents that files of a root gave."""
        return int(
            self._database.value(
                "SELECT count(*) FROM documents JOIN sources ON sources.key = documents.source WHERE root = ?", (root,)
            )
        )

    def pending(self, limit_characters: int) -> list[PendingDocument]:
        """Give documents that wait for vectors, by key: as many as fit the limit, and at least one if any waits."""
        keys: list[int] = []
        total = 0
        with contextlib.closing(
            self._database.each("SELECT key, characters FROM documents WHERE pending ORDER BY key")
        ) as waiting:
            for key, characters in waiting:
                total += characters
                if keys and total > limit_characters:
                    break
                keys.append(key)
        return [document for key in keys for document in self.document_to_encode(key)]

    def pending_characters(self) -> int:
        """Add up the lengths of all texts that wait for vectors, in code points."""
        return int(self._database.value("SELECT coalesce(sum(characters), 0) FROM documents WHERE pending"))

    def counts(self) -> StoreCounts:
        """Count what the collection holds.

        Raises:
            CorruptionError: documents are missing from their table.
        """
        with self.snapshot():
            documents, pending = self._count_documents()
            passages = self._database.rows(
                "SELECT language, count(*), sum(tokens) FROM passages GROUP BY language ORDER BY language"
            )
            return StoreCounts(
                documents=documents,
                passages=sum(n for _, n, _ in passages),
                tokens=sum(tokens for _, _, tokens in passages),
                bytes=self._count_bytes(),
                languages={language: n for language, n, _ in passages},
                pending=pending,
                failed=self._database.value("SELECT count(*) FROM sources WHERE code IS NOT NULL"),
            )

    def segments(self) -> list[SegmentInfo]:
        """List the published segments in the order of their numbers."""
        return [SegmentInfo(*row) for row in sorted(self._database.guarded("segments"))]

    def codebook(self) -> CodebookInfo | None:
        """Give the codebook in use."""
        row = max(self._database.guarded("codebooks"), default=None)
        return None if row is None else CodebookInfo(row[0], FileInfo(*row[1:]))

    def lists(self) -> list[ListsInfo]:
        """List the posting lists under the codebook in use, by segment."""
        codebook = self.codebook()
        rows = sorted(self._database.guarded("lists"))
        return [ListsInfo(row[0], row[1], FileInfo(*row[2:])) for row in rows if codebook and row[1] == codebook.number]

    def words(self) -> list[WordsInfo]:
        """List the words of segments, of whatever analysis, by segment."""
        found = sorted(self._database.guarded("words"))
        return [WordsInfo(segment, analysis, FileInfo(*file)) for segment, analysis, *file in found]

    def row_texts(self, segment: int) -> Iterator[tuple[int, int, str]]:
        """Walk the live rows of a segment, ascending: row, document key, and the passage's text."""
        rows: Iterator[Any] = self._database.each(
            'SELECT p.row, p.document, substr(t.text, p.start + 1, p."end" - p.start) FROM passages p '
            "JOIN texts t ON t.document = p.document WHERE p.segment = ? ORDER BY p.row",
            (segment,),
        )
        yield from rows

    def published_files(self) -> set[str]:
        """Name all files in the segments' folder that a commit stands for."""
        tables = ("segments", "codebooks", "lists", "words", "staged_segments", "staged_words")
        found = self._database.rows(" UNION ALL ".join(f"SELECT file FROM {table}" for table in tables))
        return {file for (file,) in found}

    def note(self, name: str) -> Any:
        """Give a JSON value that was kept under a name; None where there is none."""
        notes: dict[str, str] = dict(self._database.guarded("notes"))
        return json.loads(notes[name]) if name in notes else None

    def passage_rows(self, segment: int) -> Iterator[tuple[int, int, int]]:
        """Walk the searchable passages of a segment by row: document key, ordinal, row."""
        rows: Iterator[Any] = self._database.each(
            "SELECT document, ordinal, row FROM passages WHERE segment = ? ORDER BY row", (segment,)
        )
        yield from rows

    def deaths_since(self, txid: int) -> list[tuple[int, int]]:
        """Give the rows that lost their passage after a transaction: segment, row."""
        found: list[Any] = self._database.rows("SELECT segment, row FROM dead WHERE txid > ?", (txid,))
        return found

    def dead_rows(self) -> dict[int, int]:
        """Count the dead rows of segments that have any."""
        return dict(self._database.rows("SELECT segment, count(*) FROM dead GROUP BY segment"))

    def n_rows(self, table: str) -> int:
        """Say how many rows a guarded table must have, without counting them."""
        n: int | None = self._database.value("SELECT n FROM sums WHERE name = ?", (table,))
        if n is None:
            raise CorruptionError(f"{self._database.path}: it does not say how many {table} it has", help=REBUILD)
        return n

    def require_acknowledged(self) -> None:
        """Refuse a state that lost acknowledged transactions.

        Raises:
            CorruptionError: some are missing.
        """
        self._database.require_acknowledged()

    def passage(self, document: int, ordinal: int) -> StoredPassage | None:
        """Look a passage up by its document's key and its place in it; only its own words are read."""
        return self.passages([(document, ordinal)]).get((document, ordinal))

    def passages(self, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], StoredPassage]:
        """Look passages up as `passage` does, with few statements; those that are gone are left out."""
        found: dict[tuple[int, int], StoredPassage] = {}
        for first in range(0, len(places), PASSAGES_PER_STATEMENT):
            part = places[first : first + PASSAGES_PER_STATEMENT]
            wanted = ", ".join(["(?, ?)"] * len(part))
            rows = self._database.rows(
                'SELECT p.document, p.ordinal, d.id, p.start, p."end", p.tokens, p.language, '
                'substr(t.text, p.start + 1, p."end" - p.start), p.segment, p.row, t.metadata, d.metadata_hash, '
                "content_digest(d.id, CAST(t.text AS BLOB)) = d.text_hash, "
                "EXISTS (SELECT 1 FROM anchors a WHERE a.document = p.document) "
                f"FROM (VALUES {wanted}) AS wanted JOIN passages p ON p.document = column1 AND p.ordinal = column2 "
                "JOIN documents d ON d.key = p.document JOIN texts t ON t.document = p.document",
                tuple(chain.from_iterable(part)),
            )
            found |= {(row[0], row[1]): self._stored(row) for row in rows}
        return found

    def _stored(self, row: Row) -> StoredPassage:
        document, ordinal, document_id, start, end, tokens, language, text, segment, place, *about = row
        metadata, metadata_hash, is_whole, has_anchors = about
        if not is_whole:
            raise self._damaged(document_id)
        self._require_whole(document_id, metadata, metadata_hash)
        passage = Passage(ordinal, start, end, tokens, language)
        anchor = self._stands_at(document, document_id, passage) if has_anchors else {}
        return StoredPassage(document_id, passage, text, json.loads(metadata), segment, place, anchor)

    def stored_anchors(self, document: int) -> tuple[tuple[int, str], ...]:
        """Give the anchors of a document by its key, in order: start, and the place as JSON."""
        found = self._database.rows("SELECT start, place FROM anchors WHERE document = ? ORDER BY start", (document,))
        return tuple(found)

    def anchors(self, document: int) -> tuple[Anchor, ...]:
        """Give the anchors of a document by its key, in order."""
        return tuple(Anchor(start, json.loads(place)) for start, place in self.stored_anchors(document))

    def _stands_at(self, document: int, document_id: str, passage: Passage) -> dict[str, Any]:
        """Say where a passage stands in its file: by the anchor before its start, and those within it."""
        rows = self._database.rows(
            "SELECT start, place FROM anchors WHERE document = ?1 AND start < ?3 AND start >= coalesce("
            "(SELECT max(start) FROM anchors WHERE document = ?1 AND start <= ?2), 0) ORDER BY start",
            (document, passage.start, passage.end),
        )
        covered = [Anchor(start, self._stored_place(place, document_id)) for start, place in rows]
        if not covered or "line" not in covered[0].place:
            return place_of(covered)
        before = "SELECT substr(text, ?2 + 1, ?3 - ?2) FROM texts WHERE document = ?1"
        text: str = self._database.value(before, (document, covered[0].start, max(covered[0].start, passage.start)))
        return place_of(covered, text.count("\n"))

    def _stored_place(self, place: str, document_id: str) -> dict[str, Any]:
        try:
            found = json.loads(place)
        except ValueError:
            found = None
        if not is_place(found):
            raise self._damaged(document_id)
        return dict(found)

    def around(self, document: int, ordinal: int, n: int) -> Around | None:
        """Give the text from `n` passages before one to `n` behind it; None where the document has gone."""
        found = self._database.row(
            'SELECT min(start), max("end"), substr(text, min(start) + 1, max("end") - min(start)) FROM passages p '
            "JOIN texts t ON t.document = p.document WHERE p.document = ? AND ordinal BETWEEN ? AND ?",
            (document, ordinal - n, ordinal + n),
        )
        return None if found is None or found[0] is None else Around(*found)

    def passages_of(self, document_id: str) -> list[Passage]:
        """List the searchable passages of a document in their order; none where it waits or is not there."""
        rows = self._database.rows(
            'SELECT p.ordinal, p.start, p."end", p.tokens, p.language FROM passages p '
            "JOIN documents d ON d.key = p.document WHERE d.id = ? ORDER BY p.ordinal",
            (document_id,),
        )
        return [Passage(*row) for row in rows]

    def placed_passages(self, key: int) -> list[PlacedPassage]:
        """List the searchable passages of a document by its key, in their order, with where their vectors are."""
        rows = self._database.rows(
            'SELECT ordinal, start, "end", tokens, language, segment, row FROM passages '
            "WHERE document = ? ORDER BY ordinal",
            (key,),
        )
        return [PlacedPassage(Passage(*row[:5]), *row[5:]) for row in rows]

    def document_to_encode(self, key: int) -> Iterator[PendingDocument]:
        """Give a document with its text, checked, or nothing if it is gone since its key was read."""
        for row in self._database.rows(
            "SELECT key, version, id, text, text_hash FROM documents LEFT JOIN texts ON document = key WHERE key = ?",
            (key,),
        ):
            document = PendingDocument(*row[:-1])
            self._require_whole(document.id, document.text, row[-1])
            yield document

    def _require_whole(self, document_id: str, content: str | None, digest: bytes) -> None:
        if not isinstance(content, str) or content_digest(document_id, content.encode()) != digest:
            raise self._damaged(document_id)

    def _damaged(self, document_id: str) -> CorruptionError:
        return CorruptionError(
            f"{self._database.path}: the document '{document_id}' differs from what was stored", help=REBUILD
        )

    def _count_documents(self) -> tuple[int, int]:
        """Count all documents and the pending ones, against the count that is kept beside them."""
        expected = self.n_rows("documents")
        found = self._database.value("SELECT count(*) FROM documents")
        if found != expected:
            raise CorruptionError(
                f"{self._database.path}: {expected} documents were stored, {found} are there",
                help=REBUILD,
            )
        return found, self._database.value("SELECT count(*) FROM documents WHERE pending")

    def _count_bytes(self) -> int:
        pages: int = self._database.value("PRAGMA page_count") * self._database.value("PRAGMA page_size")
        files = (
            "SELECT n_bytes FROM segments UNION ALL SELECT n_bytes FROM codebooks UNION ALL SELECT n_bytes FROM lists "
            "UNION ALL SELECT n_bytes FROM words"
        )
        return pages + int(self._database.value(f"SELECT coalesce(sum(n_bytes), 0) FROM ({files})"))
