"""Write an encoder as one ONNX file, in fp32 or int8, that needs no torch to run.

The graph is built by hand and mirrors `backbone.py` step by step. int8 is weight-only blocks of 32 with a scale each,
multiplied as int8 dot products with activations quantised per row and block (`MatMulNBits`, accuracy level 4), so a
text's vectors do not depend on its batch: ONNX Runtime's plain dynamic quantisation takes one scale per activation
tensor and makes them depend on it (microsoft/onnxruntime#10111).

Inputs: `ids` int64, `present` and `attended` float32 (1 or 0), all ``(B, T)``; see `backbone.Masks`.
Output: `vectors` float32 ``(B, T, dim)``, unit norm.
"""

import lzma
import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lfm2_colbert.checkpoint import Checkpoint, open_checkpoint
from lfm2_colbert.config import BackboneConfig, EncoderConfig, to_json
from lfm2_colbert.encoders.onnx import CONFIG_FILE, MODEL_FILE, TOKENIZER_FILE
from lfm2_colbert.encoders.unpacking import dequantise

Weights = Mapping[str, NDArray[np.float32]]

MASKED = np.array(-1e9, np.float32)
LINEAR_BLOCK = 32
NARROW_TABLE, TABLE_BLOCK = 256, 32
"""A table as narrow as this is most of an encoder: one scale a row spares a tenth of the file, blocks are for wider."""


class Precision(StrEnum):
    """How weights are stored."""

    FP32 = "fp32"
    INT8 = "int8"


def export_folder(checkpoint_folder: Path, destination: Path, name: str, precision: str, licence: str = "") -> None:
    """Export a checkpoint to a folder that `OnnxEncoder` loads: model, compressed vocabulary, settings.

    Args:
        checkpoint_folder: a folder in the sentence-transformers / PyLate layout.
        destination: created where it is missing; files of the same names are replaced.
        name: full name of the encoder, stored with every collection it builds.
        precision: ``fp32`` or ``int8``.
        licence: SPDX name or title of the weights' licence.
    """
    checkpoint = open_checkpoint(checkpoint_folder)
    destination.mkdir(parents=True, exist_ok=True)
    model = build(checkpoint, checkpoint.tensors(), Precision(precision))
    (destination / MODEL_FILE).write_bytes(model.SerializeToString(deterministic=True))
    _copy_vocabulary(checkpoint.tokenizer_path, destination / TOKENIZER_FILE)
    config = EncoderConfig(name, checkpoint.dim, checkpoint.backbone, checkpoint.tokens, checkpoint.markers, licence)
    (destination / CONFIG_FILE).write_text(to_json(config) + "\n", encoding="utf-8")


def build(checkpoint: Checkpoint, weights: Weights, precision: Precision) -> onnx.ModelProto:
    """Build the graph of one encoder from its weights (names of `model.ColBERTModel`)."""
    graph = _Graph(weights, precision)
    vectors = _encoder(graph, checkpoint.backbone)
    axes = ["B", "T"]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "lfm2-colbert",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, axes),
                helper.make_tensor_value_info("present", TensorProto.FLOAT, axes),
                helper.make_tensor_value_info("attended", TensorProto.FLOAT, axes),
            ],
            [helper.make_tensor_value_info(vectors, TensorProto.FLOAT, [*axes, checkpoint.dim])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)],
        ir_version=10,
        producer_name="lfm2-colbert",
    )


