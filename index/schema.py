"""The tables of a collection, in SQL."""

APPLICATION_ID = 0x4C464D32
"""'LFM2' in SQLite's header: tells a store from any other database."""

FORMAT = 1
"""Kept as `user_version`. A store of a newer format is refused, never guessed at."""

TABLES = """
CREATE TABLE meta (
    k TEXT PRIMARY KEY,
    v NOT NULL
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
    content_hash BLOB NOT NULL,
    pending INTEGER NOT NULL,
    characters INTEGER NOT NULL
);
CREATE INDEX documents_of_source ON documents (source) WHERE source IS NOT NULL;
CREATE INDEX pending_documents ON documents (key, characters, pending) WHERE pending;

-- A second table, so that walking documents does not walk their words.
CREATE TABLE texts (
    document INTEGER PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    text TEXT NOT NULL,
    metadata TEXT NOT NULL
);

CREATE TABLE segments (
    number INTEGER PRIMARY KEY,
    file TEXT NOT NULL UNIQUE,
    n_bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    n_passages INTEGER NOT NULL,
    n_tokens INTEGER NOT NULL,
    dim INTEGER NOT NULL,
    codec TEXT NOT NULL
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

-- A row of a segment that no passage points to is dead; nothing else marks it.
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

-- The number of documents, kept apart from them: a table that lost rows, or its root page, does not match it any more.
CREATE TRIGGER document_added AFTER INSERT ON documents BEGIN
    UPDATE meta SET v = v + 1 WHERE k = 'ndocs';
END;
CREATE TRIGGER document_removed AFTER DELETE ON documents BEGIN
    UPDATE meta SET v = v - 1 WHERE k = 'ndocs';
END;
"""

FIRST_META = {"txid": 0, "ndocs": 0, "next_segment": 1, "next_codebook": 1, "format": FORMAT}
