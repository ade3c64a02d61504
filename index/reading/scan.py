"""Which files a folder holds for the index, in an order that is the same on every machine."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from index.reading import READERS
from index.reading.base import SourceFile
from index.types import MAX_ID_CHARACTERS, Failure, Notice
from lfm2_colbert.errors import (
    InvalidEncodingError,
    InvalidNameError,
    NotFoundError,
    PermissionDeniedError,
    ReadFailedError,
    UnsupportedFileError,
)

HIDDEN = "hidden_files"


def scan(root: Path) -> Iterator[SourceFile | Failure | Notice]:
    """Walk a folder, or take a single file, in the code-point order of the ids.

    Names that begin with a dot are left out; the last thing given is then a `Notice` that counts them. What a person
    may have expected to be indexed, and is not, comes as a `Failure`. Links to files are followed, links to folders
    are not.

    Raises:
        NotFoundError: there is nothing at `root`.
        PermissionDeniedError: a folder above `root` may not be entered.
    """
    if not _is_folder(root):
        yield _file(root, root.name)
        return
    n_hidden = 0
    waiting = [(root, "")]  # a stack, not recursion: folders can be nested deeper than Python's calls
    while waiting:
        path, place = waiting.pop()
        if place and not place.endswith("/"):
            yield _file(path, place)
            continue
        entries = _entries(path, place)
        if isinstance(entries, Failure):
            yield entries
            continue
        visible = [(entry, below) for entry, below in entries if not entry.name.startswith(".")]
        n_hidden += len(entries) - len(visible)
        waiting.extend(reversed(visible))
    if n_hidden:
        yield Notice(HIDDEN, f"{n_hidden} hidden files or folders were left out")


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
    if id and (named := _badly_named(id)):
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
    if named := _badly_named(id):
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
    if path.suffix.lower() not in READERS:
        return f"has a suffix that no reader knows; known: {', '.join(READERS)}"
    return ""


def _badly_named(id: str) -> Failure | None:
    """Refuse what cannot be an id; Python stands lone surrogates for bytes that are no UTF-8."""
    shown = os.fsencode(id).decode("utf-8", "backslashreplace")
    if any("\ud800" <= character <= "\udfff" for character in id):
        return Failure(shown, InvalidEncodingError.code, f"the name {shown} is not valid UTF-8; rename it")
    if any(unicodedata.category(character) == "Cc" for character in id):
        shown = "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in id)
        return Failure(shown, InvalidNameError.code, f"the name {shown} holds control characters; rename it")
    if len(id) > MAX_ID_CHARACTERS:
        shown = f"{id[: MAX_ID_CHARACTERS - 2]}…"
        return Failure(shown, InvalidNameError.code, f"its path has {len(id)} characters; move it further up")
    return None
