"""The tables of a collection, in SQL, and the sums that vouch for them."""

from collections.abc import Iterator

APPLICATION_ID = 0x4C464D32
"""'LFM2' in SQLite's header: tells a store from any other database."""

FORMAT = 3
"""Kept as `user_version`. An older store is upgraded (`index.upgrade`), a newer one refused, never guessed at."""

SEGMENT = """    number INTEGER PRIMARY KEY,
    file TEXT NOT NULL UNIQUE,
    n_bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    n_passages INTEGER NOT NULL,
    n_tokens INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    codec TEXT NOT NULL"""
"""Columns of a segment, in the index or in the making."""

TABLES = f"""
-- Counters: transactions, and the next numbers to be given.
CREATE TABLE meta (
    k TEXT PRIMARY KEY,
    v INTEGER NOT NULL
) WITHOUT ROWID;

-- JSON values under a name: settings, frame of the codes, what was measured.
CREATE TABLE notes (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- For each guarded table how many rows it has and the sum of their hashes, changed in the same transaction as the rows:
-- a table that lost a row, a column or its root page does not match any more.
CREATE TABLE sums (
    name TEXT PRIMARY KEY,
    n INTEGER NOT NULL,
    hash INTEGER NOT NULL
) WITHOUT ROWID;

-- A folder or file that somebody indexed, and the prefix its ids got.
CREATE TABLE roots (
    key INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    prefix TEXT NOT NULL,
    UNIQUE (path, prefix)
);

-- A file as last seen. It stays when its document is deleted by id, so that the document stays deleted until the file
-- changes.
CREATE TABLE sources (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    root INTEGER NOT NULL REFERENCES roots,
    path TEXT NOT NULL,
    content_hash BLOB NOT NULL,
    code TEXT,
    message TEXT,
    UNIQUE (root, path)
);

-- AUTOINCREMENT: a key is never given twice, so vectors made for a deleted document never land on another.
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    source INTEGER REFERENCES sources,
    text_hash BLOB NOT NULL,
    metadata_hash BLOB NOT NULL,
    pending INTEGER NOT NULL,
    characters INTEGER NOT NULL
);
CREATE INDEX documents_of_source ON documents (source) WHERE source IS NOT NULL;
CREATE INDEX pending_documents ON documents (key, characters, pending) WHERE pending;

-- A second table, so that walking documents does not walk their words. The hashes in `documents` vouch for it.
CREATE TABLE texts (
    document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    text TEXT NOT NULL,
    metadata TEXT NOT NULL
);

-- Where stretches of a text stand in the file it was read from, each up to the next: a JSON object.
CREATE TABLE anchors (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    start INTEGER NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (document, start)
) WITHOUT ROWID;

-- What of a file gave no document, where others of it did or may: rows of a table, files of an archive.
CREATE TABLE failures (
    source INTEGER NOT NULL REFERENCES sources ON DELETE CASCADE,
    path TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (source, path)
) WITHOUT ROWID;

CREATE TABLE segments (
{SEGMENT}
);

-- Centroids; the largest number is in use.
CREATE TABLE codebooks (
    number INTEGER PRIMARY KEY,
    file TEXT NOT NULL UNIQUE,
    n_bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL
);

-- What a segment's tokens are under a codebook. Segments without a row are searched whole.
CREATE TABLE lists (
    segment INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    codebook INTEGER NOT NULL REFERENCES codebooks ON DELETE CASCADE,
    file TEXT NOT NULL UNIQUE,
    n_bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (segment, codebook)
) WITHOUT ROWID;

-- Which words stand in a segment's passages. Segments without a row are not found by their words until `optimize`.
CREATE TABLE words (
    segment INTEGER PRIMARY KEY REFERENCES segments ON DELETE CASCADE,
    analysis INTEGER NOT NULL,
    file TEXT NOT NULL UNIQUE,
    n_bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL
);

CREATE TABLE passages (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    language TEXT NOT NULL,
    segment INTEGER NOT NULL REFERENCES segments,
    row INTEGER NOT NULL,
    PRIMARY KEY (document, ordinal)
) WITHOUT ROWID;
CREATE UNIQUE INDEX passage_of_row ON passages (segment, row);

CREATE INDEX passages_of_language ON passages (language, segment, row);

-- A key of metadata with one of the types that its values have (index/filters/values.py).
CREATE TABLE fields (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    UNIQUE (name, type)
);

-- What documents hold there, as filters compare it; a list has a row for each of its strings.
CREATE TABLE field_values (
    field INTEGER NOT NULL REFERENCES fields,
    value NOT NULL,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    PRIMARY KEY (field, value, document)
) WITHOUT ROWID;
CREATE INDEX values_of_document ON field_values (document);

-- Rows of segments that no passage points to any more, and the transaction that took them away: a reader of an earlier
-- state learns from the later ones alone what has gone.
CREATE TABLE dead (
    segment INTEGER NOT NULL REFERENCES segments ON DELETE CASCADE,
    row INTEGER NOT NULL,
    txid INTEGER NOT NULL,
    PRIMARY KEY (segment, row)
) WITHOUT ROWID;
CREATE INDEX dead_since ON dead (txid);

-- A second index that is being made (index/staging.py): it takes the place of segments and passages as a whole.
CREATE TABLE staged_segments (
{SEGMENT}
);
CREATE TABLE staged_words (
    segment INTEGER PRIMARY KEY REFERENCES staged_segments ON DELETE CASCADE,
    analysis INTEGER NOT NULL,
    file TEXT NOT NULL UNIQUE,
    n_bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE staged_documents (
    document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    version INTEGER NOT NULL
);
CREATE TABLE staged_passages (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    language TEXT NOT NULL,
    segment INTEGER NOT NULL REFERENCES staged_segments,
    row INTEGER NOT NULL,
    PRIMARY KEY (document, ordinal)
) WITHOUT ROWID;

CREATE TRIGGER passage_died AFTER DELETE ON passages BEGIN
    INSERT INTO dead SELECT OLD.segment, OLD.row, v + 1 FROM meta WHERE k = 'txid';
END;
"""

