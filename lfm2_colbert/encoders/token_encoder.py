"""One encoder class for every way to run the model: a vocabulary, a contract, and a forward function."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.config import EncoderConfig
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.encoders.batching import Forward, Passes, encode_in_batches
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.tokenization import TextTokenizer, TokenizedText

EACH_FULL = Passes()


class TokenEncoder:
    """An LFM2-ColBERT encoder, whatever runs its forward pass (`encoders/onnx.py`, `encoders/torch.py`)."""

    def __init__(
        self,
        config: EncoderConfig,
        tokenizer: TextTokenizer,
        forward: Forward,
        fingerprint: str,
        passes: Passes = EACH_FULL,
    ) -> None:
        """Join the parts; `fingerprint` covers all that decides the vectors, and threads share `forward`."""
        self._config, self._tokenizer = config, tokenizer
        self._forward, self._fingerprint, self._passes = forward, fingerprint, passes

    @property
    def name(self) -> str:
        """Full name, stored with a collection."""
        return self._config.name

    @property
    def fingerprint(self) -> str:
        """sha256 over model, vocabulary and settings."""
        return self._fingerprint

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._config.dim

    @property
    def max_query_tokens(self) -> int:
        """Tokens of a query's own text that are encoded; begin token and marker come on top."""
        return self._config.tokens.query_length - 2

    @property
    def max_document_tokens(self) -> int:
        """Tokens of a document's own text that are encoded; begin token and marker come on top."""
        return self._config.tokens.document_length - 2

    @property
    def mean(self) -> NDArray[np.float32] | None:
        """Mean of its token vectors over many texts; None where it was never measured."""
        return np.array(self._config.mean, np.float32) if self._config.mean else None

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries, one item a text, in order."""
        return self._encoded(self._tokenizer.queries(texts), texts)

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents, one item a text, in order."""
        return self._encoded(self._tokenizer.documents(texts), texts)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text, uncut and without markers."""
        return self._tokenizer.spans(texts)

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a query."""
        tokenized = self._tokenizer.queries([text])[0]
        return tokenized.spans[tokenized.kept]

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a document."""
        return self._tokenizer.document_spans(text)

    def _encoded(self, tokenized: Sequence[TokenizedText], texts: Sequence[str]) -> MultiVectors:
        return encode_in_batches(tokenized, texts, self._forward, self._config, self._passes)
