"""From the hub to its cache: a download that goes on where it stopped, a file at a time, each held against its digest.

`huggingface_hub` begins a file anew that it could not finish; weights are one large file.
"""

from pathlib import Path
from typing import BinaryIO

from lfm2_colbert.errors import CorruptionError
from lfm2_colbert.hub import HubModel
from lfm2_colbert.pulling.listing import RemoteFile, listed, reaching
from lfm2_colbert.pulling.names import check_model
from lfm2_colbert.pulling.placing import OnProgress, Place, Progress
from lfm2_colbert.pulling.sums import FILE, require_sums, sha256_of

TIMEOUT_SECONDS = 30


def download(place: Place, on_progress: OnProgress = lambda done, total: None) -> dict[str, str]:
    """Fetch a model, unless it is there; give the sha256 of each file.

    Args:
        place: where to.
        on_progress: told how many bytes there are, of how many.

    Raises:
        ModelUnavailableError: the hub cannot be reached or does not have it.
        CorruptionError: what came, or what is there, is not what it should be.
        UnsafeModelError: what came is no model that this program loads.
        StorageError: the disk has too little room, or refused.
        PermissionDeniedError: the cache may not be written.
        MissingExtraError: `huggingface_hub` is not installed.
    """
    with place.writing():
        if (place.folder / FILE).is_file():
            return require_sums(place.folder)
        files = listed(place.model)
        there = [file for file in files if file.is_at(place.folder / file.name)]
        wanted = [file for file in files if file not in there]
        place.require_space(sum(file.size - _had(place, file) for file in wanted))
        progress = Progress(on_progress, sum(file.size for file in there), sum(file.size for file in files))
        for file in wanted:
            _fetch(place, file, progress)
        return _settled(place, files, there)


def _part(place: Place, file: RemoteFile) -> Path:
    return place.unfinished / f"{file.name}.part"


def _had(place: Place, file: RemoteFile) -> int:
    """Count the bytes of a file that an earlier download left."""
    paths = (place.unfinished / file.name, _part(place, file))
    return next((path.stat().st_size for path in paths if path.is_file()), 0)


def _fetch(place: Place, file: RemoteFile, progress: Progress) -> None:
    path, part = place.unfinished / file.name, _part(place, file)
    if file.is_at(path):
        progress.more(file.size)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as target:
        if target.tell() > file.size:
            _begin_anew(target)
        if target.tell() < file.size:
            _receive(place.model, file, target, progress)
        else:
            progress.more(file.size)
    if not file.is_at(part):
        part.unlink()
        raise CorruptionError(
            f"{file.name} of {place.model.repository} is not what the hub says it is", help="pull it again"
        )
    part.rename(path)


def _receive(model: HubModel, file: RemoteFile, target: BinaryIO, progress: Progress) -> None:
    with reaching(model):
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

        # Compressed, the bytes could not be counted on from where they stopped.
        headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={target.tell()}-"}
        url = hf_hub_url(model.repository, file.name, revision=model.revision)
        asked = {"headers": headers, "follow_redirects": True, "timeout": TIMEOUT_SECONDS}
        with get_session().stream("GET", url, **asked) as answer:
            hf_raise_for_status(answer)
            if answer.status_code != 206:  # it gives all of it
                _begin_anew(target)
            progress.more(target.tell())
            for chunk in answer.iter_bytes():
                progress.more(target.write(chunk))


def _begin_anew(target: BinaryIO) -> None:
    target.seek(0)
    target.truncate()


def _settled(place: Place, files: list[RemoteFile], there: list[RemoteFile]) -> dict[str, str]:
    """Check what is to be the model, as a whole, and put it in its place."""
    place.unfinished.mkdir(parents=True, exist_ok=True)
    sums = {f.name: f.sha256 or sha256_of((place.folder if f in there else place.unfinished) / f.name) for f in files}
    if not there:
        check_model(place.model, place.unfinished)
    place.settle(sums)
    if there:
        check_model(place.model, place.folder)
    return sums