GUARDED = {
    "notes": ("name", "value"),
    "roots": ("key", "path", "prefix"),
    "sources": ("key", "root", "path", "content_hash", "code", "message"),
    "documents": ("key", "id", "version", "source", "text_hash", "metadata_hash", "pending", "characters"),
    "anchors": ("document", "start", "place"),
    "failures": ("source", "path", "code", "message"),
    "segments": ("number", "file", "n_bytes", "checksum", "n_passages", "n_tokens", "dim", "codec"),
    "codebooks": ("number", "file", "n_bytes", "checksum"),
    "lists": ("segment", "codebook", "file", "n_bytes", "checksum"),
    "words": ("segment", "analysis", "file", "n_bytes", "checksum"),
    "passages": ("document", "ordinal", "start", '"end"', "tokens", "language", "segment", "row"),
    "dead": ("segment", "row", "txid"),
    "staged_segments": ("number", "file", "n_bytes", "checksum", "n_passages", "n_tokens", "dim", "codec"),
    "staged_words": ("segment", "analysis", "file", "n_bytes", "checksum"),
    "staged_documents": ("document", "version"),
    "staged_passages": ("document", "ordinal", "start", '"end"', "tokens", "language", "segment", "row"),
    "fields": ("key", "name", "type"),
    "field_values": ("field", "value", "document"),
}
"""Tables that `sums` has a row of, and all their columns; `texts` is vouched for by the hashes in `documents`."""

SUM_MASK = (1 << 62) - 1
"""Hashes and sums are kept below this, so that adding two never leaves SQLite's 64 bits."""

FIRST_META = {"txid": 0, "next_segment": 1, "next_codebook": 1}


def statements() -> Iterator[str]:
    """Give what makes an empty store: tables, and the triggers that keep their sums."""
    yield TABLES
    yield from (guard(table) for table in GUARDED)


def guard(table: str) -> str:
    """Give the SQL that starts the sum of a table and keeps it from then on."""
    new, old = (hash_of(table, prefix) for prefix in ("NEW.", "OLD."))
    added = f"hash = (hash + {new}) & {SUM_MASK}"
    removed = f"hash = (hash - {old}) & {SUM_MASK}"
    replaced = f"hash = ((hash - {old} & {SUM_MASK}) + {new}) & {SUM_MASK}"
    return f"""
INSERT INTO sums VALUES ('{table}', 0, 0);
CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN
    UPDATE sums SET n = n + 1, {added} WHERE name = '{table}';
END;
CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN
    UPDATE sums SET n = n - 1, {removed} WHERE name = '{table}';
END;
CREATE TRIGGER {table}_replaced AFTER UPDATE ON {table} BEGIN
    UPDATE sums SET {replaced} WHERE name = '{table}';
END;
"""


def hash_of(table: str, prefix: str = "") -> str:
    """Give the SQL for the hash of a row: the function `row_hash` over all its columns."""
    return f"row_hash({', '.join(prefix + column for column in GUARDED[table])})"
