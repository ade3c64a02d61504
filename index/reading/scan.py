"""Which files a folder holds for the index, in an order that is the same on every machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from index.home import SETTINGS_FILE, STORE_FILE
from index.reading.base import SIDECAR, SourceFile
from index.reading.formats import SHOWN, format_of
from index.reading.ignoring import IGNORE_FILE, Ignored
from index.reading.names import badly_named
from index.types import Failure, Notice
from lfm2_colbert.errors import (
    NotFoundError,
    PermissionDeniedError,
    ReadFailedError,
    UnsupportedFileError,
)

HIDDEN = "hidden_files"
IGNORED = "ignored_files"
COLLECTIONS = "collections_left_out"


def scan(root: Path) -> Iterator[SourceFile | Failure | Notice]:
    """Walk a folder, or take a single file, in the code-point order of the ids.

    Names that begin with a dot are left out, and what a ``.gitignore`` in the folder or below names; the last things
    given are then a `Notice` for each that counts them, as for folders that are collections. Sidecars
    (`index.reading.base.SIDECAR`) belong to their files. What a person may have expected to be indexed, and is not,
    comes as a `Failure`. Links to files are followed, links to folders are not.

    Raises:
        NotFoundError: there is nothing at `root`.
        PermissionDeniedError: a folder above `root` may not be entered.
    """
    if not _is_folder(root):
        yield _file(root, root.name)
        return
    walk = _Walk()
    waiting = [(root, "", Ignored())]  # a stack, not recursion: folders can be nested deeper than Python's calls
    while waiting:
        path, place, ignored = waiting.pop()
        if place and not place.endswith("/"):
            yield _file(path, place)
            continue
        entries = _entries(path, place)
        if isinstance(entries, Failure):
            yield entries
        else:
            waiting.extend(reversed(list(walk.visible(entries, path, place, ignored))))
    yield from walk.notices()


class _Walk:
    """What was left out so far."""

    def __init__(self) -> None:
        self._n_hidden = self._n_ignored = self._n_collections = 0

    def visible(
        self, entries: list[tuple[Path, str]], folder: Path, place: str, ignored: Ignored
    ) -> Iterator[tuple[Path, str, Ignored]]:
        """Give what of a folder is walked, with what is ignored below it."""
        names = {path.name for path, _ in entries}
        if {STORE_FILE, SETTINGS_FILE} <= names:
            self._n_collections += 1
            return
        if IGNORE_FILE in names:
            ignored = ignored.within(folder / IGNORE_FILE, place)
        ids = {own_id for _, own_id in entries}
        for path, own_id in entries:
            if path.name.startswith("."):
                self._n_hidden += 1
            elif ignored.holds(own_id):
                self._n_ignored += 1
            elif not (own_id.endswith(SIDECAR) and own_id.removesuffix(SIDECAR) in ids):
                yield path, own_id, ignored

    def notices(self) -> Iterator[Notice]:
        """Count it."""
        if self._n_hidden:
            yield Notice(HIDDEN, f"{self._n_hidden} hidden files or folders were left out")
        if self._n_ignored:
            yield Notice(IGNORED, f"{self._n_ignored} files or folders that a {IGNORE_FILE} names were left out")
        if self._n_collections:
            yield Notice(COLLECTIONS, f"{self._n_collections} folders that are collections were left out")


def _is_folder(root: Path) -> bool:
    try:
        if root.exists():
            return root.is_dir()
    except PermissionError as error:
        raise PermissionDeniedError(
            f"{root} may not be read", help="give yourself access to the folders above"
        ) from error
    raise NotFoundError(f"there is no {root}", help="check the path")


def _entries(folder: Path, id: str) -> list[tuple[Path, str]] | Failure:
    """List what lies in a folder, sorted; ids of folders end with "/"."""
    if id and (named := badly_named(id)):
        return named
    try:
        with os.scandir(folder) as listing:
            entries = [(Path(e.path), id + e.name + "/" * e.is_dir(follow_symlinks=False)) for e in listing]
    except PermissionError:
        return Failure(id or str(folder), PermissionDeniedError.code, f"{id or folder} may not be listed")
    except OSError as error:
        return Failure(id or str(folder), ReadFailedError.code, f"{id or folder} cannot be listed: {error.strerror}")
    return sorted(entries, key=lambda entry: entry[1])


def _file(path: Path, id: str) -> SourceFile | Failure:
    if named := badly_named(id):
        return named
    try:
        refusal = _refusal(path)
    except PermissionError:
        return Failure(id, PermissionDeniedError.code, f"{id} may not be read")
    return Failure(id, UnsupportedFileError.code, f"{id} {refusal}") if refusal else SourceFile(path, id)


def _refusal(path: Path) -> str:
    if path.is_dir():
        return "is a link to a folder; links to folders are not followed"
    if not path.is_file():  # a pipe would block whoever opens it
        return "is a broken link" if path.is_symlink() else "is not a regular file"
    if format_of(path.name) is None:
        return f"has a format that no reader knows; known: {SHOWN}"
    return ""
