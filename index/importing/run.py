"""An import, from a source to a searchable collection."""

import time
from dataclasses import asdict
from pathlib import Path

from index.codecs.frame import Frame
from index.coding import Coding
from index.collection import Collection
from index.durable import disk_errors
from index.home import is_collection, new_collection_folder
from index.importing import EXPORT, SOURCES, located
from index.importing.exported import Exported
from index.importing.taking import place
from index.importing.texts import OnDocuments, Texts, put_each
from index.indexing import OnProgress, Stopped, never
from index.intake import INTERRUPTED, Intake
from index.maintenance import OnClustered
from index.records import FRAME, Change
from index.run_report import report_of
from index.snapshot import load_codebook
from index.store import Store
from index.types import IndexReport, Notice
from lfm2_colbert.registry import lookup

Origin = Texts | Exported
BROKEN_OFF = Notice(INTERRUPTED, "stopped before the end: the same import, run again, goes on from there")


def _ignore(*progress: object) -> None:
    """Show no progress."""


def open_source(path: str | Path, text_field: str = "text") -> Origin:
    """Look at what is to be imported, before anything is made of it.

    Args:
        path: an export (a folder), a file of texts, or a folder that holds one: `index.importing`.
        text_field: the field or column of the text, where these have names.

    Raises:
        NotFoundError: there is nothing at the path.
        UnsupportedFileError: it is nothing that can be imported.
        CorruptionError: an export is not whole.
        FormatVersionError: a newer program made it.
        MissingExtraError: the library that reads it is not installed.
        PermissionDeniedError: it may not be read.
    """
    with disk_errors(Path(path)):
        kind, found = located(Path(path))
        if kind == EXPORT:
            return Exported(found)
        return Texts(found, lookup(SOURCES, kind, "source", extra=kind), text_field)


def collection_for(
    source: Origin,
    name: str,
    *,
    encoder: str | None = None,
    codec: str | None = None,
    pool: int | None = None,
    home: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Collection:
    """Open the collection that a source goes into, or make it: for an export as the exported one was built.

    Args:
        source: what goes in.
        name: of the collection.
        encoder: as `Collection.open` has it, and all others, too.
        codec: how vectors are stored.
        pool: how many of them.
        home: where collections live.
        device: where the encoder runs.
        threads: of encoder and search.
    """
    if isinstance(source, Exported) and not is_collection(new_collection_folder(home, name)):
        built = source.built
        encoder, codec, pool = encoder or built.encoder, codec or built.codec, pool or built.pool
    return Collection.open(
        name, create=True, encoder=encoder, codec=codec, pool=pool, home=home, device=device, threads=threads
    )


def import_into(
    collection: Collection,
    source: Origin,
    *,
    on_documents: OnDocuments = _ignore,
    on_progress: OnProgress = _ignore,
    on_clustered: OnClustered = _ignore,
    stopped: Stopped = never,
) -> IndexReport:
    """Put a source's documents into a collection and make them searchable; what is there under their ids is replaced.

    An export's vectors are taken as they are, where the collection has the encoder, codec, pooling and frame that made
    them; else its texts are encoded. After a kill, import it again: what is there already is not done twice.

    Args:
        collection: in which nothing is removed.
        source: what `open_source` gave; files of texts are walked once.
        on_documents: called after each few hundred documents.
        on_progress: called during encoding.
        on_clustered: called where so much was added that centroids are trained.
        stopped: asked between batches; if it says so, the rest waits until the source is imported again.

    Raises:
        IndexLockedError: another process writes the collection.
        CorruptionError: an export is not what it says; batches before that stay.
    """
    started, store = time.perf_counter(), collection.writer()
    if isinstance(source, Texts):
        intake, unchanged = put_each(store, source.items, on_documents, stopped)
        if source.beside:
            intake.notices.append(Notice("not_imported", f"{source.beside} are no documents"))
    elif different := _differences(store, source):
        intake, unchanged = put_each(store, (each.document for each in source.documents()), on_documents, stopped)
        intake.notices.append(_encoded_anew(different))
    else:
        intake, unchanged = _take(store, source, on_documents, stopped)
    encoded = collection.index_pending(on_progress, stopped)
    if stopped():
        intake.notices.append(BROKEN_OFF)
    else:
        intake.notices += collection.maintain(on_clustered)
    return report_of(store, intake, unchanged, encoded, time.perf_counter() - started)


def _differences(store: Store, source: Exported) -> list[str]:
    """Name what keeps codes of an export from meaning in a collection what they meant where they were made."""
    here, there = asdict(store.settings), asdict(source.built)
    different = [name for name in here if name != "created_by" and here[name] != there[name]]
    frame = store.note(FRAME)
    if source.manifest.frame is None or frame not in (None, source.manifest.frame):
        different.append("frame of the codes")
    return different


def _take(store: Store, source: Exported, on_documents: OnDocuments, stopped: Stopped) -> tuple[Intake, int]:
    codec, coding = source.codec(), Coding(store)
    if coding.stored() is None:
        coding.freeze(Frame.of_json(source.manifest.frame or {}))
    with store.snapshot():
        codebook = load_codebook(store, store.segments_folder)
    intake, unchanged, n_documents = Intake(), 0, 0
    for batch in source.batches():
        if stopped():
            break
        with store.transaction():
            changes = [store.put(each.document, None) for each in batch]
            place(store, codec, codebook, source, batch)
        intake.added += changes.count(Change.ADDED)
        intake.changed += changes.count(Change.CHANGED)
        unchanged += changes.count(Change.UNCHANGED)
        n_documents += len(batch)
        on_documents(n_documents)
    return intake, unchanged


def _encoded_anew(different: list[str]) -> Notice:
    what = ", ".join(different)
    return Notice("vectors_not_taken", f"the export differs from the collection ({what}): its texts were encoded anew")
