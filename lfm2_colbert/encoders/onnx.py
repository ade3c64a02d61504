"""The default encoder: one ONNX file, run by ONNX Runtime on the CPU, no torch."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lfm2_colbert.config import EncoderConfig, from_mapping
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.encoders.batching import Batch, encode_in_batches
from lfm2_colbert.errors import UnsafeModelError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.tokenization import TextTokenizer, read_tokenizer

CONFIG_FILE = "encoder.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json.xz"


class OnnxEncoder:
    """An encoder folder as `export.onnx` writes it."""

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Load the folder.

        Args:
            folder: holds ``model.onnx``, ``encoder.json`` and ``tokenizer.json.xz``.
            threads: threads of one forward pass; None takes the processors this process may use.

        Raises:
            UnsafeModelError: a file is missing or is not what its name says.
        """
        config = read_encoder_config(folder)
        self._config = config
        self._tokenizer = TextTokenizer(read_tokenizer(folder / TOKENIZER_FILE, markers=config.markers), config.tokens)
        self._session = _session(folder / MODEL_FILE, threads or len(os.sched_getaffinity(0)))
        self._fingerprint = folder_fingerprint(folder)

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
        feeds = {"ids": batch.ids, "present": batch.present, "attended": batch.attended}
        return self._session.run(["vectors"], feeds)[0]  # type: ignore[no-any-return]


def read_encoder_config(folder: Path) -> EncoderConfig:
    """Read ``encoder.json``.

    Raises:
        UnsafeModelError: the file is missing or not JSON.
        InvalidConfigError: its keys or values are not those of this program.
    """
    try:
        values = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnsafeModelError(f"{folder.name} has no readable {CONFIG_FILE}") from error
    return from_mapping(EncoderConfig, values)


def folder_fingerprint(folder: Path) -> str:
    """sha256 over the three files that decide the vectors."""
    digest = hashlib.sha256()
    for name in (CONFIG_FILE, MODEL_FILE, TOKENIZER_FILE):
        with (folder / name).open("rb") as file:
            digest.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would burn a core between the short forward passes of a search.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except (OSError, onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf) as error:
        raise UnsafeModelError(f"{path.name} is not a model ONNX Runtime can load") from error
