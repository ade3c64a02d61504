"""The codec of a collection, in the frame that its first vectors or its encoder decided for good."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from index.codecs import CODECS
from index.codecs.base import Codec
from index.codecs.frame import Frame
from index.records import FRAME, CollectionSettings
from lfm2_colbert.errors import CorruptionError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup


class Noted(Protocol):
    """Where the frame is kept: a store, or what a rebuild is staged in."""

    folder: Path
    settings: CollectionSettings

    def note(self, name: str) -> Any:
        """Give what was kept under a name."""

    def set_note(self, name: str, value: Any) -> None:
        """Keep something under a name."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit the block as a whole."""


class Coding:
    """How the vectors of one collection are coded."""

    def __init__(self, store: Noted) -> None:
        """Look the frame up in `store` when it is first needed."""
        self._store = store
        self._made: Codec | None = None

    def stored(self) -> Codec | None:
        """Give the codec; None as long as the collection has seen no vectors."""
        if self._made is None:
            frame = self._store.note(FRAME)
            if frame is not None:
                self._made = lookup(CODECS, self._store.settings.codec, "codec")(Frame.of_json(frame))
        return self._made

    def required(self) -> Codec:
        """Give the codec of a collection that has segments.

        Raises:
            CorruptionError: their frame is lost.
        """
        codec = self.stored()
        if codec is None:
            raise CorruptionError(
                f"{self._store.folder} has segments and no frame to read them in", help="index it again"
            )
        return codec

    def for_vectors(self, vectors: MultiVectors) -> Codec:
        """Give the codec; where the encoder's mean was never measured, the first vectors decide the frame."""
        if self.stored() is None:
            self.freeze(Frame.measured(vectors.vectors))
        return self.required()

    def freeze(self, frame: Frame) -> None:
        """Keep the frame for good: every code of the collection is made in it. The store must be open for writing."""
        with self._store.transaction():
            self._store.set_note(FRAME, frame.as_json())
