"""Weights of 8 bits as floats: the same model for ONNX's own library, the same vectors, and no file that breaks it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert import load_encoder
from lfm2_colbert.encoders import onnx as loading
from lfm2_colbert.encoders.loading import BUNDLED
from lfm2_colbert.encoders.onnx import IN_BYTES, IN_FLOATS, MODEL_FILE, MOST_FLOAT_BYTES
from lfm2_colbert.encoders.unpacking import read_fields, with_float_weights, write_fields
from lfm2_colbert.errors import UnsafeModelError

MODEL = (BUNDLED / MODEL_FILE).read_bytes()
TEXTS = ["Der Himmel ist blau.", "首都は東京です", "مدينة", "กรุงเทพ", "cafe\u0301 👨‍👩‍👧", "word " * 150]
FIELDS = st.tuples(st.integers(1, 2**20), st.just(0), st.integers(0, 2**63 - 1)) | st.tuples(
    st.integers(1, 15), st.just(2), st.binary(max_size=300)
)


@given(fields=st.lists(FIELDS))
def test_fields_are_read_as_they_were_written(fields: list[tuple[int, int, int | bytes]]) -> None:
    assert read_fields(write_fields(fields)) == fields


def test_a_file_is_written_as_it_was_read() -> None:
    assert write_fields(read_fields(MODEL)) == MODEL


@given(message=st.binary(max_size=60))
def test_bytes_are_fields_or_a_value_error(message: bytes) -> None:
    try:
        fields = read_fields(message)
    except ValueError:
        return
    assert read_fields(write_fields(fields)) == fields


def test_the_model_is_the_same_graph_with_its_weights_in_floats() -> None:
    onnx = pytest.importorskip("onnx")
    packed, floats = onnx.load_from_string(MODEL).graph, onnx.load_from_string(with_float_weights(MODEL, 2**28)).graph
    tensors, theirs = (
        {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer} for graph in (packed, floats)
    )
    exchanged = 0
    for before, after in zip(packed.node, floats.node, strict=True):
        if before.op_type != "MatMulNBits":
            assert before == after
            continue
        exchanged += 1
        x, codes, scales = before.input
        assert (after.op_type, after.domain, list(after.input), after.output) == (
            "MatMul",
            "",
            [x, codes],
            before.output,
        )
        blocks, units = (
            tensors.pop(codes).astype(np.float32) - 128,
            tensors.pop(scales).reshape(len(theirs[codes].T), -1),
        )
        np.testing.assert_array_equal(theirs.pop(codes), (blocks * units[..., None]).reshape(len(units), -1).T)
    assert exchanged == 47
    assert tensors.keys() == theirs.keys()
    assert all(np.array_equal(tensor, theirs[name]) for name, tensor in tensors.items())
    assert (packed.input, packed.output) == (floats.input, floats.output)


def test_vectors_are_the_same_but_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "multiplies_bytes_slowly", lambda sets: True)
    found = []
    for most_bytes in (MOST_FLOAT_BYTES, 0):  # all at once, or for each text
        monkeypatch.setattr(loading, "MOST_FLOAT_BYTES", most_bytes)
        encoder = load_encoder("nano")
        alone = np.concatenate([encoder.encode_documents([text])[0] for text in TEXTS])
        np.testing.assert_allclose(encoder.encode_documents(TEXTS).vectors, alone, atol=1e-5)
        found.append(alone)
    np.testing.assert_allclose(found[0], found[1], atol=5e-6)


def test_a_model_with_more_weights_is_given_back_as_it_is() -> None:
    assert with_float_weights(MODEL, 1_000_000) == MODEL
    assert with_float_weights(MODEL.replace(IN_BYTES, IN_FLOATS), MOST_FLOAT_BYTES).count(IN_FLOATS) == 0


@pytest.mark.parametrize(("memory", "most"), [(0, 2**28), (2**30, 2**28), (2**33, 2**30), (2**40, 7 * 2**28)])
def test_floats_take_an_eighth_of_the_memory(monkeypatch: pytest.MonkeyPatch, memory: int, most: int) -> None:
    asked = list[int]()

    def as_it_is(model: bytes, most_bytes: int) -> bytes:
        asked.append(most_bytes)
        return model

    monkeypatch.setattr(loading, "multiplies_bytes_slowly", lambda sets: True)
    monkeypatch.setattr(loading, "usable_memory", lambda: memory)
    monkeypatch.setattr(loading, "with_float_weights", as_it_is)
    load_encoder("nano")
    assert asked == [most]


def test_a_model_is_not_kept_beside_what_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "multiplies_bytes_slowly", lambda sets: True)
    kept = loading.onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    assert kept._model_bytes == MODEL  # what ONNX Runtime does by itself
    assert loading._session(BUNDLED / MODEL_FILE, 1)._model_bytes is None


@pytest.mark.parametrize("length", [1, 1000, len(MODEL) // 2, len(MODEL) - 1])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(loading, "multiplies_bytes_slowly", lambda sets: True)
    for each in BUNDLED.iterdir():
        content = each.read_bytes()
        (tmp_path / each.name).write_bytes(content[:length] if each.name == MODEL_FILE else content)
    with pytest.raises(UnsafeModelError, match=r"model\.onnx is not a model"):
        load_encoder(str(tmp_path))


def test_weights_of_other_than_8_bits_are_left_alone() -> None:
    bits = b"\x0a\x04bits\x18"  # the attribute's name, and the field of its number
    assert MODEL.count(bits + b"\x08") >= 47
    other = MODEL.replace(bits + b"\x08", bits + b"\x04")
    assert with_float_weights(other, MOST_FLOAT_BYTES) == other


@pytest.mark.parametrize("missing", [b"\x0a\x01K\x18", b"block_size"])
def test_a_product_that_lacks_a_size_is_refused(missing: bytes) -> None:
    assert MODEL.count(missing) >= 47
    with pytest.raises(ValueError, match=r"a name, a size or weights are missing|cut off"):
        with_float_weights(MODEL.replace(missing, missing[:-1] + b"\x7f"), MOST_FLOAT_BYTES)


def test_other_operators_are_left_alone() -> None:
    other = MODEL.replace(b"MatMulNBits", b"MatMulNByte")
    assert with_float_weights(other, MOST_FLOAT_BYTES) is other  # not even a copy: it may be large
