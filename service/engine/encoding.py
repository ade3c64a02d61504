"""Encoders as a server runs them: queries are remembered, documents make room for what is more urgent."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from index.queries import Question, encode_questions
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
    """The queries that were asked last, encoded. Threads may share it."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._lock = capacity, threading.Lock()
        self._questions: OrderedDict[str, Question] = OrderedDict()

    def get(self, text: str) -> Question | None:
        with self._lock:
            if text in self._questions:
                self._questions.move_to_end(text)
            return self._questions.get(text)

    def put(self, question: Question) -> None:
        with self._lock:
            self._questions[question.text] = question
            while len(self._questions) > self._capacity:
                self._questions.popitem(last=False)


class RememberingEncoder(ForwardingEncoder):
    """Keeps the queries that were asked last, encoded. Threads may share it."""

    def __init__(self, encoder: Encoder, queries: int = REMEMBERED_QUERIES) -> None:
        """Remember so many queries."""
        super().__init__(encoder)
        self._recent = _Recent(queries)

    def remembered(self, text: str) -> Question | None:
        """Give a query that need not be encoded."""
        return self._recent.get(text)

    def questions(self, texts: Sequence[str]) -> list[Question]:
        """Give queries encoded, with what each vector stands for; those that are not remembered are encoded at once."""
        known = {text: self._recent.get(text) for text in texts}
        missing = [text for text, question in known.items() if question is None]
        for question in encode_questions(missing, self._encoder, with_spans=True) if missing else ():
            self._recent.put(question)
            known[question.text] = question
        return [found for text in texts if (found := known[text]) is not None]

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode those queries of `texts` that are not remembered, all at once."""
        known = {text: self._vectors(text) for text in texts}
        found = {text: vectors for text, vectors in known.items() if vectors is not None}
        missing = [text for text in known if text not in found]
        found |= zip(missing, self._encoder.encode_queries(missing), strict=True) if missing else ()
        return MultiVectors.of([found[text] for text in texts], dim=self.dim)

    def _vectors(self, text: str) -> NDArray[np.float32] | None:
        question = self._recent.get(text)
        return question.windows[0].vectors if question and len(question.windows) == 1 else None


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
