"""From a filter to the passages it leaves of a state, and to how many documents hold each value of a field."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.filters.conditions import lookups, require_types
from index.filters.grammar import parse
from index.filters.json_form import from_json, from_text
from index.filters.stored import StoredFields
from index.filters.syntax import And, Condition, Filter, Not, Operator, Value
from index.filters.written import written
from index.snapshot import EMPTY, Kept, Snapshot
from index.types import FacetValue as FacetValue

Where = str | Mapping[str, Any]
"""A filter as people and programs write it: in words, or JSON as text or as what that holds."""
Mask = NDArray[np.bool_]
"""``(n_rows,)`` over the rows of all parts, one part after the other."""
OPPOSITES = {Operator.UNEQUAL: Operator.EQUAL, Operator.NOT_IN: Operator.IN}
SEGMENT_BITS = 32
KEPT_FILTERS = 32
"""A byte a passage each."""


def read_filter(where: Where) -> Filter:
    """Read a filter in words, or in JSON: its text or what that holds.

    Raises:
        InvalidFilterError: it is none.
    """
    if not isinstance(where, str):
        return from_json(where)
    return from_text(where) if where.lstrip().startswith("{") else parse(where)


def narrowed(snapshot: Snapshot, wanted: Filter, fields: StoredFields) -> Snapshot:
    """Give the state with nothing live but what a filter matches, within the store's snapshot of that state.

    Raises:
        InvalidFilterError: no document has a field, or none a value of a type that can be compared.
    """
    if not snapshot.parts:
        _Rows(snapshot, fields).matched(wanted)  # for its errors
        return snapshot
    rows = _Rows(snapshot, fields)
    mask = rows.matched(wanted) & rows.live
    masks = np.split(mask, rows.starts[1:-1])
    parts = tuple(replace(part, live=own) for part, own in zip(snapshot.parts, masks, strict=True))
    n_tokens = sum(part.n_live_tokens for part in parts)
    n_passages = int(mask.sum())
    share = n_passages / max(int(rows.live.sum()), 1)
    return replace(snapshot, parts=parts, kept=Kept(n_passages, n_tokens, share))


class Selections:
    """What filters leave of one state, kept for those who ask the same again until there is another."""

    def __init__(self) -> None:
        self._snapshot = EMPTY
        self._narrowed: OrderedDict[str, Snapshot] = OrderedDict()

    def of(self, snapshot: Snapshot, wanted: Filter, fields: StoredFields) -> Snapshot:
        """Give what `narrowed` gives."""
        if snapshot is not self._snapshot:
            self._narrowed.clear()
            self._snapshot = snapshot
        name = written(wanted)
        found = self._narrowed.pop(name, None) or narrowed(snapshot, wanted, fields)
        self._narrowed[name] = found  # the one asked last is the last to go
        if len(self._narrowed) > KEPT_FILTERS:
            self._narrowed.popitem(last=False)
        return found


def facet_values(snapshot: Snapshot, field: str, fields: StoredFields, limit: int) -> list[FacetValue]:
    """Count documents by the values of a field, most first, then in the order of values.

    Args:
        snapshot: what is live in it is counted.
        field: its name.
        fields: of the store, within its snapshot of that state.
        limit: values given at most.

    Raises:
        InvalidFilterError: no document has this field.
    """
    rows = _Rows(snapshot, fields)
    wanted = rows.table(rows.documents[rows.live])

    def count(holders: NDArray[np.int64]) -> int:
        if field == "lang":
            return len(np.unique(rows.documents[rows.passages(holders) & rows.live]))
        return int(wanted[holders[holders < len(wanted)]].sum())

    counted: Counter[tuple[bool, Value]] = Counter()  # true is not 1; a string alone is as one in a list
    for value, holders in fields.holders(field):
        counted[isinstance(value, bool), value] += count(_integers(holders))
    found = [FacetValue(value, n_documents) for (_, value), n_documents in counted.items() if n_documents]
    return sorted(found, key=lambda each: (-each.documents, str(type(each.value)), each.value))[:limit]


class _Rows:
    """The rows of all parts as one, and who of them matches what."""

    def __init__(self, snapshot: Snapshot, fields: StoredFields) -> None:
        parts = snapshot.parts
        self._fields = fields
        self._numbers = np.array([part.segment.info.number for part in parts], np.int64)
        self.starts = np.cumsum([0, *(len(part.live) for part in parts)])
        self.live = np.concatenate([np.empty(0, np.bool_), *(part.live for part in parts)])
        self.documents = np.concatenate([np.empty(0, np.int64), *(part.documents for part in parts)])
        self._last = int(self.documents.max(initial=0))

    def matched(self, tree: Filter) -> Mask:
        """Evaluate a filter; dead rows may match."""
        if isinstance(tree, Condition):
            return self._asked(tree)
        if isinstance(tree, Not):
            return ~self.matched(tree.term)
        masks = [self.matched(term) for term in tree.terms]
        joined: Mask = (np.logical_and if isinstance(tree, And) else np.logical_or).reduce(masks)
        return joined

    def _asked(self, condition: Condition) -> Mask:
        types = self._fields.types(condition.field, condition.place)
        require_types(condition, types)
        opposite = OPPOSITES.get(condition.operator)
        if opposite:
            exists = replace(condition, operator=Operator.EXISTS, values=())
            return self._asked(exists) & ~self._asked(replace(condition, operator=opposite))
        found = [_integers(self._fields.found(lookup)) for lookup in lookups(condition, types)]
        keys = np.concatenate([np.empty(0, np.int64), *found])
        return self.passages(keys) if condition.field == "lang" else self.table(keys)[self.documents]

    def table(self, keys: NDArray[np.int64]) -> Mask:
        """Mark documents by their keys; the last place is that of rows without a document, −1."""
        table = np.zeros(self._last + 2, np.bool_)
        table[keys[keys <= self._last]] = True  # later ones wait for their vectors
        return table

    def passages(self, places: NDArray[np.int64]) -> Mask:
        """Mark rows by segment · 2³² + row; those of a segment that could not be opened are not there to be marked."""
        mask = np.zeros(len(self.live), np.bool_)
        segment, row = places >> SEGMENT_BITS, places & (1 << SEGMENT_BITS) - 1
        there = np.isin(segment, self._numbers)
        mask[self.starts[np.searchsorted(self._numbers, segment[there])] + row[there]] = True
        return mask


def _integers(array: str) -> NDArray[np.int64]:
    """Read a JSON array of integers; several times faster than a general reader."""
    return np.fromstring(array[1:-1], np.int64, sep=",") if array != "[]" else np.empty(0, np.int64)
