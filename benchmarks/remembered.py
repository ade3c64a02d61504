"""An encoder that keeps the vectors of documents on disk: encoding a set takes minutes, measuring it seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.multivectors import MultiVectors


class Remembered:
    """Another encoder's vectors, those of documents rounded to float16 and kept in a file; see `Encoder`."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        """Read what `path` holds, unless other weights made it; `save` writes what was encoded since."""
        self._encoder, self._path, self._is_new = encoder, path, False
        self._known: dict[str, NDArray[np.float16]] = {}
        self._asked: dict[str, NDArray[np.floating[Any]]] = {}
        self.name, self.fingerprint, self.dim = encoder.name, encoder.fingerprint, encoder.dim
        self.max_query_tokens, self.max_document_tokens = encoder.max_query_tokens, encoder.max_document_tokens
        self.mean = encoder.mean
        if path.exists():
            with np.load(path) as kept:
                if str(kept["fingerprint"]) == encoder.fingerprint:
                    vectors, offsets = kept["vectors"], kept["offsets"]
                    self._known = dict(zip(kept["keys"].tolist(), np.split(vectors, offsets[1:-1]), strict=True))

    def save(self) -> None:
        """Write the file again if it lacks something."""
        if not self._is_new:
            return
        kept = MultiVectors.of(list(self._known.values()), dim=self.dim)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial.npz")
        np.savez(
            partial, keys=np.array(list(self._known)), vectors=kept.vectors, offsets=kept.offsets,
            fingerprint=np.array(self.fingerprint),
        )  # fmt: skip
        partial.replace(self._path)
        self._is_new = False

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries; those asked before are remembered, but not kept."""
        new = [text for text in texts if text not in self._asked]
        if new:
            self._asked |= dict(zip(new, self._encoder.encode_queries(new), strict=True))
        return MultiVectors.of([self._asked[text] for text in texts], dim=self.dim)

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Look documents up, and encode those that are missing."""
        keys = [xxhash.xxh3_128_hexdigest(text.encode()) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            made = self._encoder.encode_documents(list(missing.values()))
            self._known |= {key: item.astype(np.float16) for key, item in zip(missing, made, strict=True)}
            self._is_new = True
        return MultiVectors.of([self._known[key].astype(np.float32) for key in keys], dim=self.dim)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text."""
        return self._encoder.token_spans(texts)

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a query."""
        return self._encoder.query_spans(text)

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a document."""
        return self._encoder.document_spans(text)
