"""Frozen dataclasses that go to JSON and come back; an unknown key is an error."""

import dataclasses
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from lfm2_colbert.errors import InvalidConfigError, suggestion

Config = TypeVar("Config")

SHORTEST_LENGTH = 3
"""Ids of the shortest text that says something: begin token, marker, one token."""


def from_mapping(cls: type[Config], values: Mapping[str, Any]) -> Config:
    """Build the dataclass `cls` from JSON values.

    Raises:
        InvalidConfigError: a key is unknown or missing, or a value has another type.
    """
    if not isinstance(values, Mapping):
        raise InvalidConfigError(f"{cls.__name__} must be an object, not {values!r:.60}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise InvalidConfigError(f"{cls.__name__} has no key '{key}'", help=suggestion(key, fields))
    required = [
        n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in values]
    if missing:
        raise InvalidConfigError(f"{cls.__name__} lacks {', '.join(missing)}")
    hints = get_type_hints(cls)
    return cls(**{key: _convert(cls, key, value, hints[key]) for key, value in values.items()})


def to_json(config: Any) -> str:
    """Write a config dataclass as JSON with sorted keys, the form that fingerprints are taken of."""
    return json.dumps(dataclasses.asdict(config), indent=1, sort_keys=True, ensure_ascii=False)


def _convert(cls: type, key: str, value: Any, hint: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
        origin = get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_mapping(hint, value)
    if origin is tuple and isinstance(value, list | tuple):
        element = get_args(hint)[0]
        return tuple(_convert(cls, key, item, element) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = origin or hint
    if isinstance(expected, type) and type(value) is not expected:
        raise InvalidConfigError(f"{cls.__name__}.{key} must be {expected.__name__}, not {value!r:.60}")
    return value


@dataclass(frozen=True, slots=True)
class BackboneConfig:
    """Shape of an LFM2 hybrid (reference: transformers' `Lfm2Config`; sizes of the released models in docs).

    Attributes:
        vocab_size: rows of the embedding table.
        hidden_size: width of the residual stream.
        feed_forward_size: width inside the SwiGLU blocks, after LFM2's automatic adjustment.
        layer_types: ``"conv"`` or ``"full_attention"``, one per layer.
        n_heads: query heads.
        n_kv_heads: key and value heads; each serves ``n_heads / n_kv_heads`` query heads.
        head_dim: width of a head.
        conv_kernel: taps of the short convolution.
        norm_eps: epsilon of every RMSNorm.
        rope_theta: base of the rotary embedding.
        bidirectional: centred convolution and no causal mask (LFM2.5 retrieval models, nano).
    """

    vocab_size: int
    hidden_size: int
    feed_forward_size: int
    layer_types: tuple[str, ...]
    n_heads: int
    n_kv_heads: int
    head_dim: int
    conv_kernel: int
    norm_eps: float
    rope_theta: float
    bidirectional: bool


@dataclass(frozen=True, slots=True)
class TokenContract:
    """How text becomes ids, and which positions become vectors.

    Lengths count ids, the begin token and the marker included.

    Attributes:
        bos_id: first id of every text.
        query_marker_id: second id of a query.
        document_marker_id: second id of a document.
        query_length: ids of a query at most; with expansion, exactly.
        document_length: ids of a document at most.
        pad_id: fills a batch; its positions never reach an output.
        expansion_id: id that fills a query to `query_length`, its vectors scored; None: no expansion.
        attend_to_expansion: whether other positions may attend to expansion positions.
        skip_ids: document ids whose vectors are dropped (single punctuation tokens).
    """

    bos_id: int
    query_marker_id: int
    document_marker_id: int
    query_length: int
    document_length: int
    pad_id: int
    expansion_id: int | None = None
    attend_to_expansion: bool = False
    skip_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Leave room for text.

        Raises:
            InvalidConfigError: a length holds no token beside the begin token and the marker.
        """
        if min(self.query_length, self.document_length) < SHORTEST_LENGTH:
            raise InvalidConfigError(f"query_length and document_length must be at least {SHORTEST_LENGTH}")


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Everything but the weights and the vocabulary: what an exported encoder keeps beside its ONNX file.

    `mean` is that of its token vectors over many texts, which codecs take off; empty where it was never measured.
    """

    name: str
    dim: int
    backbone: BackboneConfig
    tokens: TokenContract
    markers: tuple[str, ...]
    licence: str = ""
    mean: tuple[float, ...] = ()
