"""Any multi-vector checkpoint that sentence-transformers can load (GTE-ModernColBERT, mLateOn, …).

The folder is checked for code and pickles before that library sees it; remote code is never switched on.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lfm2_colbert.checkpoint import files_fingerprint
from lfm2_colbert.encoders.base import Encoder, LoadOptions, Spans
from lfm2_colbert.errors import NonFiniteVectorError
from lfm2_colbert.foreign import ForeignKind, load_foreign
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.tokenization import check_texts

Task = Literal["query", "document"]


class SentenceTransformersEncoder:
    """A `sentence_transformers.MultiVectorEncoder` behind this project's protocol."""

    def __init__(self, model: Any, name: str, fingerprint: str) -> None:
        """Wrap a loaded model; width and budgets are measured on it."""
        self._model = model
        self.name, self.fingerprint = name, fingerprint
        self.mean = None
        self.dim = int(model.get_embedding_dimension())
        self.max_query_tokens = self._budget("query")
        self.max_document_tokens = self._budget("document")

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries, one item a text, in order."""
        return self._encode(self._model.encode_query, texts)

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents, one item a text, in order."""
        return self._encode(self._model.encode_document, texts)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text, uncut and without markers."""
        if not texts:
            return []
        encoded = self._model.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return [np.array(offsets, np.int64).reshape(-1, 2) for offsets in encoded["offset_mapping"]]

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a query."""
        return self._vector_spans(text, "query", self._model.encode_query)

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a document."""
        return self._vector_spans(text, "document", self._model.encode_document)

    def _encode(self, encode: Callable[..., Any], texts: Sequence[str]) -> MultiVectors:
        check_texts(texts)
        items = encode(list(texts), convert_to_numpy=True, normalize_embeddings=True) if texts else []
        for text, item in zip(texts, items, strict=True):
            if not np.isfinite(item).all():
                raise NonFiniteVectorError(f"{self.name} gave NaN or infinity for the text {text[:60]!r}")
        return MultiVectors.of([np.asarray(item, np.float32) for item in items], dim=self.dim)

    def _prompt(self, task: Task) -> str:
        return str(self._model.prompts.get(task) or "")

    def _budget(self, task: Task) -> int:
        length = getattr(self._model[0], f"{task}_length", None) or self._model.max_seq_length
        return int(length) - len(self._model.tokenizer(self._prompt(task))["input_ids"])

    def _vector_spans(self, text: str, task: Task, encode: Callable[..., Any]) -> Spans:
        prompt = self._prompt(task)
        kept: NDArray[np.bool_] = (
            encode([text], output_value=None)[0]["attention_mask"].bool().cpu().numpy()
        )  # scored positions, (T,)
        offsets = self._model.tokenizer(prompt + text, return_offsets_mapping=True)["offset_mapping"]
        spans = np.full((len(kept), 2), -1, np.int64)
        for position, (start, end) in enumerate(offsets[: len(kept)]):
            if end > len(prompt):
                spans[position] = max(start - len(prompt), 0), end - len(prompt)
        return np.ascontiguousarray(spans[kept])


def load_sentence_transformers(location: str, options: LoadOptions) -> Encoder:
    """Load a local folder.

    Raises:
        UnsafeModelError: the folder holds code, pickles or links that leave it, or is no multi-vector model.
    """
    folder = Path(location)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = None if options.device == "auto" else options.device
    what = f"the encoder '{options.name}'"
    model = load_foreign(ForeignKind.MultiVectorEncoder, folder, what, "torch", device=device)
    return SentenceTransformersEncoder(model, options.name, files_fingerprint(folder))
