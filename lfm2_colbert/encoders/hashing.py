"""A deterministic encoder without a model: equal words get equal vectors, others nearly orthogonal ones.

For tests, documentation and golden files. It finds what shares words, in any script, and nothing else.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import regex
import xxhash
from numpy.typing import NDArray

from lfm2_colbert.encoders.base import Encoder, LoadOptions, Spans
from lfm2_colbert.multivectors import MultiVectors

# Scripts written without spaces give one token a character (with its marks), the others one a word.
TOKEN = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Hangul}]\p{M}*"
    r"|[\p{L}\p{M}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Hangul}]]+"
    r"|[^\s\p{L}\p{M}\p{N}]",
    regex.V1,
)
BEGIN = "\u0002"


class HashingEncoder:
    """Token vectors from hashes of case-folded words, after one begin vector that stands for no text."""

    def __init__(self, *, dim: int = 32, max_query_tokens: int = 32, max_document_tokens: int = 62) -> None:
        """Choose sizes; all of them are part of the fingerprint."""
        self.dim = dim
        self.max_query_tokens = max_query_tokens
        self.max_document_tokens = max_document_tokens
        self.mean = None
        self.name = "hashing"
        self.fingerprint = f"hashing-1/{dim}/{max_query_tokens}/{max_document_tokens}"

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries, one item a text, in order."""
        return self._encode(texts, self.max_query_tokens)

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents, one item a text, in order."""
        return self._encode(texts, self.max_document_tokens)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text, uncut."""
        return [_spans(text) for text in texts]

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a query."""
        return _with_begin(_spans(text)[: self.max_query_tokens])

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a document."""
        return _with_begin(_spans(text)[: self.max_document_tokens])

    def _encode(self, texts: Sequence[str], budget: int) -> MultiVectors:
        items = []
        for text in texts:
            words = [text[start:end].casefold() for start, end in _spans(text)[:budget]]
            items.append(np.stack([_vector(word, self.dim) for word in (BEGIN, *words)]))
        return MultiVectors.of(items, dim=self.dim)


def load_hashing(location: str, options: LoadOptions) -> Encoder:
    """Give the encoder in its default size; it has neither a location nor a device."""
    return HashingEncoder()


def _spans(text: str) -> Spans:
    return np.array([match.span() for match in TOKEN.finditer(text)], np.int64).reshape(-1, 2)


def _with_begin(spans: Spans) -> Spans:
    return np.concatenate([np.full((1, 2), -1, np.int64), spans])


@lru_cache(maxsize=65_536)
def _vector(word: str, dim: int) -> NDArray[np.float32]:
    seed = xxhash.xxh3_64_intdigest(word.encode("utf-8", "surrogatepass"))
    direction = np.random.default_rng(seed).standard_normal(dim)
    return (direction / np.linalg.norm(direction)).astype(np.float32)
