"""An exported encoder run by OpenVINO: faster where the processor has bfloat16, three times with matrix units (AMX).

Where the processor can, it multiplies in bfloat16. A text is always padded to the same length, whatever is encoded with
it, so its vectors are the same to the bit alone and in any batch; without AVX-512 only the last bits differ.
"""

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.checkpoint import check_files, files_fingerprint
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.encoders.batching import Batch, Forward
from lfm2_colbert.encoders.onnx import MODEL_FILE, folder_tokenizer, read_encoder_config
from lfm2_colbert.encoders.token_encoder import TokenEncoder
from lfm2_colbert.errors import InvalidArgumentError, UnsafeModelError
from lfm2_colbert.processors import usable_processors

# Its package would report to its maker when it is imported, and write into the home folder; without this it cannot.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402

NOT_HERE, WAY_OUT = "OpenVINO does not run this model on this processor", "use --device cpu, which is ONNX Runtime"
LENGTH_STEP = 16
"""Texts are padded to a multiple of it. Each new shape takes some 20 ms the first time."""
INPUTS = {"ids": "i64", "present": "f32", "attended": "f32"}


def load_openvino(location: str, options: LoadOptions) -> Encoder:
    """Load a folder that `export/onnx.py` wrote.

    Raises:
        UnsafeModelError: a file is missing or is not what its name says.
    """
    folder = Path(location)
    check_files(folder)
    config = read_encoder_config(folder)
    compiled = _compiled(folder / MODEL_FILE, options.threads or usable_processors())
    inputs = {node.any_name: node.element_type.get_type_name() for node in compiled.inputs}
    widths = [node.partial_shape[2].to_string() for node in compiled.outputs]
    if inputs != INPUTS or widths != [str(config.dim)]:
        raise UnsafeModelError(f"{MODEL_FILE} takes {inputs} and gives {widths}, which is no encoder of {config.dim}")
    forward = _Forward(compiled)
    _require_sound(forward, config.dim)
    return TokenEncoder(config, folder_tokenizer(folder, config), forward, files_fingerprint(folder))


class _Forward:
    """Threads may share it: each has a request of its own."""

    def __init__(self, compiled: Any) -> None:
        self._compiled, self._own = compiled, threading.local()

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """Give ``(B, T, dim)``; each stretch of rows of about one length is a pass of its own."""
        lengths = -(-batch.present.sum(axis=1).astype(np.int64) // LENGTH_STEP) * LENGTH_STEP
        passes = [(rows, self._run(batch, rows, int(n))) for n in np.unique(lengths) for rows in [lengths == n]]
        vectors = np.zeros((*batch.ids.shape, passes[0][1].shape[2]), np.float32)
        for rows, own in passes:
            n = min(own.shape[1], vectors.shape[1])
            vectors[rows, :n] = own[:, :n]
        return vectors

    def _run(self, batch: Batch, rows: NDArray[np.bool_], length: int) -> NDArray[np.float32]:
        feeds = {name: _padded(getattr(batch, name)[rows], length) for name in INPUTS}
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        vectors: NDArray[np.float32] = self._own.request.infer(feeds)[0]
        if vectors.shape[:2] != (int(rows.sum()), length):
            raise InvalidArgumentError(NOT_HERE, help=WAY_OUT)
        return vectors


def _require_sound(forward: Forward, dim: int) -> None:
    """Try two texts of two lengths: on a processor that it takes for another, OpenVINO gave nothing and no error."""
    present = np.ones((2, 2 * LENGTH_STEP), np.float32)
    present[0, LENGTH_STEP:] = 0
    vectors = forward(Batch(np.ones(present.shape, np.int64), present, present))
    if vectors.shape[2] != dim or not np.isfinite(vectors).all():
        raise InvalidArgumentError(NOT_HERE, help=WAY_OUT)


def _compiled(path: Path, threads: int) -> Any:
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    try:
        return openvino.Core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:
        raise UnsafeModelError(f"{path.name} is not a model OpenVINO can load", help=WAY_OUT) from error


def _padded(array: NDArray[Any], length: int) -> NDArray[Any]:
    """Cut or fill ``(n, T)`` to ``(n, length)``; what is filled is not present, whatever its id."""
    filled = np.zeros((len(array), length), array.dtype)
    n = min(array.shape[1], length)
    filled[:, :n] = array[:, :n]
    return filled