def _copy_vocabulary(source: Path, destination: Path) -> None:
    if source.suffix == ".xz":
        shutil.copyfile(source, destination)
    else:
        destination.write_bytes(lzma.compress(source.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


class _Graph:
    """Nodes and initialisers under construction; every method adds nodes and returns the name of their output."""

    def __init__(self, weights: Weights, precision: Precision) -> None:
        self.weights, self.precision = weights, precision
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._constants: dict[bytes, str] = {}

    def op(self, kind: str, *inputs: str, output: str = "", domain: str = "", **attributes: object) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], domain=domain, **attributes))
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        key = bytes(str((value.dtype, value.shape)), "ascii") + value.tobytes()
        if key not in self._constants:
            self._constants[key] = self.initializer(f"constant_{len(self._constants)}", value)
        return self._constants[key]

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def initializer(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def reshape(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.integers(*shape))

    def norm(self, x: str, name: str, eps: float) -> str:
        """RMSNorm: ONNX Runtime's fused kernel under the name it has there."""
        gain = self.initializer(name, self.weights[name])
        return self.op("SimplifiedLayerNormalization", x, gain, axis=-1, epsilon=eps, stash_type=1)

    def linear(self, x: str, name: str) -> str:
        """``x Wᵀ`` for ``W`` of shape ``(n_out, n_in)``."""
        weight = self.weights[name]
        if self.precision is Precision.FP32:
            return self.op("MatMul", x, self.initializer(name, weight.T))
        codes, scales = quantise(weight, LINEAR_BLOCK)
        blocks = codes.reshape(len(weight), -1, LINEAR_BLOCK)
        return self.op(
            "MatMulNBits",
            x,
            self.initializer(name, blocks),
            self.initializer(f"{name}.scales", scales.ravel()),
            domain="com.microsoft",
            K=weight.shape[1],
            N=weight.shape[0],
            bits=8,
            block_size=LINEAR_BLOCK,
            accuracy_level=4,
        )

    def embedding(self, ids: str, name: str) -> str:
        table = self.weights[name]
        if self.precision is Precision.FP32:
            return self.op("Gather", self.initializer(name, table), ids)
        block = NARROW_TABLE if table.shape[1] <= NARROW_TABLE else TABLE_BLOCK
        codes, scales = quantise(table, block)
        return self.op(
            "GatherBlockQuantized",
            self.initializer(name, codes[:, : table.shape[1]]),
            ids,
            self.initializer(f"{name}.scales", scales),
            domain="com.microsoft",
            bits=8,
            block_size=block,
            gather_axis=0,
            quantize_axis=1,
        )


def quantise(weight: NDArray[np.float32], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Quantise rows in blocks: ``w ≈ (code − 128) · scale`` with ``scale = max |w| / 127``.

    Args:
        weight: ``(n_rows, n_columns)``.
        block: columns that share a scale; the last block is filled with zeros.

    Returns:
        Codes ``(n_rows, n_blocks · block)`` and scales ``(n_rows, n_blocks)``.
    """
    n_rows, n_columns = weight.shape
    n_blocks = -(-n_columns // block)
    padded = np.zeros((n_rows, n_blocks * block), np.float32)
    padded[:, :n_columns] = weight
    blocks = padded.reshape(n_rows, n_blocks, block)
    scales = np.abs(blocks).max(axis=2) / np.float32(127)
    steps = np.where(scales == 0, np.float32(1), scales)[..., None]
    codes = np.rint(blocks / steps).astype(np.int16) + 128
    return codes.astype(np.uint8).reshape(n_rows, -1), scales


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Take the weights out of an exported file again, under the names of `model.ColBERTModel`, int8 dequantised."""
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights: dict[str, NDArray[np.float32]] = {}
    for node in graph.node:
        names = [name for name in node.input if name in tensors]
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "MatMulNBits":
            codes = tensors[names[0]].reshape(attributes["N"], -1)[:, : attributes["K"]]
            weights[names[0]] = dequantise(codes, tensors[names[1]], attributes["block_size"])
        elif node.op_type == "GatherBlockQuantized":
            weights[names[0]] = dequantise(tensors[names[0]], tensors[names[1]], attributes["block_size"])
        elif node.op_type == "MatMul" and names:
            weights[names[0]] = np.ascontiguousarray(tensors[names[0]].T)
        elif node.op_type in ("SimplifiedLayerNormalization", "Gather") and names[0].endswith(".weight"):
            weights[names[0]] = tensors[names[0]]
    return weights | _convolution_weights(tensors)


def _convolution_weights(tensors: Weights) -> dict[str, NDArray[np.float32]]:
    names = {name.rpartition(".tap_")[0] for name in tensors if ".tap_" in name}
    n_taps = {name: sum(tensor.startswith(f"{name}.tap_") for tensor in tensors) for name in names}
    return {
        f"{name}.conv.weight": np.stack([tensors[f"{name}.tap_{j}"] for j in range(n_taps[name])], axis=-1)[:, None]
        for name in names
    }


def _encoder(g: _Graph, config: BackboneConfig) -> str:
    present = g.op("Unsqueeze", "present", g.integers(2))  # (B, T, 1)
    bias = _attention_bias(g, config)
    rotation = _rotary(g, config)
    h = g.embedding("ids", "backbone.embed_tokens.weight")  # (B, T, d)
    for i, kind in enumerate(config.layer_types):
        name = f"backbone.layers.{i}"
        u = g.norm(h, f"{name}.operator_norm.weight", config.norm_eps)
        step = _convolution(g, u, f"{name}.conv", present, config) if kind == "conv" else ""
        step = step or _attention(g, u, f"{name}.self_attn", bias, rotation, config)
        h = g.op("Add", h, step)
        u = g.norm(h, f"{name}.ffn_norm.weight", config.norm_eps)
        h = g.op("Add", h, _feed_forward(g, u, f"{name}.feed_forward"))
    h = g.norm(h, "backbone.embedding_norm.weight", config.norm_eps)
    return g.op("LpNormalization", g.linear(h, "projection.weight"), output="vectors", axis=-1, p=2)


def _convolution(g: _Graph, u: str, name: str, present: str, config: BackboneConfig) -> str:
    d, kernel = config.hidden_size, config.conv_kernel
    projected = g.linear(u, f"{name}.in_proj.weight")  # (B, T, 3d)
    gate, out_gate, x = (
        g.op("Slice", projected, g.integers(i * d), g.integers((i + 1) * d), g.integers(2)) for i in range(3)
    )
    y = g.op("Mul", g.op("Mul", gate, x), present)
    left = kernel // 2 if config.bidirectional else kernel - 1
    padded = g.op("Pad", y, g.integers(0, left, 0, 0, kernel - 1 - left, 0))  # (B, T + k - 1, d)
    taps = g.weights[f"{name}.conv.weight"][:, 0]  # (d, k)
    total = ""
    for j in range(kernel):
        end = j - kernel + 1 or np.iinfo(np.int64).max
        shifted = g.op("Slice", padded, g.integers(j), g.integers(end), g.integers(1))
        term = g.op("Mul", shifted, g.initializer(f"{name}.tap_{j}", taps[:, j]))
        total = g.op("Add", total, term) if total else term
    return g.linear(g.op("Mul", out_gate, total), f"{name}.out_proj.weight")


def _attention(g: _Graph, u: str, name: str, bias: str, rotation: tuple[str, str], config: BackboneConfig) -> str:
    heads, groups, e = config.n_heads, config.n_kv_heads, config.head_dim
    q = _turned(g, _heads(g, u, f"{name}.q", heads, config, normed=True), rotation, e)  # (B, H, T, e)
    k = _turned(g, _heads(g, u, f"{name}.k", groups, config, normed=True), rotation, e)  # (B, G, T, e)
    v = _heads(g, u, f"{name}.v", groups, config, normed=False)  # (B, G, T, e)
    # The query heads of a group lie behind each other, so (B, H, T, e) is (B, G, H/G · T, e) without a copy.
    q = g.op("Mul", g.op("Reshape", q, _shape(g, groups, e)), g.constant(np.array(e**-0.5, np.float32)))
    scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))  # (B, G, H/G · T, T)
    by_head = g.op("Reshape", scores, _shape_square(g, heads))  # (B, H, T, T)
    weights = g.op("Softmax", g.op("Add", by_head, bias), axis=-1)
    mixed = g.op("MatMul", g.op("Reshape", weights, g.op("Shape", scores)), v)  # (B, G, H/G · T, e)
    mixed = g.op("Reshape", mixed, _shape_heads(g, heads, e))  # (B, H, T, e)
    joined = g.reshape(g.op("Transpose", mixed, perm=[0, 2, 1, 3]), 0, 0, heads * e)  # (B, T, H · e)
    return g.linear(joined, f"{name}.out_proj.weight")


