"""A model folder in the sentence-transformers / PyLate layout → validated settings and weights.

Nothing is executed and nothing is unpickled: files, JSON types, sizes, shapes and values are checked here, before any
other library sees the folder. The architecture is our own code, so a repository's Python is never needed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.config import BackboneConfig, TokenContract
from lfm2_colbert.errors import UnsafeModelError
from lfm2_colbert.safetensors import SafetensorsFile
from lfm2_colbert.tokenization import tokenizer_specification

FORBIDDEN_SUFFIXES = frozenset(
    {
        ".py",
        ".pyc",
        ".so",
        ".bin",
        ".pt",
        ".pth",
        ".pkl",
        ".pickle",
        ".ckpt",
        ".joblib",
        ".npy",
        ".npz",
        ".h5",
        ".msgpack",
    }
)
VECTOR_SUFFIXES = frozenset({".json", ".safetensors", ".xz", ".model", ".txt", ".onnx"})
MAX_JSON_BYTES = 1024 * 1024
MAX_CHECKPOINT_BYTES = 8 * 1024**3
PREFIXES = ("model.", "lfm2.", "")
TRANSFORMER_TYPES = frozenset(
    {"sentence_transformers.models.Transformer", "sentence_transformers.base.modules.transformer.Transformer"}
)
DENSE_TYPES = frozenset({"pylate.models.Dense.Dense", "sentence_transformers.models.Dense"})
IDENTITIES = frozenset({"torch.nn.modules.linear.Identity", None})
KNOWN_REMOTE_CLASSES = frozenset({"modeling_lfm2_bidirectional.Lfm2BidirectionalModel"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A validated model folder.

    Attributes:
        folder: where it lies.
        backbone: shape of the trunk.
        tokens: the token contract.
        dim: width of the projected vectors.
        markers: the marker strings, to be taken out of the vocabulary's added tokens.
        fingerprint: sha256 over the files that decide the vectors.
    """

    folder: Path
    backbone: BackboneConfig
    tokens: TokenContract
    dim: int
    markers: tuple[str, ...]
    fingerprint: str

    @property
    def tokenizer_path(self) -> Path:
        """The vocabulary, plain or compressed."""
        return _tokenizer_path(self.folder)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Read all weights as float32 under the names of `model.ColBERTModel`.

        Raises:
            UnsafeModelError: a value is not finite.
        """
        trunk = _strip_prefix(dict(_trunk(self.folder).tensors()))
        named = {f"backbone.{name}": tensor for name, tensor in trunk.items()}
        named["projection.weight"] = SafetensorsFile(self.folder / "1_Dense" / "model.safetensors").read(
            "linear.weight"
        )
        for name, tensor in named.items():
            if not np.isfinite(tensor).all():
                raise UnsafeModelError(f"{self.folder.name}: the tensor {name} holds NaN or infinity")
        return named


def open_checkpoint(folder: Path) -> Checkpoint:
    """Validate a model folder and read its settings.

    Raises:
        UnsafeModelError: the folder holds code, pickles, links that leave it, or files that contradict each other.
    """
    check_files(folder)
    config = read_json(folder / "config.json")
    backbone = backbone_config(config, folder.name)
    dim = _check_modules(folder, backbone)
    settings = read_json(folder / "config_sentence_transformers.json")
    tokens = _token_contract(folder, config, settings)
    _check_shapes(folder, backbone)
    markers = (str(settings["query_prefix"]), str(settings["document_prefix"]))
    return Checkpoint(folder, backbone, tokens, dim, markers, files_fingerprint(folder))


def read_json(path: Path) -> dict[str, Any]:
    """Read a small JSON object.

    Raises:
        UnsafeModelError: the file is missing, too large, or no JSON object.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise UnsafeModelError(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UnsafeModelError(f"{path.parent.name} has no {path.name}", help="give a ColBERT model's folder") from None
    except (ValueError, RecursionError) as error:
        raise UnsafeModelError(f"{path.name} is not JSON") from error
    if not isinstance(value, dict):
        raise UnsafeModelError(f"{path.name} is not a JSON object")
    return value


def backbone_config(config: Mapping[str, Any], name: str) -> BackboneConfig:
    """Translate a Hugging Face `lfm2` config.

    Raises:
        UnsafeModelError: another architecture (mixture-of-experts included), or sizes out of range.
    """
    _check_architecture(config, name)
    hidden, n_layers = _size(config, "hidden_size", 16_384), _size(config, "num_hidden_layers", 128)
    n_heads = _size(config, "num_attention_heads", 256)
    rope = config.get("rope_parameters") or {}
    result = BackboneConfig(
        vocab_size=_size(config, "vocab_size", 2_000_000),
        hidden_size=hidden,
        feed_forward_size=feed_forward_size(config),
        layer_types=_layer_types(config, n_layers, name),
        n_heads=n_heads,
        n_kv_heads=_size(config, "num_key_value_heads", n_heads),
        head_dim=int(config.get("head_dim") or hidden // n_heads),
        conv_kernel=_size(config, "conv_L_cache", 16),
        norm_eps=float(config.get("norm_eps", 1e-5)),
        rope_theta=float(config.get("rope_theta") or rope.get("rope_theta") or 1e6),
        bidirectional=_is_bidirectional(config),
    )
    if config.get("conv_bias"):
        raise UnsafeModelError(f"{name}: convolutions with a bias are not LFM2")
    return result


def feed_forward_size(config: Mapping[str, Any]) -> int:
    """Width of the SwiGLU blocks after LFM2's automatic adjustment (two thirds, rounded up to a multiple)."""
    size = int(config.get("block_ff_dim") or config["intermediate_size"])
    if not config.get("block_auto_adjust_ff_dim", True):
        return size
    multiple = int(config.get("block_multiple_of", 256))
    size = int(float(config.get("block_ffn_dim_multiplier") or 1.0) * (2 * size // 3))
    return -(-size // multiple) * multiple


def _check_architecture(config: Mapping[str, Any], name: str) -> None:
    kind = config.get("model_type")
    if kind == "lfm2_moe":
        raise UnsafeModelError(
            f"{name} is a mixture-of-experts model (lfm2_moe), which this program cannot run yet",
            help="use a dense LFM2 checkpoint such as LFM2-ColBERT-350M",
        )
    if kind != "lfm2":
        raise UnsafeModelError(
            f"{name} is a '{kind}' model, not lfm2",
            help=f"other multi-vector models load as 'sentence-transformers:{name}'",
        )
    unknown = set((config.get("auto_map") or {}).values()) - KNOWN_REMOTE_CLASSES
    if unknown:
        raise UnsafeModelError(
            f"{name} asks to run Python from its repository ({', '.join(sorted(map(str, unknown)))})",
            help="this program never runs it; use a checkpoint of a known architecture",
        )


def _is_bidirectional(config: Mapping[str, Any]) -> bool:
    return bool(config.get("bidirectional")) or "Lfm2BidirectionalModel" in (config.get("architectures") or [])


def _layer_types(config: Mapping[str, Any], n_layers: int, name: str) -> tuple[str, ...]:
    types = config.get("layer_types")
    if types is None:
        attention = set(config.get("full_attn_idxs") or ())
        types = ["full_attention" if i in attention else "conv" for i in range(n_layers)]
    if len(types) != n_layers or not set(types) <= {"conv", "full_attention"}:
        raise UnsafeModelError(f"{name}: layer_types does not name {n_layers} layers of conv or full_attention")
    return tuple(types)


def _size(config: Mapping[str, Any], key: str, largest: int) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise UnsafeModelError(f"config.json: {key} must be between 1 and {largest}, not {value!r}")
    return value


def check_files(folder: Path) -> None:
    """Refuse a folder with code, pickles, links that leave it, or too many bytes.

    Raises:
        UnsafeModelError: one of these was found.
    """
    if not folder.is_dir():
        raise UnsafeModelError(f"{folder} is not a folder")
    # A hub cache keeps its files in blobs/ and links to them from snapshots/<commit>/.
    allowed = folder.resolve().parents[1] if folder.resolve().parent.name == "snapshots" else folder.resolve()
    total = 0
    for path in folder.rglob("*"):
        if path.suffix in FORBIDDEN_SUFFIXES:
            what = "custom code" if path.suffix == ".py" else "a file type that can run code"
            raise UnsafeModelError(
                f"the model folder contains {what} ({path.name}); this program never loads it",
                help="take the file out of the folder: weights are read from *.safetensors alone",
            )
        if not path.resolve().is_relative_to(allowed):
            raise UnsafeModelError(f"{path.name} is a link that leaves the model folder")
        total += path.stat().st_size if path.is_file() else 0
    if total > MAX_CHECKPOINT_BYTES:
        raise UnsafeModelError(f"the model folder holds {total >> 30} GiB, more than {MAX_CHECKPOINT_BYTES >> 30}")


def _check_modules(folder: Path, backbone: BackboneConfig) -> int:
    try:
        modules = json.loads((folder / "modules.json").read_bytes())
        types = [module["type"] for module in modules]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnsafeModelError(
            f"{folder.name} has no readable modules.json", help="give a ColBERT model's folder"
        ) from error
    if len(types) != 2 or types[0] not in TRANSFORMER_TYPES or types[1] not in DENSE_TYPES:
        raise UnsafeModelError(
            f"{folder.name} is made of {', '.join(map(str, types))}, not of a Transformer and a Dense",
            help=f"other multi-vector models load as 'sentence-transformers:{folder}'",
        )
    dense = read_json(folder / "1_Dense" / "config.json")
    shape = (dense.get("out_features"), dense.get("in_features"))
    if dense.get("bias") or dense.get("activation_function") not in IDENTITIES or shape[1] != backbone.hidden_size:
        raise UnsafeModelError(f"{folder.name}: 1_Dense must be a plain projection from {backbone.hidden_size}")
    stored = SafetensorsFile(folder / "1_Dense" / "model.safetensors").shapes()
    if stored != {"linear.weight": shape}:
        raise UnsafeModelError(f"{folder.name}: 1_Dense holds {stored}, its config says {shape}")
    return int(stored["linear.weight"][0])


def _token_contract(folder: Path, config: Mapping[str, Any], settings: Mapping[str, Any]) -> TokenContract:
    path = _tokenizer_path(folder)
    specification = tokenizer_specification(path)
    ids = _piece_ids(specification)
    try:
        prefixes = {kind: str(settings[f"{kind}_prefix"]) for kind in ("query", "document")}
        lengths = {kind: _size(settings, f"{kind}_length", 32_768) for kind in ("query", "document")}
    except KeyError as error:
        raise UnsafeModelError(f"config_sentence_transformers.json lacks {error}") from None
    free = max(ids.values()) + 1  # PyLate appends markers that the vocabulary lacks, query first
    markers = {
        kind: int(settings.get(f"{kind}_prefix_id", ids.get(prefix, free + i)))
        for i, (kind, prefix) in enumerate(prefixes.items())
    }
    expands = bool(settings.get("do_query_expansion", True))
    return TokenContract(
        bos_id=_size(config, "bos_token_id", 2_000_000) if config.get("bos_token_id") else 0,
        query_marker_id=markers["query"],
        document_marker_id=markers["document"],
        query_length=lengths["query"],
        document_length=lengths["document"],
        pad_id=int(config.get("pad_token_id") or 0),
        expansion_id=_expansion_id(folder, config, ids) if expands else None,
        attend_to_expansion=bool(settings.get("attend_to_expansion_tokens", False)),
        skip_ids=tuple(sorted(ids[w] for w in settings.get("skiplist_words") or () if w in ids)),
    )


def _expansion_id(folder: Path, config: Mapping[str, Any], ids: Mapping[str, int]) -> int:
    # PyLate expands with the mask token where the vocabulary has one, else with the end token (LFM2: id 7).
    path = folder / "special_tokens_map.json"
    mask = read_json(path).get("mask_token") if path.exists() else None
    content = str(mask.get("content") if isinstance(mask, dict) else mask)
    return ids[content] if content in ids else int(config["eos_token_id"])


def _piece_ids(specification: Mapping[str, Any]) -> dict[str, int]:
    vocabulary = specification["model"]["vocab"]
    pairs = (
        vocabulary.items() if isinstance(vocabulary, dict) else ((piece, i) for i, (piece, _) in enumerate(vocabulary))
    )
    return dict(pairs) | {token["content"]: token["id"] for token in specification["added_tokens"]}


def _tokenizer_path(folder: Path) -> Path:
    for name in ("tokenizer.json", "tokenizer.json.xz"):
        if (folder / name).is_file():
            return folder / name
    raise UnsafeModelError(f"{folder.name} has no tokenizer.json")


def _trunk(folder: Path) -> SafetensorsFile:
    return SafetensorsFile(folder / "model.safetensors")


def _strip_prefix(named: Mapping[str, Any]) -> dict[str, Any]:
    prefix = next(p for p in PREFIXES if any(name.startswith(f"{p}embed_tokens") for name in named) or p == "")
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def _check_shapes(folder: Path, backbone: BackboneConfig) -> None:
    stored, expected = _strip_prefix(_trunk(folder).shapes()), trunk_shapes(backbone)
    for name in sorted(stored.keys() ^ expected.keys()):
        raise UnsafeModelError(f"{folder.name}: the tensor {name} is {'missing' if name in expected else 'unknown'}")
    for name, shape in expected.items():
        if stored[name] != shape:
            raise UnsafeModelError(f"{folder.name}: {name} has shape {stored[name]}, the config needs {shape}")


def trunk_shapes(backbone: BackboneConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a trunk, without prefix."""
    d, f = backbone.hidden_size, backbone.feed_forward_size
    q, kv, e = backbone.n_heads * backbone.head_dim, backbone.n_kv_heads * backbone.head_dim, backbone.head_dim
    block = {
        "operator_norm": (d,),
        "ffn_norm": (d,),
        "feed_forward.w1": (f, d),
        "feed_forward.w2": (d, f),
        "feed_forward.w3": (f, d),
    }
    conv = {"conv.in_proj": (3 * d, d), "conv.conv": (d, 1, backbone.conv_kernel), "conv.out_proj": (d, d)}
    attention = {
        "self_attn.q_proj": (q, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d),
        "self_attn.out_proj": (d, q), "self_attn.q_layernorm": (e,), "self_attn.k_layernorm": (e,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (backbone.vocab_size, d),
        "embedding_norm.weight": (d,),
    }
    for i, kind in enumerate(backbone.layer_types):
        parts = block | (conv if kind == "conv" else attention)
        shapes |= {f"layers.{i}.{name}.weight": shape for name, shape in parts.items()}
    return shapes


def files_fingerprint(folder: Path) -> str:
    """sha256 over names and contents of every file that can decide a vector: JSON, weights, vocabularies."""
    names = [p for p in folder.rglob("*") if p.is_file() and p.suffix in VECTOR_SUFFIXES]
    digest = hashlib.sha256()
    for path in sorted(names, key=lambda p: p.relative_to(folder).as_posix()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
