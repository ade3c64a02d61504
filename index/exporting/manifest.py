"""What an export says of itself, so that whoever takes it in knows what it is and whether it is whole."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.records import CollectionSettings
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import CorruptionError, FormatVersionError, InvalidConfigError, NotFoundError

MANIFEST = "export.json"
VERSION = 1
MAX_MANIFEST_BYTES = 50 * 1024 * 1024
PRECISION = "float16"
ANOTHER = "take another copy of the export"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds.

    Attributes:
        version: of this layout.
        form: name in `index.exporting.EXPORTS`.
        collection: its name when it was exported.
        documents: all of them.
        pending: documents among them that waited for their vectors, and have none here.
        passages: searchable ones.
        vectors: stored vectors of these.
        precision: of vectors, decoded from what is stored.
        built: what the collection was built with: encoder and its fingerprint, width, codec, pooling.
        frame: in which the codes are made; None where there are none.
        files: SHA-256 and size of each, by path below the folder.
    """

    version: int
    form: str
    collection: str
    documents: int
    pending: int
    passages: int
    vectors: int
    precision: str
    built: CollectionSettings
    frame: dict[str, Any] | None
    files: dict[str, list[str]]

    def as_json(self) -> str:
        """Write it down."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read what an export says that it holds.

    Raises:
        NotFoundError: there is no manifest.
        FormatVersionError: a newer program made the export.
        CorruptionError: the manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFoundError(f"{folder} is no export: it has no {MANIFEST}", help="name the folder that `export` made")
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("it is too large")
        stored = json.loads(path.read_text(encoding="utf-8"))
        _require_known(folder, stored)
        return from_mapping(Manifest, stored)
    except (ValueError, RecursionError, InvalidConfigError) as error:
        raise CorruptionError(f"{path} cannot be read: {error}", help=ANOTHER) from error


def require_whole(folder: Path, manifest: Manifest, names: Collection[str]) -> None:
    """Read every byte of some files of an export and compare with the manifest.

    Raises:
        CorruptionError: one is missing, or differs from what was exported.
    """
    for name in names:
        path = folder / name
        if name not in manifest.files or not path.is_file():
            raise CorruptionError(f"{folder} lacks {name}", help=ANOTHER)
        if facts_of(path) != manifest.files[name]:
            raise CorruptionError(f"{path} differs from what was exported", help=ANOTHER)


def facts_of(path: Path) -> list[str]:
    """Give SHA-256 and size of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return [digest, str(path.stat().st_size)]


def _require_known(folder: Path, stored: Any) -> None:
    version = stored.get("version") if isinstance(stored, Mapping) else None
    if isinstance(version, int) and version > VERSION:
        raise FormatVersionError(
            f"{folder} has format {version}, this program reads up to {VERSION}", help="upgrade lfm2-colbert"
        )