def _heads(g: _Graph, u: str, name: str, n_heads: int, config: BackboneConfig, *, normed: bool) -> str:
    split = g.reshape(g.linear(u, f"{name}_proj.weight"), 0, 0, n_heads, config.head_dim)  # (B, T, heads, e)
    if normed:
        split = g.norm(split, f"{name}_layernorm.weight", config.norm_eps)
    return g.op("Transpose", split, perm=[0, 2, 1, 3])  # (B, heads, T, e)


def _turned(g: _Graph, x: str, rotation: tuple[str, str], head_dim: int) -> str:
    half = head_dim // 2
    first = g.op("Slice", x, g.integers(0), g.integers(half), g.integers(3))
    second = g.op("Slice", x, g.integers(half), g.integers(head_dim), g.integers(3))
    swapped = g.op("Concat", g.op("Neg", second), first, axis=3)
    return g.op("Add", g.op("Mul", x, rotation[0]), g.op("Mul", swapped, rotation[1]))


def _feed_forward(g: _Graph, u: str, name: str) -> str:
    gate = g.linear(u, f"{name}.w1.weight")
    silu = g.op("Mul", gate, g.op("Sigmoid", gate))
    return g.linear(g.op("Mul", silu, g.linear(u, f"{name}.w3.weight")), f"{name}.w2.weight")


