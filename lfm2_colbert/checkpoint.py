"""A model folder in the sentence-transformers / PyLate layout → validated settings and weights.

Nothing is executed and nothing is unpickled: files, JSON types, sizes, shapes and values are checked here, before any
other library sees the folder. The architecture is our own code, so a repository's Python is never needed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.config import SHORTEST_LENGTH, BackboneConfig, TokenContract
from lfm2_colbert.errors import UnsafeModelError
from lfm2_colbert.safetensors import SafetensorsFile
from lfm2_colbert.tokenization import piece_ids, tokenizer_specification

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
WAY_OUT = "give a ColBERT model's folder"
LONGEST_TEXT = 32_768
LARGEST_REAL = 1e12
LAYER_TYPES = ("conv", "full_attention")
KNOWN_ARCHITECTURES = frozenset({"Lfm2Model", "Lfm2ForCausalLM", "Lfm2BidirectionalModel"})
PREFIXES = ("model.", "lfm2.", "")
TRANSFORMER_TYPES = frozenset(
    {"sentence_transformers.models.Transformer", "sentence_transformers.base.modules.transformer.Transformer"}
)
DENSE_TYPES = frozenset({"pylate.models.Dense.Dense", "sentence_transformers.models.Dense"})
IDENTITIES = ("torch.nn.modules.linear.Identity", None)
KNOWN_CLASSES = ("sentence_transformers.", "pylate.models.", "torch.nn.")
MODULE_SETTINGS = ("config.json", "router_config.json")
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
        trunk = dict(_trunk(self.folder).tensors())
        prefix = _prefix(trunk)
        named = {f"backbone.{name.removeprefix(prefix)}": tensor for name, tensor in trunk.items()}
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
    if (folder / "modules.json").is_file():
        check_token_vectors(folder)
    config = read_json(folder / "config.json")
    backbone = backbone_config(config, folder.name)
    dim = _check_modules(folder, backbone)
    settings = read_json(folder / "config_sentence_transformers.json")
    tokens = _token_contract(folder, config, settings, backbone.vocab_size)
    _check_shapes(folder, backbone)
    return Checkpoint(folder, backbone, tokens, dim, _markers(settings), files_fingerprint(folder))


def read_json(path: Path) -> dict[str, Any]:
    """Read a small JSON object.

    Raises:
        UnsafeModelError: the file is missing, too large, or no JSON object.
    """
    value = _read_json_value(path)
    if not isinstance(value, dict):
        raise UnsafeModelError(f"{path.name} is not a JSON object")
    return value


def _read_json_value(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise UnsafeModelError(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UnsafeModelError(f"{path.parent.name} has no {path.name}", help=WAY_OUT) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UnsafeModelError(f"{path.name} is not JSON") from error


def backbone_config(config: Mapping[str, Any], name: str) -> BackboneConfig:
    """Translate a Hugging Face `lfm2` config.

    Raises:
        UnsafeModelError: another architecture (mixture-of-experts included), or sizes out of range.
    """
    _check_architecture(config, name)
    hidden, n_layers = _whole(config, "hidden_size", 16_384), _whole(config, "num_hidden_layers", 128)
    n_heads = _whole(config, "num_attention_heads", 256)
    rope = config.get("rope_parameters")
    theta = config.get("rope_theta") or (rope.get("rope_theta") if isinstance(rope, dict) else None)
    result = BackboneConfig(
        vocab_size=_whole(config, "vocab_size", 2_000_000),
        hidden_size=hidden,
        feed_forward_size=feed_forward_size(config),
        layer_types=_layer_types(config, n_layers, name),
        n_heads=n_heads,
        n_kv_heads=_whole(config, "num_key_value_heads", n_heads),
        head_dim=_whole(config, "head_dim", 1024, default=hidden // n_heads),
        conv_kernel=_whole(config, "conv_L_cache", 16),
        norm_eps=_positive("norm_eps", config.get("norm_eps", 1e-5)),
        rope_theta=_positive("rope_theta", theta or 1e6),
        bidirectional=_is_bidirectional(config),
    )
    if config.get("conv_bias"):
        raise UnsafeModelError(f"{name}: convolutions with a bias are not LFM2")
    if result.head_dim % 2 or result.n_heads % result.n_kv_heads:
        raise UnsafeModelError(f"{name}: heads must have an even width, and query heads be shared out evenly")
    return result


def feed_forward_size(config: Mapping[str, Any]) -> int:
    """Width of the SwiGLU blocks after LFM2's automatic adjustment (two thirds, rounded up to a multiple).

    Raises:
        UnsafeModelError: a size is missing or out of range.
    """
    size = _whole(config, "block_ff_dim" if config.get("block_ff_dim") else "intermediate_size", 1_000_000)
    if not config.get("block_auto_adjust_ff_dim", True):
        return size
    multiple = _whole(config, "block_multiple_of", 65_536, default=256)
    multiplier = _positive("block_ffn_dim_multiplier", config.get("block_ffn_dim_multiplier") or 1.0)
    return -(-int(multiplier * (2 * size // 3)) // multiple) * multiple


def _check_architecture(config: Mapping[str, Any], name: str) -> None:
    kind = config.get("model_type")
    if kind == "lfm2_moe":
        raise UnsafeModelError(
            f"{name} is a mixture-of-experts model (lfm2_moe), which this program cannot run yet",
            help="use a dense LFM2 checkpoint such as LFM2-ColBERT-350M",
        )
    if kind != "lfm2":
        raise UnsafeModelError(
            f"{name} is a '{kind!s:.60}' model, not lfm2",
            help=f"other multi-vector models load as 'sentence-transformers:{name}'",
        )
    if unknown := set(_architectures(config)) - KNOWN_ARCHITECTURES:
        raise UnsafeModelError(
            f"{name} has the architecture {', '.join(sorted(unknown))}, which this program does not know",
            help=f"known: {', '.join(sorted(KNOWN_ARCHITECTURES))}",
        )
    if unknown := _remote_classes(config) - KNOWN_REMOTE_CLASSES:
        raise UnsafeModelError(
            f"{name} asks to run Python from its repository ({', '.join(sorted(unknown))})",
            help="this program never runs it; use a checkpoint of a known architecture",
        )


def _architectures(config: Mapping[str, Any]) -> list[str]:
    named = config.get("architectures") or []
    return [str(architecture) for architecture in named] if isinstance(named, list) else [str(named)]


def _remote_classes(config: Mapping[str, Any]) -> set[str]:
    # A value is a class, or a list of a slow and a fast one; "repository--" stands before one fetched from elsewhere.
    mapped = config.get("auto_map") or {}
    values = mapped.values() if isinstance(mapped, dict) else [mapped]
    named = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return {str(item).rpartition("--")[2] for item in named if item is not None}


def _is_bidirectional(config: Mapping[str, Any]) -> bool:
    return bool(config.get("bidirectional")) or "Lfm2BidirectionalModel" in _architectures(config)


def _layer_types(config: Mapping[str, Any], n_layers: int, name: str) -> tuple[str, ...]:
    types = config.get("layer_types")
    attention = config.get("full_attn_idxs")
    if types is None and isinstance(attention, list):
        types = ["full_attention" if i in attention else "conv" for i in range(n_layers)]
    if not isinstance(types, list) or len(types) != n_layers or any(kind not in LAYER_TYPES for kind in types):
        raise UnsafeModelError(f"{name}: layer_types does not name {n_layers} layers of conv or full_attention")
    return tuple(types)


def _whole(values: Mapping[str, Any], key: str, largest: int, *, smallest: int = 1, default: int | None = None) -> int:
    value = default if values.get(key) is None else values[key]
    if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= largest:
        raise UnsafeModelError(f"the model's {key} must be from {smallest} to {largest}, not {value!r:.60}")
    return value


def _positive(key: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LARGEST_REAL:
        raise UnsafeModelError(f"the model's {key} must be a positive number, not {value!r:.60}")
    return float(value)


def check_files(folder: Path) -> None:
    """Refuse a folder with code, pickles, links that leave it, or too many bytes.

    Raises:
        UnsafeModelError: one of these was found.
    """
    if not folder.is_dir():
        raise UnsafeModelError(f"{folder} is not a folder")
    home = folder.resolve()
    # A hub cache keeps its files in blobs/ and links to them from snapshots/<commit>/.
    homes = (home, home.parents[1] / "blobs") if home.parent.name == "snapshots" else (home,)
    total = 0
    for path in folder.rglob("*"):
        if path.suffix.lower() in FORBIDDEN_SUFFIXES:
            what = "custom code" if path.suffix.lower() == ".py" else "a file type that can run code"
            raise UnsafeModelError(
                f"the model folder contains {what} ({path.name}); this program never loads it",
                help="take the file out of the folder: weights are read from *.safetensors alone",
            )
        target = _target(path)
        if not any(target.is_relative_to(place) for place in homes):
            raise UnsafeModelError(f"{path.name} is a link that leaves the model folder")
        if target.exists() and not target.is_file() and not target.is_dir():
            raise UnsafeModelError(f"{path.name} is neither a file nor a folder")
        total += target.stat().st_size if target.is_file() else 0
    if total > MAX_CHECKPOINT_BYTES:
        raise UnsafeModelError(
            f"the model folder holds {total >> 30} GiB, more than {MAX_CHECKPOINT_BYTES >> 30}",
            help="give the folder of one model",
        )


def _target(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError before Python 3.13
        raise UnsafeModelError(f"{path.name} is a link to itself") from error


def read_modules(folder: Path) -> list[dict[str, str]]:
    """Read ``modules.json``: what a sentence-transformers model is made of, each with its `type` and `path`.

    Raises:
        UnsafeModelError: the file is missing, too large, or does not list modules.
    """
    modules = _read_json_value(folder / "modules.json")
    if not isinstance(modules, list) or not all(_is_module(module) for module in modules):
        raise UnsafeModelError(
            f"{folder.name}: modules.json does not list modules with a type and a path", help=WAY_OUT
        )
    return modules


def check_classes(folder: Path) -> None:
    """Refuse a folder for sentence-transformers that names classes of anybody else.

    That library imports what these names say before it asks whether to trust them.

    Raises:
        UnsafeModelError: there is such a name.
    """
    named = [module["type"] for module in read_modules(folder)]
    for path in folder.rglob("*.json"):
        if path.name in MODULE_SETTINGS:
            named += _named_classes(read_json(path))
    unknown = [name for name in named if not name.startswith(KNOWN_CLASSES)]
    if unknown:
        raise UnsafeModelError(
            f"{folder.name} asks to import {', '.join(unknown)!s:.120}, which is no part of sentence-transformers",
            help="this program never runs code that a model names; use a model made of the library's own parts",
        )


def check_token_vectors(folder: Path) -> None:
    """Refuse a model that pools its tokens into one vector.

    sentence-transformers would put a projection of random weights in the place of that.

    Raises:
        UnsafeModelError: it does, or `read_modules` refused.
    """
    kinds = [module["type"].rpartition(".")[2] for module in read_modules(folder)]
    if "Pooling" in kinds:
        raise UnsafeModelError(
            f"{folder.name} is a single-vector model (modules: {', '.join(kinds)}), not one of token vectors",
            help="give a multi-vector model: nano, lfm2.5-colbert-350m, lfm2-colbert-350m, or a folder of another one",
        )


def _named_classes(settings: Mapping[str, Any]) -> list[str]:
    # A Dense names its activation, a Router its parts; a transformer's "gelu" has no dot, and is not imported.
    activation, parts = settings.get("activation_function"), settings.get("types")
    named = [activation] if "." in str(activation) else []
    return [str(name) for name in (*named, *(parts.values() if isinstance(parts, dict) else ()))]


def _is_module(module: Any) -> bool:
    return isinstance(module, dict) and all(isinstance(module.get(key), str) for key in ("type", "path"))


def _check_modules(folder: Path, backbone: BackboneConfig) -> int:
    modules = read_modules(folder)
    types, paths = [module["type"] for module in modules], [module["path"] for module in modules]
    if len(types) != 2 or types[0] not in TRANSFORMER_TYPES or types[1] not in DENSE_TYPES:
        raise UnsafeModelError(
            f"{folder.name} is made of {', '.join(types)}, not of a Transformer and a Dense",
            help=f"other multi-vector models load as 'sentence-transformers:{folder}'",
        )
    if paths != ["", "1_Dense"]:
        raise UnsafeModelError(f"{folder.name}: modules.json must place the Transformer in '' and the Dense in 1_Dense")
    dense = read_json(folder / "1_Dense" / "config.json")
    shape = (_whole(dense, "out_features", 16_384), _whole(dense, "in_features", 16_384))
    if dense.get("bias") or dense.get("activation_function") not in IDENTITIES or shape[1] != backbone.hidden_size:
        raise UnsafeModelError(f"{folder.name}: 1_Dense must be a plain projection from {backbone.hidden_size}")
    stored = SafetensorsFile(folder / "1_Dense" / "model.safetensors").shapes()
    if stored != {"linear.weight": shape}:
        raise UnsafeModelError(f"{folder.name}: 1_Dense holds {stored!s:.60}, its config says {shape}")
    return shape[0]


def _token_contract(
    folder: Path, config: Mapping[str, Any], settings: Mapping[str, Any], vocab_size: int
) -> TokenContract:
    ids = piece_ids(tokenizer_specification(_tokenizer_path(folder)))
    markers = _markers(settings)
    if any(i >= vocab_size for piece, i in ids.items() if piece not in markers):
        raise UnsafeModelError(f"{folder.name}: the vocabulary has more pieces than the embedding has rows")
    for marker in markers:  # PyLate appends markers that the vocabulary lacks, query first
        ids.setdefault(marker, max(ids.values()) + 1)

    largest = vocab_size - 1
    return TokenContract(
        bos_id=_whole(config, "bos_token_id", largest, smallest=0),
        query_marker_id=_whole(settings, "query_prefix_id", largest, smallest=0, default=ids[markers[0]]),
        document_marker_id=_whole(settings, "document_prefix_id", largest, smallest=0, default=ids[markers[1]]),
        query_length=_whole(settings, "query_length", LONGEST_TEXT, smallest=SHORTEST_LENGTH),
        document_length=_whole(settings, "document_length", LONGEST_TEXT, smallest=SHORTEST_LENGTH),
        pad_id=_whole(config, "pad_token_id", largest, smallest=0, default=0),
        expansion_id=_expansion_id(folder, config, ids, largest) if settings.get("do_query_expansion", True) else None,
        attend_to_expansion=bool(settings.get("attend_to_expansion_tokens", False)),
        skip_ids=_skip_ids(settings, ids),
    )


def _markers(settings: Mapping[str, Any]) -> tuple[str, str]:
    query, document = settings.get("query_prefix"), settings.get("document_prefix")
    if not isinstance(query, str) or not isinstance(document, str):
        raise UnsafeModelError("config_sentence_transformers.json lacks query_prefix or document_prefix")
    return query, document


def _skip_ids(settings: Mapping[str, Any], ids: Mapping[str, int]) -> tuple[int, ...]:
    words = settings.get("skiplist_words") or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise UnsafeModelError("config_sentence_transformers.json: skiplist_words is no list of strings")
    return tuple(sorted({ids[word] for word in words if word in ids}))


def _expansion_id(folder: Path, config: Mapping[str, Any], ids: Mapping[str, int], largest: int) -> int:
    # PyLate expands with the mask token where the vocabulary has one, else with the end token (LFM2: id 7).
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        mask = read_json(folder / name).get("mask_token") if (folder / name).exists() else None
        content = mask.get("content") if isinstance(mask, dict) else mask
        if isinstance(content, str) and content in ids:
            return ids[content]
    return _whole(config, "eos_token_id", largest, smallest=0)


def _tokenizer_path(folder: Path) -> Path:
    for name in ("tokenizer.json", "tokenizer.json.xz"):
        if (folder / name).is_file():
            return folder / name
    raise UnsafeModelError(f"{folder.name} has no tokenizer.json")


def _trunk(folder: Path) -> SafetensorsFile:
    return SafetensorsFile(folder / "model.safetensors")


def _prefix(names: Iterable[str]) -> str:
    return next((p for p in PREFIXES if f"{p}embed_tokens.weight" in names), "")


def _check_shapes(folder: Path, backbone: BackboneConfig) -> None:
    stored = _trunk(folder).shapes()
    prefix = _prefix(stored)
    expected = {prefix + name: shape for name, shape in trunk_shapes(backbone).items()}
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
