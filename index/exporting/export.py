"""A collection written in another form: whole under its name, or not there at all."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from index.durable import DISK, disk_errors
from index.exporting import EXPORTS
from index.exporting.contents import Contents, Exporter, OnPassages, open_contents
from index.exporting.manifest import MANIFEST, PRECISION, VERSION, Manifest, facts_of
from lfm2_colbert.errors import AlreadyExistsError
from lfm2_colbert.registry import lookup


def export(folder: Path, destination: Path, form: str, on_passages: OnPassages) -> Manifest:
    """Write a collection's present state to a folder that does not exist yet; others may search and write meanwhile.

    Args:
        folder: of the collection.
        destination: of the export.
        form: a name in `EXPORTS`.
        on_passages: called while passages are written.

    Raises:
        UnknownNameError: there is no such form.
        MissingExtraError: a library that the form needs is not installed.
        AlreadyExistsError: there is something at the destination.
        CorruptionError: the collection is damaged.
        StorageError: the export could not be written; in this as in every case nothing lies under its name.
    """
    write: Exporter = lookup(EXPORTS, form, "export", extra=form)
    if destination.exists():
        raise AlreadyExistsError(f"{destination} exists already", help="choose another folder")
    growing = destination.with_name(f"{destination.name}.partial")
    with disk_errors(growing):
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(mode=0o700, parents=True)
    try:
        with open_contents(folder, on_passages) as contents, disk_errors(growing):
            write(contents, growing)
            manifest = _manifest(contents, folder.name, form, growing)
            (growing / MANIFEST).write_text(manifest.as_json(), encoding="utf-8")
            DISK.sync_tree(growing)
            growing.rename(destination)
            DISK.sync_folder(destination.absolute().parent)
    except BaseException:
        shutil.rmtree(growing, ignore_errors=True)
        raise
    return manifest


def _manifest(contents: Contents, collection: str, form: str, growing: Path) -> Manifest:
    return Manifest(
        version=VERSION,
        form=form,
        collection=collection,
        documents=contents.n_documents,
        pending=contents.n_pending,
        passages=contents.n_passages,
        vectors=contents.n_tokens,
        precision=PRECISION,
        built=contents.settings,
        frame=contents.frame,
        files={path.relative_to(growing).as_posix(): facts_of(path) for path in sorted(_files_below(growing))},
    )


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
