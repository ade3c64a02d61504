"""The default way to run an encoder: one ONNX file on the CPU, no torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.checkpoint import check_files, files_fingerprint, read_json
from lfm2_colbert.config import EncoderConfig, from_mapping
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.encoders.batching import Batch, Passes
from lfm2_colbert.encoders.quiet_runtime import onnxruntime, runtime_state
from lfm2_colbert.encoders.token_encoder import TokenEncoder
from lfm2_colbert.encoders.unpacking import with_float_weights
from lfm2_colbert.errors import UnsafeModelError
from lfm2_colbert.memory import usable_memory
from lfm2_colbert.processors import instruction_sets, multiplies_bytes_slowly, usable_processors
from lfm2_colbert.tokenization import TextTokenizer, read_tokenizer

CONFIG_FILE = "encoder.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json.xz"
INPUTS = {"ids": "tensor(int64)", "present": "tensor(float)", "attended": "tensor(float)"}
RUNTIME_ERRORS = (
    runtime_state.Fail,
    runtime_state.InvalidArgument,
    runtime_state.InvalidGraph,
    runtime_state.InvalidProtobuf,
    runtime_state.NoSuchFile,
    runtime_state.NotImplemented,
    runtime_state.RuntimeException,
)


IN_BYTES, IN_FLOATS = b"accuracy_level\x18\x04", b"accuracy_level\x18\x01"
"""How ONNX Runtime multiplies with weights of 8 bits, as a file says it: activations in 8 bits too, or in float32."""
SMALL_FLOAT_BYTES, MOST_FLOAT_BYTES = 2**28, 7 * 2**28
"""Of a model whose weights are unpacked once, when it is loaded, instead of for each text: nano takes 44 MB then, and
1.6 GB LFM2-ColBERT-350M. ONNX Runtime reads less than 2 GiB."""
MEMORY_FOR_FLOATS = 1 / 8
"""Share of the memory that a large model may take so: while it is read, it is there three times."""
SMALL_MODEL_BYTES = 2**26
"""A file as small as this has products too small to share: passes run side by side instead, in a thread each."""
SMALL_POSITIONS, SMALL_PADDING = 1024, 16
"""Of a pass of such a model: a core's caches hold no more; a pass by itself costs as much as some twelve positions."""


def load_onnx(location: str, options: LoadOptions) -> Encoder:
    """Load a folder that `export/onnx.py` wrote.

    Raises:
        UnsafeModelError: a file is missing or is not what its name says.
    """
    folder = Path(location)
    check_files(folder)
    config = read_encoder_config(folder)
    threads, is_small = options.threads or usable_processors(), _is_small(folder / MODEL_FILE)
    session = _session(folder / MODEL_FILE, 1 if is_small else threads)
    passes = Passes(SMALL_POSITIONS, SMALL_PADDING, threads) if is_small else Passes()
    _check_signature(session, config)

    def forward(batch: Batch) -> NDArray[np.float32]:
        feeds = {"ids": batch.ids, "present": batch.present, "attended": batch.attended}
        return session.run(["vectors"], feeds)[0]  # type: ignore[no-any-return]

    return TokenEncoder(config, folder_tokenizer(folder, config), forward, files_fingerprint(folder), passes)


def read_encoder_config(folder: Path) -> EncoderConfig:
    """Read ``encoder.json``.

    Raises:
        UnsafeModelError: the file is missing or not JSON.
        InvalidConfigError: its keys or values are not those of this program.
    """
    return from_mapping(EncoderConfig, read_json(folder / CONFIG_FILE))


def folder_tokenizer(folder: Path, config: EncoderConfig) -> TextTokenizer:
    """Read the vocabulary of an exported folder."""
    return TextTokenizer(read_tokenizer(folder / TOKENIZER_FILE, markers=config.markers), config.tokens)


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= SMALL_MODEL_BYTES


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would burn a core between the short forward passes of a search.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(_fastest(path), options, providers=["CPUExecutionProvider"])
        session._model_bytes = None  # kept for a change of providers, it takes as much as the weights
        return session
    except (OSError, RuntimeError, ValueError, *RUNTIME_ERRORS) as error:
        raise UnsafeModelError(f"{path.name} is not a model ONNX Runtime can load") from error


def _fastest(path: Path) -> bytes | str:
    """Give the model that this processor runs fastest; the path of the file if that is it, which spares a copy."""
    if not multiplies_bytes_slowly(instruction_sets()):
        return str(path)
    model = path.read_bytes()
    faster = with_float_weights(model, _most_float_bytes()).replace(IN_BYTES, IN_FLOATS)
    return str(path) if faster is model else faster


def _most_float_bytes() -> int:
    return min(max(int(usable_memory() * MEMORY_FOR_FLOATS), SMALL_FLOAT_BYTES), MOST_FLOAT_BYTES)


def _check_signature(session: onnxruntime.InferenceSession, config: EncoderConfig) -> None:
    inputs = {node.name: node.type for node in session.get_inputs()}
    outputs = {node.name: node.shape[-1:] for node in session.get_outputs()}
    if inputs != INPUTS or outputs != {"vectors": [config.dim]}:
        raise UnsafeModelError(f"{MODEL_FILE} takes {inputs} and gives {outputs}, which is no encoder of {config.dim}")
