"""Where collections live: a folder each, below one home."""

import os
import re
from pathlib import Path

import platformdirs

from lfm2_colbert.errors import InvalidArgumentError, NotFoundError, suggestion

HOME_VARIABLE = "LFM2_COLBERT_HOME"
STORE_FILE = "store.db"
SETTINGS_FILE = "settings.json"
COLLECTION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def home_folder(home: str | Path | None = None) -> Path:
    """Say where collections live: `home`, else the environment's ``LFM2_COLBERT_HOME``, else the user's data folder.

    The environment is read at each call, never at import. The folder need not exist.
    """
    chosen = home or os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("lfm2-colbert", appauthor=False))


def collection_folder(home: str | Path | None, name: str) -> Path:
    """Say where a collection is.

    Raises:
        InvalidArgumentError: the name is not one of a collection.
        NotFoundError: there is no such collection; the help names the nearest.
    """
    folder = new_collection_folder(home, name)
    if not is_collection(folder):
        raise NotFoundError(f"no collection '{name}' in {folder.parent}", help=suggestion(name, list_collections(home)))
    return folder


def new_collection_folder(home: str | Path | None, name: str) -> Path:
    """Say where a collection of this name would be made.

    Raises:
        InvalidArgumentError: the name is not one of a collection.
    """
    if not COLLECTION_NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"'{name}' cannot name a collection",
            help="use 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit",
        )
    return home_folder(home) / name


def list_collections(home: str | Path | None = None) -> list[str]:
    """Name all collections in order; none where the home does not exist yet."""
    folder = home_folder(home)
    return sorted(each.name for each in folder.iterdir() if is_collection(each)) if folder.is_dir() else []


def is_collection(folder: Path) -> bool:
    """Say whether a folder is a collection by name and content."""
    return COLLECTION_NAME.fullmatch(folder.name) is not None and (folder / STORE_FILE).is_file()
