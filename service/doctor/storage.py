"""Where collections live, and whether each of them can be used."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from index.catalog import summary
from index.home import collection_folder, home_folder, list_collections
from index.lock import writer_of
from index.verify import verify
from lfm2_colbert.encoders.loading import resolve
from lfm2_colbert.errors import Lfm2ColbertError
from service.doctor.finding import Asked, Finding, error, fine, warning

LITTLE_SPACE = 1_000_000_000
MOUNTS = Path("/proc/mounts")
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "lustre"})


def home(asked: Asked) -> Iterator[Finding]:
    """Collections can be written where they live."""
    folder = home_folder(asked.settings.home).absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir():
        yield error("home", "permission_denied", f"{there} is no folder", "name one: --home, or LFM2_COLBERT_HOME")
    elif not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        yield error(
            "home", "permission_denied", f"{there} may not be written", "name another: --home, or LFM2_COLBERT_HOME"
        )
    else:
        yield space_of(folder, shutil.disk_usage(there).free)
        yield from network_file_system(there, MOUNTS)


def space_of(folder: Path, free: int) -> Finding:
    """Judge how many bytes are free."""
    room = f"{folder}, {free / 1e9:,.1f} GB free"
    if free >= LITTLE_SPACE:
        return fine("home", room)
    return warning("home", "little_space", room, "make room, or name another place: --home, or LFM2_COLBERT_HOME")


def network_file_system(folder: Path, mounts: Path) -> Iterator[Finding]:
    """Find out whether a folder is on another machine's disk, where the system tells."""
    if not mounts.exists():
        return
    rows = [line.split(" ") for line in mounts.read_text(errors="replace").splitlines()]
    resolved = folder.resolve()
    places = [(place, kind) for _, place, kind, *_ in rows if resolved.is_relative_to(place)]
    place, kind = max(places, key=lambda each: len(each[0]), default=("", ""))
    if kind in NETWORK_FILE_SYSTEMS:
        yield warning(
            "home",
            "network_file_system",
            f"{place} is a network file system ({kind}), which does not keep the promises that SQLite builds on",
            "keep collections on a local disk: --home, or LFM2_COLBERT_HOME",
        )


def collections(asked: Asked) -> Iterator[Finding]:
    """Each collection is whole, free, and made with an encoder that is here."""
    names = list_collections(asked.settings.home)
    problems = [found for name in names for found in _problems(asked.settings.home, name)]
    yield from problems
    if not problems:
        yield fine("collections", f"{len(names)}: {', '.join(names)}" if names else "none yet")


def _problems(home: Path | None, name: str) -> Iterator[Finding]:
    folder = collection_folder(home, name)
    try:
        encoder = summary(
            home, name
        ).encoder  # which brings a store of an earlier format up to date, as any command does
        damage = verify(folder, full=False).damage
    except Lfm2ColbertError as refused:
        yield error("collections", refused.code, f"'{name}': {refused.message}", refused.help)
        return
    if damage:
        yield error(
            "collections", "corrupt_data", f"'{name}' is damaged: {damage[0].message}", f"lfm2-colbert repair -c {name}"
        )
    else:
        yield from _encoder_problem(name, encoder)
    if writer := writer_of(folder):
        yield warning(
            "collections",
            "index_locked",
            f"'{name}' is being written by {writer}",
            "wait until it is done, or stop that process; searching works meanwhile",
        )


def _encoder_problem(name: str, encoder: str) -> Iterator[Finding]:
    try:
        resolve(encoder, offline=True)
    except Lfm2ColbertError as refused:
        message = f"'{name}' was built with {encoder}, which is not here: {refused.message}"
        yield warning("collections", refused.code, message, refused.help)
