"""Files that turn out to be damaged are put into quarantine; what they held is made again from the stored texts."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from index.codebook import Codebook
from index.durable import disk_errors
from index.lexical.postings import SegmentWords
from index.lists import SegmentLists
from index.segment import Segment
from index.store import Store
from lfm2_colbert.errors import CorruptionError

QUARANTINE = "quarantine"


def set_damaged_aside(store: Store) -> list[str]:
    """Look at every file as a search would open it, and set those aside that cannot be opened; give their names.

    Documents of a segment wait to be encoded again; passages without lists or codebook are searched whole, and those
    without words by vectors alone.
    """
    damaged = [name for name, opened in _openers(store).items() if _is_damaged(opened)]
    if damaged:
        set_aside(store, damaged)
    return damaged


def set_aside(store: Store, names: list[str]) -> Path:
    """Take files out of the state, durably, and then out of the folder; give the quarantine."""
    quarantine = new_quarantine(store.folder)
    with store.transaction():
        store.forget_files(names)
    for name in names:
        path = store.segments_folder / name
        with disk_errors(path):
            if path.exists():
                path.rename(quarantine / name)
    return quarantine


def new_quarantine(folder: Path) -> Path:
    """Make a folder for damaged files of a collection, named by the second."""
    path = folder / QUARANTINE / time.strftime("%Y%m%dT%H%M%S")
    with disk_errors(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _openers(store: Store) -> Mapping[str, Callable[[], object]]:
    folder = store.segments_folder
    openers: dict[str, Callable[[], object]] = {
        info.file: partial(Segment.open, folder, info) for info in store.segments()
    }
    openers |= {info.file.file: partial(SegmentLists.open, folder, info) for info in store.lists()}
    openers |= {info.file.file: partial(SegmentWords.open, folder, info) for info in store.words()}
    codebook = store.codebook()
    return openers | ({codebook.file.file: partial(Codebook.open, folder, codebook)} if codebook else {})


def _is_damaged(opened: Callable[[], object]) -> bool:
    try:
        opened()
    except CorruptionError:
        return True
    return False
