"""The same encoders in torch: checkpoint folders and exported ONNX files, on CPU or CUDA."""

from pathlib import Path

import numpy as np
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from lfm2_colbert.backbone import Masks
from lfm2_colbert.checkpoint import check_files, files_fingerprint, open_checkpoint
from lfm2_colbert.config import EncoderConfig
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.encoders.batching import Batch, Forward
from lfm2_colbert.encoders.onnx import (
    CONFIG_FILE,
    MODEL_FILE,
    folder_tokenizer,
    read_encoder_config,
)
from lfm2_colbert.encoders.token_encoder import TokenEncoder
from lfm2_colbert.errors import InvalidArgumentError, UnsafeModelError
from lfm2_colbert.export.onnx import read_weights
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.tokenization import TextTokenizer, read_tokenizer


def load_torch(location: str, options: LoadOptions) -> Encoder:
    """Load a checkpoint folder (sentence-transformers / PyLate layout) or an exported ONNX folder.

    The int8 weights of an exported folder are dequantised, so its vectors differ from ONNX Runtime's by the rounding of
    activations there.

    Raises:
        UnsafeModelError: the folder holds code, pickles or files that contradict each other.
        InvalidArgumentError: CUDA was asked for and is not there.
    """
    folder = Path(location)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = usable_device(options.device)
    return _exported(folder, device) if (folder / CONFIG_FILE).exists() else _checkpoint(folder, options.name, device)


def _checkpoint(folder: Path, name: str, device: str) -> Encoder:
    checkpoint = open_checkpoint(folder)
    tensors = {key: torch.tensor(value) for key, value in checkpoint.tensors().items()}
    model = ColBERTModel.from_tensors(checkpoint.backbone, checkpoint.dim, tensors).to(device)
    vocabulary = read_tokenizer(checkpoint.tokenizer_path, markers=checkpoint.markers)
    config = EncoderConfig(
        name or str(folder.resolve()), checkpoint.dim, checkpoint.backbone, checkpoint.tokens, checkpoint.markers
    )
    return TokenEncoder(config, TextTokenizer(vocabulary, checkpoint.tokens), _forward(model), checkpoint.fingerprint)


def _exported(folder: Path, device: str) -> Encoder:
    check_files(folder)
    config = read_encoder_config(folder)
    try:
        tensors = {key: torch.tensor(value) for key, value in read_weights(folder / MODEL_FILE).items()}
        model = ColBERTModel.from_tensors(config.backbone, config.dim, tensors).to(device)
    except (OSError, RuntimeError, DecodeError) as error:
        raise UnsafeModelError(f"{folder.name}: {MODEL_FILE} holds other weights than {CONFIG_FILE} says") from error
    return TokenEncoder(config, folder_tokenizer(folder, config), _forward(model), files_fingerprint(folder))


def usable_device(wanted: str) -> str:
    """Choose between ``cpu`` and ``cuda`` where ``auto`` leaves it open.

    Raises:
        InvalidArgumentError: there is no such device here.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InvalidArgumentError("no CUDA device is usable here", help="use --device cpu")
    return "cuda" if available and wanted != "cpu" else "cpu"


def _forward(model: ColBERTModel) -> Forward:
    def forward(batch: Batch) -> NDArray[np.float32]:
        device = model.projection.weight.device
        ids = torch.from_numpy(batch.ids).to(device)
        present = torch.from_numpy(batch.present).to(device).bool()
        attended = torch.from_numpy(batch.attended).to(device).bool()
        with torch.inference_mode():
            return model(ids, Masks(present, attended)).cpu().numpy()  # type: ignore[no-any-return]

    return forward
