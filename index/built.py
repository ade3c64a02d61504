"""What a collection was built with, and the refusal of what only a new one could grant."""

from importlib.metadata import version
from pathlib import Path

from index.records import CollectionSettings
from index.store import Store
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import resolve
from lfm2_colbert.errors import InvalidArgumentError, ModelMismatchError


def settings_of(encoder: Encoder, codec: str, pool: int) -> CollectionSettings:
    """Give what a collection of these choices is built with."""
    program = f"lfm2-colbert {version('lfm2-colbert')}"
    return CollectionSettings(encoder.name, encoder.fingerprint, encoder.dim, codec, program, pool)


def opened(collection: str, folder: Path, encoder: str | Encoder | None, codec: str | None, pool: int | None) -> Store:
    """Open a store for reading, if it was built with what is asked for; None asks for nothing.

    Raises:
        ModelMismatchError: it was built with another encoder than the one named.
        InvalidArgumentError: it was built with another codec or pooling factor.
    """
    store = Store.open(folder, writable=False)
    try:
        if isinstance(encoder, str) and resolve(encoder).name != store.settings.encoder:
            raise mismatch(collection, store.settings.encoder, encoder)
        _require_as_built(collection, store.settings, codec, pool)
    except BaseException:
        store.close()
        raise
    return store


def _require_as_built(collection: str, built: CollectionSettings, codec: str | None, pool: int | None) -> None:
    """Refuse what only a new collection could grant."""
    asked = {"codec": (codec, built.codec), "pool": (pool, built.pool)}
    others = [f"{name} {wanted}" for name, (wanted, there) in asked.items() if wanted not in (None, there)]
    if others:
        raise InvalidArgumentError(
            f"the collection '{collection}' was not built with {' and '.join(others)}, as asked for now",
            help=f"it has codec {built.codec} and pool {built.pool}: leave the choice out, or index the documents into "
            "another collection",
        )


def mismatch(collection: str, built_with: str, asked_for: str) -> ModelMismatchError:
    """Say that a collection has another encoder."""
    return ModelMismatchError(
        f"the collection '{collection}' was built with {built_with}, which is not the {asked_for} asked for now",
        help="leave the model out; or encode the collection anew, which answers as it is meanwhile: "
        f"lfm2-colbert rebuild -c {collection} --model {asked_for}",
    )
