"""The typed values of documents as the database keeps them: written with a document, asked by filters and facets."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from index.database import Database, Row
from index.filters.conditions import Lookup
from index.filters.syntax import Value
from index.filters.values import BUILT_IN, FieldType, typed_values
from lfm2_colbert.errors import InvalidFilterError, suggestion

SHOWN_FIELDS = 30
BUILT_IN_DOCUMENTS = {
    "id": "SELECT count(*) FROM documents",
    "lang": "SELECT count(DISTINCT document) FROM passages",
    "path": "SELECT count(*) FROM documents WHERE source IS NOT NULL",
}
BUILT_IN_VALUES = {
    "id": "SELECT id, json_array(key) FROM documents",
    "lang": "SELECT language, json_group_array(segment << 32 | row) FROM passages GROUP BY language",
    "path": (
        "SELECT s.path, json_group_array(d.key) FROM sources s JOIN documents d ON d.source = s.key GROUP BY s.path"
    ),
}


@dataclass(frozen=True, slots=True)
class Field:
    """Something that documents can be filtered by.

    Attributes:
        name: NFC, as filters write it.
        types: what its values may be compared as, and how many documents hold such. What is a date is a keyword too.
    """

    name: str
    types: Mapping[FieldType, int]

    @property
    def documents(self) -> int:
        """Count the documents that have it."""
        return sum(n for kind, n in self.types.items() if kind is not FieldType.DATE)


class Holders(NamedTuple):
    """A value, and a JSON array of those that hold it: as in `Lookup`."""

    value: Value
    holders: str


def insert_values(write_many: Callable[[str, list[Row]], object], document: int, metadata: str) -> None:
    """Keep the values of a document that has none yet.

    Args:
        write_many: runs a statement with each of several bindings.
        document: its key.
        metadata: JSON.
    """
    values = typed_values(json.loads(metadata))
    if not values:
        return
    names: list[Row] = sorted({(value.field, value.type.value) for value in values})
    write_many("INSERT OR IGNORE INTO fields (name, type) VALUES (?, ?)", names)
    write_many(
        "INSERT INTO field_values SELECT key, ?, ? FROM fields WHERE name = ? AND type = ?",
        [(value.value, document, value.field, value.type.value) for value in values],
    )


class StoredFields:
    """What a store knows of metadata. Writes happen inside the store's transaction."""

    def __init__(self, database: Database) -> None:
        """Ask and write through an open database."""
        self._database = database

    def insert(self, document: int, metadata: str) -> None:
        """Keep the values of a new document's metadata, JSON."""
        insert_values(self._database.write_many, document, metadata)

    def replace(self, document: int, metadata: str) -> None:
        """Keep them in place of those it had."""
        self._database.write("DELETE FROM field_values WHERE document = ?", (document,))
        self.insert(document, metadata)

    def all(self) -> list[Field]:
        """List the fields by name, those of every collection among them."""
        counted = self._database.rows(
            "SELECT name, type, count(*) FROM field_values JOIN fields ON key = field WHERE type != 'keywords' "
            "GROUP BY field UNION ALL "
            "SELECT name, type, count(DISTINCT document) FROM field_values JOIN fields ON key = field "
            "WHERE type = 'keywords' GROUP BY field ORDER BY 1, 2"
        )
        types: dict[str, dict[FieldType, int]] = {}
        for name, sql in BUILT_IN_DOCUMENTS.items():
            types[name] = {FieldType.KEYWORD: self._database.value(sql)}
        for name, kind, n_documents in counted:
            types.setdefault(name, {})[FieldType(kind)] = n_documents
        return [Field(name, types[name]) for name in sorted(types)]

    def types(self, name: str, place: str = "") -> dict[FieldType, int]:
        """Give the types that a field's values have, and the key of each; that of a field of every collection is 0.

        Raises:
            InvalidFilterError: no document has this field.
        """
        if name in BUILT_IN:
            return {FieldType.KEYWORD: 0}
        found = self._database.rows(
            "SELECT type, key FROM fields WHERE name = ? AND EXISTS (SELECT 1 FROM field_values WHERE field = key) "
            "ORDER BY type",
            (name,),
        )
        if not found:
            raise self._unknown(name, place)
        return {FieldType(kind): key for kind, key in found}

    def found(self, lookup: Lookup) -> str:
        """Run a look-up: a JSON array of integers."""
        return str(self._database.value(*lookup))

    def holders(self, name: str) -> Iterator[Holders]:
        """Walk the values of a field that can be compared, each with its holders; dates are walked as keywords.

        Raises:
            InvalidFilterError: no document has this field.
        """
        if name in BUILT_IN:
            yield from (Holders(*row) for row in self._database.each(BUILT_IN_VALUES[name]))
            return
        for kind, key in self.types(name, "facets").items():
            if kind in (FieldType.DATE, FieldType.TEXT, FieldType.OTHER):
                continue
            for value, holders in self._database.each(
                "SELECT value, json_group_array(document) FROM field_values WHERE field = ? GROUP BY value", (key,)
            ):
                yield Holders(bool(value) if kind is FieldType.BOOLEAN else value, holders)

    def _unknown(self, name: str, place: str) -> InvalidFilterError:
        names = self._database.rows(
            "SELECT name, group_concat(type, '|') FROM (SELECT name, type FROM fields "
            "WHERE EXISTS (SELECT 1 FROM field_values WHERE field = key) ORDER BY name, type) GROUP BY name"
        )
        types: dict[str, Any] = dict.fromkeys(BUILT_IN, "keyword") | dict(names)
        near = suggestion(name, types).partition("known:")[0]
        listed = [f"{each} ({types[each]})" for each in sorted(types)]
        more = f", … ({len(listed) - SHOWN_FIELDS} more)" if len(listed) > SHOWN_FIELDS else ""
        return InvalidFilterError(
            f"{place}: no document has a field '{name}'",
            help=f"{near}known: {', '.join(listed[:SHOWN_FIELDS])}{more}",
        )
