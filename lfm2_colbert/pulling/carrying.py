"""From a folder in the hub's layout to another: out of a connected machine's cache, into one's that has no network."""

import hashlib
from pathlib import Path

from lfm2_colbert.errors import CorruptionError
from lfm2_colbert.pulling.names import check_model
from lfm2_colbert.pulling.placing import OnProgress, Place, Progress
from lfm2_colbert.pulling.sums import CHUNK, FILE, OnBytes, read_sums, require_sums


def carry(source: Path, place: Place, on_progress: OnProgress = lambda done, total: None) -> dict[str, str]:
    """Copy the files of a model that its sums name, unless they are there; give the sha256 of each.

    Args:
        source: a model's folder with its ``SHA256SUMS``.
        place: where to.
        on_progress: told how many bytes are copied, of how many.

    Raises:
        CorruptionError: a file differs from its sum, here or there.
        UnsafeModelError: the folder is no model that this program loads, or names files elsewhere.
        StorageError: the disk has too little room, or refused.
        PermissionDeniedError: the place may not be written.
    """
    sums = read_sums(source)
    check_model(place.model, source)
    with place.writing():
        if (place.folder / FILE).is_file() and read_sums(place.folder) == sums:
            return require_sums(place.folder)
        sizes = {name: (source / name).stat().st_size for name in sums if (source / name).is_file()}
        place.require_space(sum(sizes.values()))
        progress = Progress(on_progress, 0, sum(sizes.values()))
        for name, digest in sums.items():
            _copy(source / name, place.unfinished / name, digest, progress.more)
        place.settle(sums)
    return sums


def _copy(source: Path, target: Path, digest: str, on_bytes: OnBytes) -> None:
    """Copy a file, and compare what was read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    read = hashlib.sha256()
    if source.is_file():
        with source.open("rb") as file, target.open("wb") as copy:
            while chunk := file.read(CHUNK):
                read.update(chunk)
                on_bytes(copy.write(chunk))
    if read.hexdigest() != digest:
        target.unlink(missing_ok=True)
        raise CorruptionError(f"{source} is not what was pulled", help="pull it again, and carry it again")
