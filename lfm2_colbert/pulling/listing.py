"""What the hub says that a commit holds: names, sizes and digests of the files that may be fetched."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lfm2_colbert.errors import ModelUnavailableError
from lfm2_colbert.hub import HubModel
from lfm2_colbert.pulling.sums import CHUNK, safe_name
from lfm2_colbert.registry import missing_extra

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a commit.

    Attributes:
        name: below the repository.
        size: in bytes.
        sha256: of a large file, where the hub knows it; else "".
        git_sha1: what git calls a small file's content.
    """

    name: str
    size: int
    sha256: str
    git_sha1: str

    def is_at(self, path: Path) -> bool:
        """Read a file and say whether it is this one."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        digest = hashlib.sha256() if self.sha256 else hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest() == (self.sha256 or self.git_sha1)


def listed(model: HubModel) -> list[RemoteFile]:
    """Ask the hub what a model's commit holds, and keep what may be fetched of it.

    Raises:
        ModelUnavailableError: the hub cannot be reached, does not have it, or does not give it.
        UnsafeModelError: a name leaves the folder.
        MissingExtraError: `huggingface_hub` is not installed.
    """
    with reaching(model):
        from huggingface_hub import HfApi

        # Asked for the tree of a commit, the library tries for half a minute where there is no hub.
        asked = {"revision": model.revision, "files_metadata": True, "timeout": TIMEOUT_SECONDS}
        found = HfApi().model_info(model.repository, **asked).siblings or []
    return [
        RemoteFile(safe_name(file.rfilename), file.size, file.lfs.sha256 if file.lfs else "", file.blob_id)
        for file in sorted(found, key=lambda file: str(file.rfilename))
        if any(fnmatchcase(file.rfilename, pattern) for pattern in model.allowed)
    ]


@contextmanager
def reaching(model: HubModel) -> Iterator[None]:
    """Turn what a hub that is not there raises into an error of ours."""
    try:
        from huggingface_hub.errors import HFValidationError, HTTPError
    except ModuleNotFoundError as error:
        raise missing_extra(f"the hub model {model.repository}", error.name or "", "torch") from error
    try:
        yield
    except (HTTPError, HFValidationError, ConnectionError) as error:
        raise ModelUnavailableError(
            f"{model.repository} at {model.revision[:12]} cannot be fetched from the hub: {type(error).__name__}",
            help=f"with a network, run it again: it goes on from there. Without one, `lfm2-colbert pull {model.name} "
            "--to FOLDER` on a connected machine, and `lfm2-colbert pull --from-dir FOLDER` here",
        ) from error
