"""What the index asks of an encoder. The suite in `tests/conformance/test_encoders.py` says it in code."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.multivectors import MultiVectors

Spans = NDArray[np.int64]
"""Code-point offsets ``(n, 2)``, start and end; ``(-1, -1)`` where a vector stands for no text (begin token, marker,
query expansion)."""


@runtime_checkable
class Encoder(Protocol):
    """Text in, unit-norm token vectors out; a text's vectors depend on that text alone."""

    @property
    def name(self) -> str:
        """Full name, stored with a collection ("nano-1")."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights, vocabulary and settings: equal fingerprints give equal vectors."""

    @property
    def dim(self) -> int:
        """Width of a vector."""

    @property
    def max_query_tokens(self) -> int:
        """Tokens of a query's own text that are encoded; the rest is cut (callers report it)."""

    @property
    def max_document_tokens(self) -> int:
        """Tokens of a document's own text that are encoded; the rest is cut (callers report it)."""

    @property
    def mean(self) -> NDArray[np.float32] | None:
        """Mean of its token vectors over many texts, ``(dim,)``, for codecs; None where it was never measured."""

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries, one item a text, in order."""

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents, one item a text, in order.

        Raises:
            NonFiniteVectorError: a text got NaN or infinity; the message names it.
        """

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text, uncut and without markers: what budgets are counted in."""

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector that `encode_queries` gives the text."""

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector that `encode_documents` gives the text."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How an encoder is to be run.

    Attributes:
        name: the name it goes by in collections; empty: the one its folder states.
        device: ``auto``, ``cpu``, ``openvino`` or ``cuda``.
        threads: threads of one forward pass; None takes the processors this process may use.
    """

    name: str = ""
    device: str = "auto"
    threads: int | None = None
