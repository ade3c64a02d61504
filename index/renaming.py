"""Files under other names: what was read and encoded under the old one is kept.

A file is known by what it holds. One that is gone, or holds something else now, may have got another name: then the
file that holds the same takes its documents over, and gives it those that it had itself, which may be looked for, too.
"""

from collections.abc import Callable
from dataclasses import replace

from index.records import UNFINISHED, SourceRow
from index.store import Store

ASIDE = "//"
"""No path below a folder begins so."""


class Renaming:
    """Which file held what, while the files of a root are looked at one after the other.

    Attributes:
        moved: files that took documents over, or were given some: they are read again, as failures name their files.
    """

    def __init__(self, store: Store, known: dict[str, SourceRow], document_id: Callable[[str], str]) -> None:
        """Begin with the files that are known, by path; this is kept as the store is.

        `document_id` gives the id that the document of a file has.
        """
        self._store, self._known, self._document_id = store, known, document_id
        self._holders: dict[bytes, dict[str, None]] = {}
        self.moved: set[str] = set()
        for row in known.values():
            self._hold(row)

    def holders(self, digest: bytes) -> list[str]:
        """Name the files that held this and have not been looked at, as they were called then."""
        return list(self._holders.get(digest, ()))

    def settle(self, path: str) -> None:
        """Let nobody take from a file any more: it has been looked at."""
        if row := self._known.get(path):
            self._holders.get(row.content_hash, {}).pop(path, None)

    def take_over(self, path: str, holder: str) -> bool:
        """Give a file the documents of another, and that one its own; False where others have the ids."""
        theirs, own = self._known[holder], self._known.get(path)
        if not self._may_move(theirs, own, path) or (own and not self._may_move(own, theirs, holder)):
            return False
        if own:
            self._move(own, path, ASIDE + path)
        self.settle(path)
        self.settle(holder)
        del self._known[holder]
        self._keep(theirs, holder, path)
        if own:
            self._keep(own, ASIDE + path, holder)
        return True

    def _may_move(self, row: SourceRow, beside: SourceRow | None, path: str) -> bool:
        beside = beside or row
        return self._store.may_move(row.key, beside.key, self._document_id(row.path), self._document_id(path))

    def _keep(self, row: SourceRow, before: str, path: str) -> None:
        self._move(row, before, path)
        self._known[path] = replace(row, path=path)
        self._hold(self._known[path])
        self.moved.add(path)

    def _move(self, row: SourceRow, before: str, path: str) -> None:
        self._store.move_source(row.key, path, self._document_id(before), self._document_id(path))

    def _hold(self, row: SourceRow) -> None:
        if row.content_hash != UNFINISHED:
            self._holders.setdefault(row.content_hash, {})[row.path] = None
