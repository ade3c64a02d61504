"""What a collection holds, in the shape that every surface shows; read without loading an encoder, or numpy."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from index.home import collection_folder
from index.recall_file import kept
from index.records import DRIFT, RECALL
from index.store import Store


def status_of(home: str | Path | None, name: str, *, failed: bool = False) -> dict[str, Any]:
    """Describe a collection; `failed` lists the files that gave no document.

    Raises:
        NotFoundError: there is no collection of this name.
    """
    with Store.open(collection_folder(home, name), writable=False) as store, store.snapshot():
        built, live = store.settings, kept(store.folder)
        stored = {"dim": built.dim, "codec": built.codec, "pool": built.pool}
        status = {
            "collection": name,
            **asdict(store.counts()),
            "encoder": {"name": built.encoder, "fingerprint": built.fingerprint, **stored},
            "recall": (store.note(RECALL) or {}) | ({"live": asdict(live)} if live else {}),
            "drift": store.note(DRIFT) or {},
            "fields": [{**asdict(field), "documents": field.documents} for field in store.fields.all()],
        }
        return status | ({"failures": [asdict(each) for each in store.failures()]} if failed else {})
