"""Which licences of weights were accepted here: shown before the first download, asked for once."""

import json
from datetime import UTC, datetime
from pathlib import Path

from eval.writing import replace_file
from index.home import home_folder
from lfm2_colbert.errors import CorruptionError

FILE = Path(".service", "licences.json")
"""Below the home; no collection's name begins with a dot."""


def accepted(home: Path | None) -> dict[str, str]:
    """Give the accepted licences: name → when, in UTC.

    Raises:
        CorruptionError: what was written cannot be read.
    """
    path = home_folder(home) / FILE
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_bytes())
    except ValueError as error:
        raise _unreadable(path) from error
    if not isinstance(read, dict):
        raise _unreadable(path)
    return {str(name): str(when) for name, when in read.items()}


def accept(home: Path | None, licence: str) -> None:
    """Write down that a licence was accepted now.

    Raises:
        PermissionDeniedError: the home may not be written.
        StorageError: the disk refused.
    """
    there = accepted(home)
    written = there | {licence: datetime.now(UTC).isoformat(timespec="seconds")}
    replace_file(home_folder(home) / FILE, json.dumps(written, ensure_ascii=False, indent=1) + "\n")


def _unreadable(path: Path) -> CorruptionError:
    return CorruptionError(f"{path} is not what this program wrote", help="remove it: you are asked again")