def _n_positions(g: _Graph) -> str:
    return g.op("Shape", "ids", start=1, end=2)  # (1,)


def _n_texts(g: _Graph) -> str:
    return g.op("Shape", "ids", start=0, end=1)  # (1,)


def _shape(g: _Graph, groups: int, head_dim: int) -> str:
    return g.op("Concat", _n_texts(g), g.integers(groups, -1, head_dim), axis=0)


def _shape_square(g: _Graph, heads: int) -> str:
    return g.op("Concat", _n_texts(g), g.integers(heads), _n_positions(g), _n_positions(g), axis=0)


def _shape_heads(g: _Graph, heads: int, head_dim: int) -> str:
    return g.op("Concat", _n_texts(g), g.integers(heads), _n_positions(g), g.integers(head_dim), axis=0)


def _positions(g: _Graph) -> str:
    n = g.op("Squeeze", _n_positions(g))
    return g.op("Range", g.constant(np.array(0, np.int64)), n, g.constant(np.array(1, np.int64)))  # (T,)


def _attention_bias(g: _Graph, config: BackboneConfig) -> str:
    hidden = g.op("Mul", g.op("Sub", g.constant(np.array(1, np.float32)), "attended"), g.constant(MASKED))
    bias = g.op("Unsqueeze", hidden, g.integers(1, 2))  # (B, 1, 1, T)
    if config.bidirectional:
        return bias
    position = _positions(g)
    query, key = g.op("Unsqueeze", position, g.integers(1)), g.op("Unsqueeze", position, g.integers(0))
    later = g.op("Cast", g.op("Greater", key, query), to=TensorProto.FLOAT)  # (T, T)
    return g.op("Add", bias, g.op("Mul", later, g.constant(MASKED)))  # (B, 1, T, T)


def _rotary(g: _Graph, config: BackboneConfig) -> tuple[str, str]:
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    frequencies = np.tile(np.float32(config.rope_theta) ** -exponents, 2)  # (e,)
    position = g.op("Unsqueeze", g.op("Cast", _positions(g), to=TensorProto.FLOAT), g.integers(1))
    angles = g.op("Mul", position, g.constant(frequencies))  # (T, e)
    return g.op("Cos", angles), g.op("Sin", angles)
