"""Collections that others made, or this program elsewhere: one file and one line here for each kind of source."""

from pathlib import Path

from index.exporting.manifest import MANIFEST
from lfm2_colbert.errors import NotFoundError, UnsupportedFileError

EXPORT = "export"
SOURCES = {
    "tsv": "index.importing.tsv:documents",
    "jsonl": "index.importing.jsonl:documents",
    "parquet": "index.importing.parquet:documents",
    "fast-plaid": "index.importing.fast_plaid:documents",
}
"""Kind of file → what reads its texts (`index.importing.base.Source`); exports have `index.importing.exported`."""
SUFFIXES = {".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
FOLDERS = {
    MANIFEST: EXPORT,
    "corpus.jsonl": "jsonl",  # BEIR
    "collection.tsv": "tsv",  # ColBERT
    "metadata.db": "fast-plaid",
    "fast_plaid_index/metadata.db": "fast-plaid",  # PyLate's folder around it
}
"""What a folder is known by → kind."""
WITHOUT_TEXTS = (
    *("documents_ids_to_*", "document_ids_to_*", "doc_id_to_*", "fast_plaid_index", "warp_index"),
    *("*.voyager", "tachiom.bin", "centroids.npy", "centroids.pt", "ivf.npy", "ivf.pid.pt", "plan.json"),
)
"""What an index of PyLate, fast-plaid or ColBERT is known by: it holds ids and codes, and of the texts nothing."""


def located(path: Path) -> tuple[str, Path]:
    """Say of what kind a source is, and give the file that holds its texts; of an export the folder.

    Raises:
        NotFoundError: there is nothing at the path.
        UnsupportedFileError: it is nothing that can be imported; an index without texts says so.
    """
    if not path.exists():
        raise NotFoundError(f"there is no {path}", help="check the path")
    if not path.is_dir():
        kind = SUFFIXES.get(path.suffix.lower())
        if kind is None:
            raise UnsupportedFileError(f"{path.name} is no source of an import", help=_known())
        return kind, path
    for marker, kind in FOLDERS.items():
        if (path / marker).is_file():
            return kind, path if kind == EXPORT else path / marker
    if any(any(path.glob(pattern)) for pattern in WITHOUT_TEXTS):
        raise UnsupportedFileError(
            f"{path} is an index that keeps codes and no texts: there is nothing in it to make another index of",
            help="import the file of texts that it was made of: .tsv, .jsonl or .parquet with ids and texts",
        )
    raise UnsupportedFileError(f"{path} is no source of an import", help=_known())


def _known() -> str:
    return f"name a file ({', '.join(SUFFIXES)}), or a folder with one of {', '.join(FOLDERS)}"
