"""Encoders as a server runs them: queries are remembered, documents make room for what is more urgent."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.multivectors import MultiVectors

REMEMBERED_QUERIES = 2048
"""Some 16 KiB each."""
PASSAGES_BETWEEN_PAUSES = 32
"""Half a second of one core with `nano`: so long may somebody wait who wants to store a document meanwhile."""


class ForwardingEncoder:
    """An encoder that does what another one does."""

    def __init__(self, encoder: Encoder) -> None:
        """Stand before `encoder`."""
        self._encoder = encoder

    @property
    def name(self) -> str:
        """Full name, stored with a collection."""
        return self._encoder.name

    @property
    def fingerprint(self) -> str:
        """Hash of weights, vocabulary and settings."""
        return self._encoder.fingerprint

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._encoder.dim

    @property
    def max_query_tokens(self) -> int:
        """Tokens of a query that are encoded."""
        return self._encoder.max_query_tokens

    @property
    def max_document_tokens(self) -> int:
        """Tokens of a document that are encoded."""
        return self._encoder.max_document_tokens

    @property
    def mean(self) -> NDArray[np.float32] | None:
        """Mean of its token vectors, ``(dim,)``, where it is known."""
        return self._encoder.mean

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries, one item a text, in order."""
        return self._encoder.encode_queries(texts)

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents, one item a text, in order."""
        return self._encoder.encode_documents(texts)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text."""
        return self._encoder.token_spans(texts)

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of a query."""
        return self._encoder.query_spans(text)

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of a document."""
        return self._encoder.document_spans(text)


class _Recent:
    """The vectors of the texts that were asked for last. Threads may share it."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._lock = capacity, threading.Lock()
        self._values: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> NDArray[np.float32] | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: str, value: NDArray[np.float32]) -> None:
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._capacity:
                self._values.popitem(last=False)


class RememberingEncoder(ForwardingEncoder):
    """Keeps the vectors of the queries that were asked last. Threads may share it."""

    def __init__(self, encoder: Encoder, queries: int = REMEMBERED_QUERIES) -> None:
        """Remember so many queries."""
        super().__init__(encoder)
        self._vectors = _Recent(queries)

    def remembers(self, text: str) -> bool:
        """Whether a query need not be encoded."""
        return text in self._vectors

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode the queries that are not remembered, all at once."""
        known = {text: self._vectors.get(text) for text in texts}
        found = {text: vectors for text, vectors in known.items() if vectors is not None}
        missing = [text for text in known if text not in found]
        if missing:
            items = [item.astype(np.float32, copy=True) for item in self._encoder.encode_queries(missing)]
            for text, vectors in zip(missing, items, strict=True):
                self._vectors.put(text, vectors)
            found |= zip(missing, items, strict=True)
        return MultiVectors.of([found[text] for text in texts], dim=self.dim)


class PausingEncoder(ForwardingEncoder):
    """Encodes documents in small pieces and lets its owner do something between them."""

    def __init__(self, encoder: Encoder, pause: Callable[[], None]) -> None:
        """Call `pause` before each piece; what it raises ends the encoding."""
        super().__init__(encoder)
        self._pause = pause

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents; texts of similar length go together, as they cost least."""
        vectors: list[NDArray[np.float32]] = [np.empty((0, self.dim), np.float32)] * len(texts)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), PASSAGES_BETWEEN_PAUSES):
            self._pause()
            piece = order[start : start + PASSAGES_BETWEEN_PAUSES]
            for i, item in zip(piece, self._encoder.encode_documents([texts[i] for i in piece]), strict=True):
                vectors[i] = item
        return MultiVectors.of(vectors, dim=self.dim)


class AbandonableEncoder(PausingEncoder):
    """Stops between pieces of work, counting tokens included, when nobody waits for it any more."""

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text."""
        self._pause()
        return super().token_spans(texts)
