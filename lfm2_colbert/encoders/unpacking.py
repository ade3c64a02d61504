"""Weights of 8 bits as floats, for processors on which unpacking them for each text takes longer than multiplying.

A model file is read and written as the fields of Protocol Buffers, whose numbers are those of ``onnx.proto``: to run an
encoder the library that knows them all is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRAPH = 7
"""Of a model."""
NODE, INITIALIZER = 1, 5
"""Of a graph."""
INPUT, OUTPUT, KIND, ATTRIBUTE = 1, 2, 4, 5
"""Of a node."""
ATTRIBUTE_NAME, ATTRIBUTE_INTEGER = 1, 3
DIMS, TYPE, NAME, CONTENT = 1, 2, 8, 9
"""Of a tensor."""
FLOAT = 1
"""Type of a tensor."""

VARINT, FIXED_64, DELIMITED, FIXED_32 = 0, 1, 2, 5
"""How a field is written."""
FIXED_BYTES = {FIXED_64: 8, FIXED_32: 4}

PACKED_PRODUCT = "MatMulNBits"
ZERO = 128
"""Code of a weight of 0."""
ROWS_AT_ONCE = 64
"""Of weights that become floats, so that a core's caches hold them until they stand where they belong."""

Content = bytes | memoryview
"""Views of a file where they do: its weights are as large as a quarter of the floats."""
Fields = list[tuple[int, int, int | Content]]
"""Number, way of writing and value of each, in their order; numbers are written as varints, all else are bytes."""


def with_float_weights(model: bytes, most_bytes: int) -> bytes:
    """Have a model multiply with floats instead of 8-bit weights; vectors differ by rounding alone.

    Args:
        model: an ONNX file that `export/onnx.py` wrote.
        most_bytes: that the model may take with its floats; if it would take more, it is given back as it is.

    Raises:
        ValueError: this is no such file.
    """
    if PACKED_PRODUCT.encode() not in model:
        return model
    try:
        return write_fields(
            [(number, way, _converted(_content(value), most_bytes) if number == GRAPH else value)
             for number, way, value in read_fields(memoryview(model))]
        )  # fmt: skip
    except LookupError as error:
        raise ValueError("a name, a size or weights are missing") from error


def dequantise(codes: NDArray[np.uint8], scales: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Undo `export.onnx.quantise` up to its rounding.

    Args:
        codes: ``(n_rows, n_columns)``.
        scales: any shape of ``n_rows · n_blocks`` values.
        block: columns that share a scale.
    """
    per_column = np.repeat(scales.reshape(len(codes), -1), block, axis=1)[:, : codes.shape[1]]
    return (codes.astype(np.float32) - ZERO) * per_column


@dataclass(frozen=True, slots=True)
class _Product:
    """A product of 8-bit weights: tensors' names, columns of a row, and how many of these share a scale."""

    x: str
    codes: str
    scales: str
    output: str
    n_columns: int
    block: int

    @classmethod
    def of(cls, node: Fields) -> "_Product | None":
        """Read a node; None if it is something else."""
        if _texts(node, KIND) != [PACKED_PRODUCT]:
            return None
        x, codes, scales = _texts(node, INPUT)
        attributes = dict(_attribute(read_fields(each)) for each in _contents(node, ATTRIBUTE))
        if attributes["bits"] != 8:
            return None
        return cls(x, codes, scales, _texts(node, OUTPUT)[0], attributes["K"], attributes["block_size"])

    def node(self) -> bytes:
        """Give the node that multiplies with floats, which have the name of the codes."""
        texts = ((INPUT, self.x), (INPUT, self.codes), (OUTPUT, self.output), (KIND, "MatMul"))
        return write_fields([(number, DELIMITED, text.encode()) for number, text in texts])

    def weights(self, tensors: Mapping[str, Fields]) -> bytes:
        """Give the floats, ``(n_columns, n_rows)``, as a tensor."""
        n_rows = _integers(tensors[self.codes], DIMS)[0]
        codes = np.frombuffer(_contents(tensors[self.codes], CONTENT)[0], np.uint8).reshape(n_rows, -1)
        scales = np.frombuffer(_contents(tensors[self.scales], CONTENT)[0], "<f4")
        scales = scales.reshape(n_rows, -1)
        floats = np.empty((self.n_columns, n_rows), "<f4")
        for first in range(0, n_rows, ROWS_AT_ONCE):
            rows = slice(first, first + ROWS_AT_ONCE)
            floats[:, rows] = dequantise(codes[rows], scales[rows], self.block)[:, : self.n_columns].T
        fields: Fields = [(DIMS, VARINT, size) for size in floats.shape]
        content = floats.data.cast("B")
        return write_fields(
            [*fields, (TYPE, VARINT, FLOAT), (NAME, DELIMITED, self.codes.encode()), (CONTENT, DELIMITED, content)]
        )


def _converted(graph: Content, most_bytes: int) -> Content:
    """Exchange a graph's products and their weights."""
    fields = read_fields(graph)
    nodes = [_Product.of(read_fields(each)) for each in _contents(fields, NODE)]
    tensors = {_texts(tensor, NAME)[0]: tensor for tensor in map(read_fields, _contents(fields, INITIALIZER))}
    by_codes = {each.codes: each for each in nodes if each}
    if len(graph) + 4 * sum(len(_contents(tensors[name], CONTENT)[0]) for name in by_codes) > most_bytes:
        return graph
    scales = {each.scales for each in by_codes.values()}
    next_node, next_name = iter(nodes), iter(tensors)
    exchanged: Fields = []
    for number, way, value in fields:
        if number == NODE:
            product = next(next_node)
            value = product.node() if product else value
        elif number == INITIALIZER:
            name = next(next_name)
            if name in scales:
                continue
            value = by_codes[name].weights(tensors) if name in by_codes else value
        exchanged.append((number, way, value))
    return write_fields(exchanged)


def read_fields(message: Content) -> Fields:
    """Read the fields of a message; what they hold are slices of it.

    Raises:
        ValueError: it ends too early, or holds what is no field.
    """
    fields: Fields = []
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, way = key >> 3, key & 7
        value: int | Content
        if way == VARINT:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if way == DELIMITED else (FIXED_BYTES.get(way, -1), at)
            if size < 0 or at + size > len(message):
                raise ValueError("a field is cut off, or of no known kind")
            value, at = message[at : at + size], at + size
        fields.append((number, way, value))
    return fields


def write_fields(fields: Fields) -> bytes:
    """Write a message."""
    parts: list[Content] = []
    for number, way, value in fields:
        parts.append(_as_varint(number << 3 | way))
        if isinstance(value, int):
            parts.append(_as_varint(value))
        else:
            parts += [_as_varint(len(value)), value] if way == DELIMITED else [value]
    return b"".join(parts)


def _varint(message: Content, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise ValueError("a number is cut off, or too long")


def _as_varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _content(value: int | Content) -> Content:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")
    return value


def _contents(fields: Fields, number: int) -> list[Content]:
    return [_content(value) for own, _, value in fields if own == number]


def _texts(fields: Fields, number: int) -> list[str]:
    return [bytes(value).decode() for value in _contents(fields, number)]


def _integers(fields: Fields, number: int) -> list[int]:
    return [value for own, _, value in fields if own == number and isinstance(value, int)]


def _attribute(fields: Fields) -> tuple[str, int]:
    """Give the name of an attribute and its number; 0 where it is something else."""
    return _texts(fields, ATTRIBUTE_NAME)[0], next(iter(_integers(fields, ATTRIBUTE_INTEGER)), 0)
