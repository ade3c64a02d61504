"""The same encoders in torch: checkpoint folders, exported ONNX files, CPU or CUDA."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lfm2_colbert.backbone import Masks
from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.config import EncoderConfig
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.encoders.batching import Batch, encode_in_batches
from lfm2_colbert.encoders.onnx import MODEL_FILE, TOKENIZER_FILE, folder_fingerprint, read_encoder_config
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.tokenization import TextTokenizer, read_tokenizer


class TorchEncoder:
    """A ColBERT model run by torch."""

    def __init__(self, model: ColBERTModel, tokenizer: TextTokenizer, config: EncoderConfig, fingerprint: str) -> None:
        """Use a model that is already on its device, in evaluation mode."""
        self._model, self._tokenizer = model, tokenizer
        self._config, self._fingerprint = config, fingerprint

    @classmethod
    def from_checkpoint(cls, folder: Path, *, name: str = "", device: str = "cpu") -> "TorchEncoder":
        """Load a folder in the sentence-transformers / PyLate layout.

        Raises:
            UnsafeModelError: the folder holds code, pickles or files that contradict each other.
        """
        checkpoint = open_checkpoint(folder)
        tokenizer = read_tokenizer(checkpoint.tokenizer_path, markers=checkpoint.markers)
        tensors = {key: torch.from_numpy(value) for key, value in checkpoint.tensors().items()}
        model = ColBERTModel.from_tensors(checkpoint.backbone, checkpoint.dim, tensors).to(device)
        config = EncoderConfig(
            name or folder.name, checkpoint.dim, checkpoint.backbone, checkpoint.tokens, checkpoint.markers
        )
        return cls(model, TextTokenizer(tokenizer, checkpoint.tokens), config, checkpoint.fingerprint)

    @classmethod
    def from_onnx(cls, folder: Path, *, device: str = "cpu") -> "TorchEncoder":
        """Load an exported folder; int8 weights are dequantised, so vectors differ by rounding from ONNX Runtime's."""
        from lfm2_colbert.export.onnx import read_weights

        config = read_encoder_config(folder)
        tensors = {key: torch.from_numpy(value) for key, value in read_weights(folder / MODEL_FILE).items()}
        model = ColBERTModel.from_tensors(config.backbone, config.dim, tensors).to(device)
        tokenizer = TextTokenizer(read_tokenizer(folder / TOKENIZER_FILE, markers=config.markers), config.tokens)
        return cls(model, tokenizer, config, folder_fingerprint(folder))

    @property
    def name(self) -> str:
        """Full name, stored with a collection."""
        return self._config.name

    @property
    def fingerprint(self) -> str:
        """sha256 over the files that decide the vectors."""
        return self._fingerprint

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._config.dim

    @property
    def max_query_tokens(self) -> int:
        """Tokens of a query's own text that are encoded."""
        return self._config.tokens.query_length - 2

    @property
    def max_document_tokens(self) -> int:
        """Tokens of a document's own text that are encoded."""
        return self._config.tokens.document_length - 2

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries, one item a text, in order."""
        return encode_in_batches(self._tokenizer.queries(texts), texts, self._forward, self._config)

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Encode documents, one item a text, in order."""
        return encode_in_batches(self._tokenizer.documents(texts), texts, self._forward, self._config)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text, uncut and without markers."""
        return self._tokenizer.spans(texts)

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a query."""
        tokenized = self._tokenizer.queries([text])[0]
        return tokenized.spans[tokenized.kept]

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a document."""
        tokenized = self._tokenizer.documents([text])[0]
        return tokenized.spans[tokenized.kept]

    def _forward(self, batch: Batch) -> NDArray[np.float32]:
        device = self._model.projection.weight.device
        ids = torch.from_numpy(batch.ids).to(device)
        present = torch.from_numpy(batch.present).to(device).bool()
        attended = torch.from_numpy(batch.attended).to(device).bool()
        with torch.inference_mode():
            return self._model(ids, Masks(present, attended)).cpu().numpy()  # type: ignore[no-any-return]
