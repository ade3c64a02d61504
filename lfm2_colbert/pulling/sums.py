"""What vouches for a model's files: ``SHA256SUMS`` beside them, which `sha256sum -c` reads too.

Its name has no suffix: no file that can decide a vector is added to the model (`checkpoint.files_fingerprint`).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from lfm2_colbert.errors import CorruptionError, UnsafeModelError

FILE = "SHA256SUMS"
LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)")
UNSAFE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
CHUNK = 4 * 1024 * 1024

OnBytes = Callable[[int], None]
"""Told how many more bytes are done."""


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Write the sums of the files of a folder."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    (folder / FILE).write_text("".join(lines), encoding="utf-8")


def read_sums(folder: Path) -> dict[str, str]:
    """Read the sums of a folder's files: name → sha256.

    Raises:
        CorruptionError: there are none, or they cannot be read.
        UnsafeModelError: a name leaves the folder.
    """
    path = folder / FILE
    if not path.is_file():
        raise CorruptionError(f"{folder} has no {FILE}, which says what its files are", help="pull the model again")
    try:
        lines = [LINE.fullmatch(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    except ValueError:
        lines = [None]
    sums = {safe_name(line["name"]): line["digest"] for line in lines if line}
    if len(sums) != len(lines):
        raise CorruptionError(f"{path} cannot be read", help="pull the model again")
    return sums


def safe_name(name: str) -> str:
    """Give the name of a file below a folder.

    Raises:
        UnsafeModelError: it could be one elsewhere, or is none that a list of sums can hold.
    """
    path = PurePosixPath(name)
    leaves = path.is_absolute() or ".." in path.parts or not path.parts
    if leaves or str(path) != name or UNSAFE.search(name):
        raise UnsafeModelError(f"a model's file is called {name!a:.80}, which could be elsewhere", help="do not use it")
    return name


def require_sums(folder: Path, on_bytes: OnBytes = lambda n_bytes: None) -> dict[str, str]:
    """Read all files of a folder, and give their sums.

    Raises:
        CorruptionError: a file is missing, or is not what was written.
        UnsafeModelError: a name leaves the folder.
    """
    sums = read_sums(folder)
    for name, digest in sums.items():
        path = folder / name
        if not path.is_file() or sha256_of(path, on_bytes) != digest:
            raise CorruptionError(
                f"{path} is {'not what was pulled' if path.is_file() else 'missing'}",
                help="remove that folder and pull the model again",
            )
    return sums


def sha256_of(path: Path, on_bytes: OnBytes = lambda n_bytes: None) -> str:
    """Read a file and give its sha256, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()
