"""From the name a person types to a loaded encoder. The operator chooses it, never a request."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from lfm2_colbert.checkpoint import read_json
from lfm2_colbert.encoders import DEVICES, ENCODERS
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.errors import InvalidArgumentError, UnknownEncoderError
from lfm2_colbert.hub import HubModel, local_folder
from lfm2_colbert.licences import LFM_OPEN, licence_of_repository
from lfm2_colbert.registry import lookup

BUNDLED = Path(__file__).parents[1] / "bundled" / "nano"
NANO = "nano-1"
ALIASES = {"nano": NANO}
RETIRED = frozenset({"nano-0"})
"""Bundled once: collections may still have been made with them."""
HUB_MODELS = {
    "lfm2-colbert-350m": HubModel(
        "LiquidAI/LFM2-ColBERT-350M", "370cc1088cb5722499830bab3ff37a39c963fcd7", LFM_OPEN, name="lfm2-colbert-350m"
    ),
    "lfm2.5-colbert-350m": HubModel(
        "LiquidAI/LFM2.5-ColBERT-350M", "d6d91b3d9468d373abdec3679538017d16c75d0f", LFM_OPEN, name="lfm2.5-colbert-350m"
    ),
}
OTHER_COMMIT = re.compile(rf"(?P<name>{'|'.join(map(re.escape, HUB_MODELS))})@(?P<revision>[0-9a-f]{{40}})")
PINNED = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<revision>[0-9a-f]{40})")
FOREIGN = "sentence-transformers:"


@dataclass(frozen=True, slots=True)
class Source:
    """Where an encoder comes from: its full name, the way to run it, and its folder (or "")."""

    name: str
    kind: str
    location: str


def load_encoder(name: str = "nano", *, device: str = "auto", threads: int | None = None) -> Encoder:
    """Load an encoder by name.

    Args:
        name: ``nano``; ``lfm2-colbert-350m`` or ``lfm2.5-colbert-350m`` (hub, pinned revision, or ``@`` and another);
            ``owner/model@`` and a full commit; a folder; ``sentence-transformers:`` and a folder; ``hashing``.
        device: ``auto``, ``cpu``, ``openvino`` (the CPU by OpenVINO, of exported encoders; its extra) or ``cuda`` (the
            torch extra).
        threads: threads of one forward pass; None takes the processors this process may use.

    Raises:
        UnknownEncoderError: no such name or folder.
        ModelUnavailableError: a hub model is neither on this machine nor reachable.
        MissingExtraError: the model needs torch, which the base install leaves out.
        UnsafeModelError: the folder holds something this program never loads.

    Example:
        >>> encoder = load_encoder("hashing")
        >>> encoder.encode_queries(["zwei Wörter"]).lengths.tolist()  # and the begin vector
        [3]
    """
    if device not in DEVICES:
        raise InvalidArgumentError(f"device must be one of {', '.join(DEVICES)}, not '{device}'")
    source = resolve(name)
    kind = _way(source, device)
    load = lookup(ENCODERS, kind, "encoder", extra="openvino" if kind == "openvino" else "torch")
    return cast(Encoder, load(source.location, LoadOptions(source.name, device, threads)))


def _way(source: Source, device: str) -> str:
    """Choose how an encoder is run on a device."""
    if device == "openvino" and source.kind not in ("onnx", "hashing"):
        raise InvalidArgumentError(
            f"OpenVINO runs exported encoders, and '{source.name}' is none",
            help="lfm2-colbert export model writes one",
        )
    other = {"cuda": "torch", "openvino": "openvino"}
    return other.get(device, "onnx") if source.kind == "onnx" else source.kind


def resolve(name: str, *, offline: bool = False) -> Source:
    """Find what a name stands for.

    Hub models that are not on this machine are fetched, unless `offline`, or their licence is to be accepted first.

    Raises:
        UnknownEncoderError: neither a known name nor a model folder.
        ModelUnavailableError: a hub model could not be had.
    """
    name = ALIASES.get(name, name)
    if name == NANO:
        return Source(NANO, "onnx", str(BUNDLED))
    if name in RETIRED:
        raise UnknownEncoderError(
            f"the encoder '{name}' is no longer a part of this program",
            help="encode a collection anew that was made with it: lfm2-colbert rebuild -c NAME --model nano",
        )
    if name == "hashing":
        return Source(name, "hashing", "")
    if model := on_hub(name):
        return Source(name, "torch", str(local_folder(model, offline=offline)))
    if name.startswith(FOREIGN):
        folder = _folder(name.removeprefix(FOREIGN))
        return Source(f"{FOREIGN}{folder}", "sentence-transformers", str(folder))
    folder = _folder(name)
    kind = "onnx" if (folder / "encoder.json").is_file() else "torch"
    return Source(str(folder), kind, str(folder))


def on_hub(name: str) -> HubModel | None:
    """Say which files of which commit a name stands for; None where it names nothing on the hub."""
    if other := OTHER_COMMIT.fullmatch(name):
        return replace(HUB_MODELS[other["name"]], revision=other["revision"], name=name)
    if pinned := PINNED.fullmatch(name):
        licence = licence_of_repository(pinned["repository"])
        return HubModel(pinned["repository"], pinned["revision"], licence, name=name)
    return HUB_MODELS.get(name)


def licence_of(name: str) -> str:
    """Give the licence that an encoder's weights are known to have, which what is made of them keeps; "" if none is.

    Raises:
        UnknownEncoderError: neither a known name nor a model folder.
    """
    if model := on_hub(name):
        return model.licence
    settings = Path(resolve(name).location) / "encoder.json"
    return str(read_json(settings).get("licence", "")) if settings.is_file() else ""


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise UnknownEncoderError.of("encoder", name, ["nano", "hashing", *HUB_MODELS, "a model folder"])
    return folder.resolve()
